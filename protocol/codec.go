package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Limits on what is read from others (requirements on hostile input).
const (
	MaxArrayCount  = 1_000_000 // elements of one array; Kafka 4.4 has the same bound
	MaxStringBytes = math.MaxInt16
	MaxTagCount    = 10_000    // fields in one tag section; Kafka 4.4 has the same bound
	MaxTagBytes    = 128 << 10 // bytes of one tagged field
	FirstCapacity  = 1_000     // elements of an array's first allocation; it grows with what was read
)

// ErrMalformed is wrapped by every complaint of Reader and of the walk. Who reads it from a
// connection closes the connection.
var ErrMalformed = errors.New("malformed message")

// Reader takes Kafka's primitives off the front of a byte slice. The first failure sticks:
// later reads give zero values and Err keeps the reason. Nothing is allocated before the bytes
// for it were seen. Not safe for concurrent use.
type Reader struct {
	b   []byte
	err error
}

// NewReader reads from b, which it does not change or keep beyond its own life.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Err is the first failure, wrapping ErrMalformed.
func (r *Reader) Err() error { return r.err }

// Len is the number of bytes left.
func (r *Reader) Len() int { return len(r.b) }

// Rest is what is left, aliasing the input.
func (r *Reader) Rest() []byte { return r.b }

// Done is Err, or a complaint about bytes that are left over.
func (r *Reader) Done() error {
	if r.err == nil && len(r.b) > 0 {
		r.Fail("%d bytes left over", len(r.b))
	}
	return r.err
}

// Fail records a failure unless there is one already.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
	}
	r.b = nil
}

// Span takes n bytes, aliasing the input.
func (r *Reader) Span(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.Fail("%d bytes wanted, %d left", n, len(r.b))
		return nil
	}
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}

func (r *Reader) Int8() int8 {
	if len(r.b) < 1 {
		r.Fail("int8: no bytes left")
		return 0
	}
	v := int8(r.b[0])
	r.b = r.b[1:]
	return v
}

// Bool is true for every byte but 0, as in Kafka.
func (r *Reader) Bool() bool { return r.Int8() != 0 }

func (r *Reader) Uint16() uint16 {
	if len(r.b) < 2 {
		r.Fail("int16: %d bytes left", len(r.b))
		return 0
	}
	v := binary.BigEndian.Uint16(r.b)
	r.b = r.b[2:]
	return v
}

func (r *Reader) Int16() int16 { return int16(r.Uint16()) }

func (r *Reader) Uint32() uint32 {
	if len(r.b) < 4 {
		r.Fail("int32: %d bytes left", len(r.b))
		return 0
	}
	v := binary.BigEndian.Uint32(r.b)
	r.b = r.b[4:]
	return v
}

func (r *Reader) Int32() int32 { return int32(r.Uint32()) }

func (r *Reader) Int64() int64 {
	if len(r.b) < 8 {
		r.Fail("int64: %d bytes left", len(r.b))
		return 0
	}
	v := int64(binary.BigEndian.Uint64(r.b))
	r.b = r.b[8:]
	return v
}

func (r *Reader) Float64() float64 { return math.Float64frombits(uint64(r.Int64())) }

func (r *Reader) UUID() UUID {
	s := r.Span(16)
	if s == nil {
		return UUID{}
	}
	return UUID(s)
}

// Uvarint reads at most 5 bytes; bits beyond 32 are refused.
func (r *Reader) Uvarint() uint32 {
	v, n := Uvarint(r.b)
	if n <= 0 {
		r.Fail("varint: %d bytes left", len(r.b))
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Varint reads a zig-zag varint of at most 5 bytes.
func (r *Reader) Varint() int32 {
	u := r.Uvarint()
	return int32(u>>1) ^ -int32(u&1)
}

// Varlong reads a zig-zag varint of at most 10 bytes; bits beyond 64 are refused.
func (r *Reader) Varlong() int64 {
	u, n := Uvarlong(r.b)
	if n <= 0 {
		r.Fail("varlong: %d bytes left", len(r.b))
		return 0
	}
	r.b = r.b[n:]
	return int64(u>>1) ^ -int64(u&1)
}

// length reads a length prefix: a varint of length+1 when flexible, else wide bytes; -1 is null.
func (r *Reader) length(flexible, wide bool) int {
	if flexible {
		return int(r.Uvarint()) - 1
	}
	n := 0
	if wide {
		n = int(r.Int32())
	} else {
		n = int(r.Int16())
	}
	if n < -1 {
		r.Fail("negative length %d", n)
	}
	return n
}

// Text reads a string that may not be null; flexible chooses the compact form.
func (r *Reader) Text(flexible bool) string {
	n := r.length(flexible, false)
	if n < 0 || n > MaxStringBytes {
		r.Fail("string of %d bytes", n)
		return ""
	}
	return string(r.Span(n))
}

// NullableText reads a string; nil is null.
func (r *Reader) NullableText(flexible bool) *string {
	n := r.length(flexible, false)
	if n == -1 {
		return nil
	}
	if n < 0 || n > MaxStringBytes {
		r.Fail("string of %d bytes", n)
		return nil
	}
	s := string(r.Span(n))
	return &s
}

// Bytes reads bytes that may not be null, as a copy; the result is not nil.
func (r *Reader) Bytes(flexible bool) []byte {
	n := r.length(flexible, true)
	if n < 0 {
		r.Fail("null bytes")
		return nil
	}
	return append([]byte{}, r.Span(n)...)
}

// NullableBytes reads bytes as a copy; nil is null.
func (r *Reader) NullableBytes(flexible bool) []byte {
	n := r.length(flexible, true)
	if n == -1 || r.err != nil {
		return nil
	}
	return append([]byte{}, r.Span(n)...)
}

// Count reads an array's count; -1 is null and refused unless nullable. smallest is the least number
// of bytes of one element (at least 1), so a count that cannot fit is refused before any allocation.
func (r *Reader) Count(flexible, nullable bool, smallest int) int {
	n := r.length(flexible, true)
	switch {
	case r.err != nil:
		return 0
	case n == -1 && nullable:
		return -1
	case n < 0:
		r.Fail("null array")
		return 0
	case n > MaxArrayCount || n > len(r.b)/smallest:
		r.Fail("array of %d elements, %d bytes left", n, len(r.b))
		return 0
	}
	return n
}

// Tags reads the count of a tag section.
func (r *Reader) Tags() int {
	n := r.Uvarint()
	if n > MaxTagCount || int(n) > len(r.b)/2 {
		r.Fail("%d tagged fields, %d bytes left", n, len(r.b))
		return 0
	}
	return int(n)
}

// Tag reads one tagged field: its tag, which must be above last (-1 before the first one), and its bytes. MaxTagBytes is
// not asked of stored records: nothing is copied here, and a group's record may keep a member's whole metadata in a tag.
func (r *Reader) Tag(last int) (tag int, value Reader) {
	tag = int(r.Uvarint())
	size := r.Uvarint()
	if r.err == nil && tag <= last {
		r.Fail("tag %d after tag %d", tag, last)
	}
	b := r.Span(int(size))
	return tag, Reader{b: b, err: r.err}
}

// SkipTags reads a tag section and forgets it.
func (r *Reader) SkipTags() {
	last := -1
	for n := r.Tags(); n > 0 && r.err == nil; n-- {
		last, _ = r.Tag(last)
	}
}

// End takes over the outcome of reading a tagged field, which must have been read to its end.
func (r *Reader) End(value *Reader) {
	if err := value.Done(); err != nil && r.err == nil {
		r.err, r.b = err, nil
	}
}

// Uvarint reads an unsigned varint from the front of b and returns its size; 0 when b is too short,
// -1 when it does not fit in 32 bits or takes more than 5 bytes.
func Uvarint(b []byte) (uint32, int) {
	var v uint32
	for i := 0; i < 5; i++ {
		if i >= len(b) {
			return 0, 0
		}
		c := b[i]
		if i == 4 && c > 0x0f {
			return 0, -1
		}
		v |= uint32(c&0x7f) << (7 * i)
		if c < 0x80 {
			return v, i + 1
		}
	}
	return 0, -1
}

// Uvarlong is Uvarint for 64 bits and 10 bytes.
func Uvarlong(b []byte) (uint64, int) {
	v, n := binary.Uvarint(b)
	if n < 0 {
		return 0, -1
	}
	return v, n
}
