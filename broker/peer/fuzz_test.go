package peer

import (
	"bufio"
	"bytes"
	"testing"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/memnet"
	"github.com/dohle-io/dohle/protocol"
)

// FuzzAnswers reads arbitrary bytes as the answers of a peer: no panic, and no buffer beyond 16 times what came.
func FuzzAnswers(f *testing.F) {
	for _, req := range []kmsg.Request{kmsg.NewPtrMetadataRequest(), kmsg.NewPtrFetchRequest(), kmsg.NewPtrApiVersionsRequest(), kmsg.NewPtrVoteRequest()} {
		req.SetVersion(req.MaxVersion())
		f.Add(req.Key(), protocol.AppendResponse(nil, 7, req.ResponseKind()))
	}
	f.Add(int16(3), []byte{0x7f, 0xff, 0xff, 0xff})
	f.Add(int16(3), []byte{0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0})
	w := newWire(New(Options{Net: memnet.New(), Log: zerolog.Nop()}), nil)
	f.Fuzz(func(t *testing.T, key int16, b []byte) {
		req := kmsg.RequestForKey(key)
		if req == nil {
			return
		}
		req.SetVersion(req.MaxVersion())
		r := bufio.NewReaderSize(bytes.NewReader(b), readBytes)
		for {
			frame, err := w.readFrame(r)
			if err != nil {
				return
			}
			if cap(frame) > max(frameGrowth*len(b), firstFrameBytes) {
				t.Fatalf("%d bytes for %d", cap(frame), len(b))
			}
			protocol.DecodeResponse(req, frame) // either way
		}
	})
}
