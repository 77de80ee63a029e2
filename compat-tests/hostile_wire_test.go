package compat

import (
	"bytes"
	bigendian "encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Requests by hand: what a client library would never send.

// be is the big-endian form of fixed-size values, one after another.
func be(values ...any) []byte {
	var b bytes.Buffer
	for _, v := range values {
		switch v := v.(type) {
		case string: // a short string
			bigendian.Write(&b, bigendian.BigEndian, int16(len(v)))
			b.WriteString(v)
		case []byte:
			b.Write(v)
		default:
			bigendian.Write(&b, bigendian.BigEndian, v)
		}
	}
	return b.Bytes()
}

// framed puts the length in front.
func framed(parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return be(int32(len(body)), body)
}

const (
	hostileID = 1          // correlation id of every hostile request
	probeID   = 0x7ead0bed // and of the question behind it that shows whether the connection lives
)

// header is a request header of version 2 when flexible, else 1, without tags.
func header(key, version int16, clientID string, flexible bool) []byte {
	h := be(key, version, int32(hostileID), clientID)
	if flexible {
		h = append(h, 0)
	}
	return h
}

// request is the frame of a well-formed request.
func request(r kmsg.Request) []byte {
	return framed(header(r.Key(), r.GetVersion(), "hostile", r.IsFlexible()), r.AppendTo(nil))
}

var probe = framed(be(int16(18), int16(0), int32(probeID), "probe"))

// filled is a request of key and version in which every field is set, so that cuts find something to cut. Nothing
// in it names what exists: it may be carried out.
func filled(key, version int16) kmsg.Request {
	r := kmsg.RequestForKey(key)
	r.SetVersion(version)
	fill(reflect.ValueOf(r).Elem(), "")
	switch r := r.(type) {
	case *kmsg.InitProducerIDRequest:
		r.TransactionalID = nil // Kafka would create its transaction topic
	case *kmsg.ProduceRequest:
		r.TransactionID = nil
	}
	return r
}

func fill(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.IsExported() && f.Name != "Version" && f.Name != "UnknownTags" {
				fill(v.Field(i), f.Name)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name)
	case reflect.Slice:
		n := 1
		if v.Type().Elem().Kind() == reflect.Uint8 {
			n = 7
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(v.Index(i), name)
		}
	case reflect.String:
		v.SetString("hostile")
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		switch name {
		case "ReplicaID":
			v.SetInt(-1)
		case "BrokerID", "NodeID":
			v.SetInt(7777)
		default:
			v.SetInt(1)
		}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(1)
	case reflect.Bool:
		v.SetBool(true)
	}
}

// A wireCase is bytes for a fresh connection. partial says that they end inside a frame, so that no question can
// follow them and time has to tell.
type wireCase struct {
	name    string
	bytes   []byte
	partial bool
	drip    time.Duration // between any two bytes
}

const silence = 400 * time.Millisecond

// patience is how long the sender of c waits after so many answers. What is to come gets all the time of a busy machine;
// only when it is there, silence is listened to.
func (c wireCase) patience(answers int, want string) time.Duration {
	switch {
	case c.partial && (want == "" || want == fmt.Sprintf("%d answers, silent", answers)):
		return silence
	case strings.HasSuffix(want, "hangs"):
		return 20 * time.Second
	}
	return patience
}

// effect is what the sender of c sees: how many answers come, and whether the connection is then open, closed or,
// after a part of a frame, silent. want is what it should see, if that is known.
func (c wireCase) effect(addr, want string) (string, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	out := c.bytes
	if !c.partial {
		out = append(bytes.Clone(out), probe...)
	}
	conn.SetWriteDeadline(time.Now().Add(patience))
	if err := c.write(conn, out); err != nil && !cut(err) {
		return "", err
	}
	var head [8]byte
	for answers := 0; ; answers++ {
		conn.SetReadDeadline(time.Now().Add(c.patience(answers, want)))
		_, err := io.ReadFull(conn, head[:])
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && c.partial:
			return fmt.Sprintf("%d answers, silent", answers), nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Sprintf("%d answers, hangs", answers), nil
		case cut(err):
			return fmt.Sprintf("%d answers, closed", answers), nil
		default:
			return "", fmt.Errorf("after %d answers: %w", answers, err)
		}
		if bigendian.BigEndian.Uint32(head[4:]) == probeID {
			return fmt.Sprintf("%d answers, open", answers), nil
		}
		if _, err := io.CopyN(io.Discard, conn, int64(bigendian.BigEndian.Uint32(head[:]))-4); err != nil {
			return "", fmt.Errorf("inside answer %d: %w", answers+1, err)
		}
	}
}

func (c wireCase) write(conn net.Conn, out []byte) error {
	if c.drip == 0 {
		_, err := conn.Write(out)
		return err
	}
	for i := range out {
		if _, err := conn.Write(out[i : i+1]); err != nil {
			return err
		}
		time.Sleep(c.drip)
	}
	return nil
}

func cut(err error) bool {
	return errors.Is(err, io.EOF) || strings.Contains(err.Error(), "reset by peer") || strings.Contains(err.Error(), "broken pipe")
}
