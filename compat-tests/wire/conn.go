package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// Effects that a frame has.
const (
	Answered = "answer"
	Closed   = "closed"
	Silent   = "silence"
)

// maxAnswer bounds the answers that are read.
const maxAnswer = 64 << 20

// Conn is a connection to a broker. Frames go out as they are given; answers come back as bytes.
type Conn struct {
	c           net.Conn
	correlation int32
}

// Dial connects.
func Dial(address string) (*Conn, error) {
	c, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return nil, err
	}
	return &Conn{c: c}, nil
}

// Close ends the connection.
func (c *Conn) Close() error { return c.c.Close() }

// Frame builds a request as it goes over the wire, its size in front.
func (c *Conn) Frame(m *Message, version int16, clientID any, body []byte) []byte {
	c.correlation++
	return Frame(m.Key, version, c.correlation, clientID, m.Flexible.Has(version), body)
}

// Frame is a request with its size in front. A nil clientID is null.
func Frame(key, version int16, correlation int32, clientID any, flexible bool, body []byte) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 4), uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, uint32(correlation))
	if clientID == nil {
		b = append(b, 0xff, 0xff)
	} else {
		s := fmt.Sprint(clientID)
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
	}
	if flexible {
		b = append(b, 0)
	}
	b = append(b, body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// Send writes bytes as they are.
func (c *Conn) Send(b []byte) error {
	c.c.SetWriteDeadline(time.Now().Add(20 * time.Second))
	_, err := c.c.Write(b)
	return err
}

// Receive waits for one frame and says what happened instead if none came.
func (c *Conn) Receive(within time.Duration) (frame []byte, effect string, err error) {
	c.c.SetReadDeadline(time.Now().Add(within))
	var size [4]byte
	if _, err := io.ReadFull(c.c, size[:]); err != nil {
		return nil, effectOf(err), nil
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxAnswer {
		return nil, "", fmt.Errorf("an answer of %d bytes was announced: this is not Kafka's protocol", n)
	}
	frame = make([]byte, n)
	c.c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.ReadFull(c.c, frame); err != nil {
		return nil, effectOf(err), nil
	}
	return frame, Answered, nil
}

func effectOf(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return Silent
	}
	return Closed
}

// Correlation is the number of the last request made by Frame.
func (c *Conn) Correlation() int32 { return c.correlation }

// Answer reads a frame as the answer to a request of m at a version. A flexible header's tags stand under "_header".
func Answer(m *Message, version int16, correlation int32, frame []byte) (map[string]any, error) {
	if len(frame) < 4 {
		return nil, errShort
	}
	if got := int32(binary.BigEndian.Uint32(frame)); got != correlation {
		return nil, fmt.Errorf("correlation id %d instead of %d", got, correlation)
	}
	d := decoder{b: frame[4:], version: version, flexible: true}
	var header map[string]any
	if m.Flexible.Has(version) && m.Name != "ApiVersions" {
		header = d.structure(nil)
		if d.err != nil {
			return nil, d.err
		}
	}
	values, err := Decode(m, version, d.b)
	if err == nil && len(header) > 0 {
		values["_header"] = header
	}
	return values, err
}
