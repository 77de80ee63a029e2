package oracle

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/dohle-io/dohle/compat-tests/scenario"
	"github.com/dohle-io/dohle/compat-tests/wire"
)

// mangle builds the frame of a request and makes it wrong as asked. It also says at which version the answer is to be
// read: an unknown version of ApiVersions is answered in version 0.
func mangle(c *channel, m *wire.Message, version int16, client any, body []byte, how []scenario.Mangle) ([]byte, int16, error) {
	frame := c.Frame(m, version, client, body)
	size := -1
	for _, w := range how {
		n, err := strconv.ParseInt(w.Value, 0, 64)
		raw, rawErr := wire.ParseBytes("hex:" + w.Value)
		switch w.What {
		case "cut", "size", "key", "version":
			if err != nil {
				return nil, 0, fmt.Errorf("frame %s takes a number, not %q", w.What, w.Value)
			}
		case "append", "tags", "body":
			if rawErr != nil {
				return nil, 0, fmt.Errorf("frame %s takes hexadecimal digits, not %q", w.What, w.Value)
			}
		default:
			return nil, 0, fmt.Errorf("a frame cannot be made wrong by %q", w.What)
		}
		head := len(frame) - len(body)
		switch w.What {
		case "cut":
			frame = frame[:max(4, len(frame)-int(n))]
		case "append":
			frame = append(frame, raw...)
		case "size":
			size = int(n)
		case "key":
			binary.BigEndian.PutUint16(frame[4:], uint16(n))
		case "version":
			binary.BigEndian.PutUint16(frame[6:], uint16(n))
			if m.Name == "ApiVersions" && !m.Valid.Has(int16(n)) {
				version = 0
			}
		case "tags": // instead of the header's empty tags
			if !m.Flexible.Has(version) {
				return nil, 0, fmt.Errorf("the header of %s v%d has no tags", m.Name, version)
			}
			frame = append(append(append([]byte{}, frame[:head-1]...), raw...), frame[head:]...)
		case "body":
			frame = append(append([]byte{}, frame[:head]...), raw...)
		}
	}
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	if size >= 0 {
		binary.BigEndian.PutUint32(frame, uint32(size))
	}
	return frame, version, nil
}
