package api

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/protocol"
)

// FuzzEnvelope opens envelopes of any content: principal, address, and a request inside that nobody has walked yet.
// Either the answer is that of a request which may be forwarded, or an error of the envelope; never both, never none.
func FuzzEnvelope(f *testing.F) {
	alice := encodePrincipal("User:alice")
	local := []byte{127, 0, 0, 1}
	inside := protocol.AppendRequest(nil, "x", 9, createRequest(7, "a"))[4:]
	f.Add(inside, alice, local)
	f.Add(inside[:20], alice, local)
	f.Add(inside, alice[:3], local)
	f.Add(inside, alice, make([]byte, 16))
	f.Add(inside, alice, make([]byte, 5))
	f.Add(append(bytes.Clone(inside[:16]), 0xff, 0xff, 0xff, 0xff, 0x0f), alice, local)
	f.Add(protocol.AppendRequest(nil, "x", 9, versionsRequest(3))[4:], alice, local)
	for _, row := range Table {
		if !row.forwardedRow {
			continue
		}
		req := kmsg.RequestForKey(row.Key)
		for v := row.Min; v <= row.Max; v++ {
			req.SetVersion(v)
			f.Add(protocol.AppendRequest(nil, "x", 9, req)[4:], alice, local)
		}
	}
	f.Fuzz(func(t *testing.T, data, principal, address []byte) {
		d, _ := forwarding(t, func(req kmsg.Request) (kmsg.Response, error) { return req.ResponseKind(), nil })
		e := kmsg.NewPtrEnvelopeRequest()
		e.RequestData, e.RequestPrincipal, e.ClientHostAddress = data, principal, address
		resp := put[*kmsg.EnvelopeResponse](t, d, "CONTROLLER", true, e)
		if (resp.ErrorCode == 0) == (resp.ResponseData == nil) {
			t.Fatalf("code %d and %d bytes", resp.ErrorCode, len(resp.ResponseData))
		}
		if resp.ErrorCode == kerr.UnknownServerError.Code {
			t.Fatalf("an error without a name for %x", data)
		}
	})
}
