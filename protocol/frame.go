package protocol

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AppendRequest writes a whole request frame, its length first, in the version that req carries.
func AppendRequest(dst []byte, clientID string, correlationID int32, req kmsg.Request) []byte {
	h := RequestHeader{Key: req.Key(), Version: req.GetVersion(), CorrelationID: correlationID, ClientID: &clientID}
	version := 1
	if req.IsFlexible() {
		version = 2
	}
	mark := len(dst)
	dst = appendRequestHeader(append(dst, 0, 0, 0, 0), h, version)
	return setLength(req.AppendTo(dst), mark)
}

// AppendResponse writes a whole response frame, its length first, in the version that resp carries:
// header 1 for flexible versions, header 0 for the others and always for ApiVersions (KIP-511).
func AppendResponse(dst []byte, correlationID int32, resp kmsg.Response) []byte {
	mark := len(dst)
	dst = AppendInt32(append(dst, 0, 0, 0, 0), correlationID)
	if resp.Key() != keyAPIVersions && resp.IsFlexible() {
		dst = append(dst, 0)
	}
	return setLength(resp.AppendTo(dst), mark)
}

// setLength fills in the 4 bytes at mark, which count what follows them.
func setLength(dst []byte, mark int) []byte {
	binary.BigEndian.PutUint32(dst[mark:], uint32(len(dst)-mark-4))
	return dst
}

// DecodeResponse reads a response frame, without its 4-byte length, to a request that was sent.
// The body is walked before it is decoded, because a peer can be as hostile as a client.
// correlationID is valid unless the frame is shorter than that; resp aliases frame in its bytes.
// The answer to an ApiVersions request may be in version 0 when the peer does not know the version
// that was asked for: it says UNSUPPORTED_VERSION, and resp has version 0 then.
func DecodeResponse(req kmsg.Request, frame []byte) (correlationID int32, resp kmsg.Response, err error) {
	key, version := req.Key(), req.GetVersion()
	r := NewReader(frame)
	correlationID = r.Int32()
	if responseHeaderVersion(key, version) == 1 {
		r.SkipTags()
	}
	if r.Err() != nil {
		return correlationID, nil, fmt.Errorf("response header of key %d, version %d: %w", key, version, r.Err())
	}
	body := r.Rest()
	if key == keyAPIVersions && len(body) >= 2 && int16(binary.BigEndian.Uint16(body)) == kerr.UnsupportedVersion.Code {
		version = 0
	}
	p, ok := programOf(key, version, true)
	if !ok {
		return correlationID, nil, fmt.Errorf("%w: key %d has no version %d", ErrMalformed, key, version)
	}
	w := walker{b: body}
	if _, err := w.walk(p); err != nil {
		return correlationID, nil, fmt.Errorf("response of key %d, version %d: %w", key, version, err)
	}
	resp = req.ResponseKind()
	resp.SetVersion(version)
	if err := decode(resp, body); err != nil {
		return correlationID, nil, fmt.Errorf("response of key %d, version %d: %w", key, version, err)
	}
	return correlationID, resp, nil
}
