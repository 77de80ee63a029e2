package protocol

import (
	"encoding/binary"
	"math"
)

// The Append functions write Kafka's primitives to the end of a slice, as package strconv's do.
// Lengths are trusted: what the broker writes has been bounded where it was accepted.

func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func AppendInt8(dst []byte, v int8) []byte     { return append(dst, byte(v)) }
func AppendInt16(dst []byte, v int16) []byte   { return binary.BigEndian.AppendUint16(dst, uint16(v)) }
func AppendUint16(dst []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(dst, v) }
func AppendInt32(dst []byte, v int32) []byte   { return binary.BigEndian.AppendUint32(dst, uint32(v)) }
func AppendInt64(dst []byte, v int64) []byte   { return binary.BigEndian.AppendUint64(dst, uint64(v)) }
func AppendUUID(dst []byte, v UUID) []byte     { return append(dst, v[:]...) }

func AppendFloat64(dst []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(v))
}

func AppendUvarint(dst []byte, v uint32) []byte { return binary.AppendUvarint(dst, uint64(v)) }

// UvarintSize is the number of bytes AppendUvarint writes.
func UvarintSize(v uint32) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// AppendText writes a string that is not null; flexible chooses the compact form.
func AppendText(dst []byte, s string, flexible bool) []byte {
	if flexible {
		dst = AppendUvarint(dst, uint32(len(s))+1)
	} else {
		dst = AppendInt16(dst, int16(len(s)))
	}
	return append(dst, s...)
}

// AppendNullableText writes nil as null.
func AppendNullableText(dst []byte, s *string, flexible bool) []byte {
	switch {
	case s != nil:
		return AppendText(dst, *s, flexible)
	case flexible:
		return append(dst, 0)
	}
	return append(dst, 0xff, 0xff)
}

// AppendBytes writes b, nil as empty.
func AppendBytes(dst, b []byte, flexible bool) []byte {
	return append(AppendCount(dst, len(b), flexible), b...)
}

// AppendNullableBytes writes nil as null.
func AppendNullableBytes(dst, b []byte, flexible bool) []byte {
	if b == nil {
		return AppendCount(dst, -1, flexible)
	}
	return AppendBytes(dst, b, flexible)
}

// AppendCount writes the count of an array or the length of bytes; -1 is null.
func AppendCount(dst []byte, n int, flexible bool) []byte {
	if flexible {
		return AppendUvarint(dst, uint32(n+1))
	}
	return AppendInt32(dst, int32(n))
}

// InsertSize puts the size of dst[mark:] as a varint in front of it: a tagged field's value is
// written first and gets its length then.
func InsertSize(dst []byte, mark int) []byte {
	size := uint32(len(dst) - mark)
	n := UvarintSize(size)
	dst = append(dst, make([]byte, n)...)
	copy(dst[mark+n:], dst[mark:len(dst)-n])
	binary.PutUvarint(dst[mark:], uint64(size))
	return dst
}
