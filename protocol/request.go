package protocol

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// RequestCost walks a request's body and gives the bytes that DecodeRequest will allocate for it.
// The answer is an upper bound, near enough to reserve from a budget. It refuses keys and versions
// that Kafka 4.4 does not serve; Admit says how. Bytes after the body are ignored, as in Kafka.
// It allocates nothing unless it refuses.
func RequestCost(h RequestHeader, body []byte) (bytes int64, err error) {
	p, ok := programOf(h.Key, h.Version, false)
	if !ok {
		if h.Key == keyAPIVersions {
			p, _ = programOf(keyAPIVersions, 0, false)
			return allocated(int64(programs[p].size)), nil // its body is not read
		}
		return 0, fmt.Errorf("%w: key %d has no version %d", ErrMalformed, h.Key, h.Version)
	}
	w := walker{b: body}
	if _, err := w.walk(p); err != nil {
		return 0, fmt.Errorf("request of key %d, version %d: %w", h.Key, h.Version, err)
	}
	return w.alloc, nil
}

// DecodeRequest walks the body, then decodes it. On an error the connection is to be closed.
// Bytes and Records of the result alias body, strings do not.
//
// An ApiVersions request of an unknown version comes back as version 0, its body unread: what is
// sent for it has version 0 and UNSUPPORTED_VERSION. h.Version still tells the version asked for.
func DecodeRequest(h RequestHeader, body []byte) (req kmsg.Request, err error) {
	if _, err := RequestCost(h, body); err != nil {
		return nil, err
	}
	return DecodeChecked(h, body)
}

// DecodeChecked is DecodeRequest for a body that RequestCost has just accepted, without a second walk.
func DecodeChecked(h RequestHeader, body []byte) (req kmsg.Request, err error) {
	req = kmsg.RequestForKey(h.Key)
	if req == nil || h.Version > req.MaxVersion() && h.Key != keyAPIVersions {
		return nil, fmt.Errorf("%w: no decoder for key %d, version %d", ErrMalformed, h.Key, h.Version)
	}
	if _, ok := programOf(h.Key, h.Version, false); !ok {
		req.SetVersion(0)
		return req, nil
	}
	req.SetVersion(h.Version)
	if err := decode(req, body); err != nil {
		return nil, fmt.Errorf("request of key %d, version %d: %w", h.Key, h.Version, err)
	}
	return req, nil
}

// decode runs kmsg's decoder. This is the one place where a panic is caught: hostile bytes meet code
// that is not ours. It costs that connection, not the process.
func decode(m interface{ ReadFrom([]byte) error }, body []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: decoder panic: %v", ErrMalformed, p)
		}
	}()
	if err := m.ReadFrom(body); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}
