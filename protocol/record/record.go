package record

import (
	"fmt"
	"iter"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Record is one record of a batch. Key, Value and Headers alias the batch or its decompressed payload.
type Record struct {
	Offset      int64
	Timestamp   int64 // ms; the batch's max timestamp when its type is LogAppendTime
	OffsetDelta int32
	HeaderCount int
	Key, Value  []byte // nil is null, empty is not
	Headers     []byte // raw: HeaderCount pairs; AllHeaders splits them
}

// Header is one header of a record (KIP-82). A nil Value is null.
type Header struct {
	Key   string
	Value []byte
}

// AllHeaders yields key and value of each header; a nil value is null. Both alias the record.
func (r *Record) AllHeaders() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		b, at := r.Headers, 0
		for range r.HeaderCount {
			k, v := []byte(nil), []byte(nil)
			if k, at = take(b, at); at < 0 {
				return
			}
			if v, at = take(b, at); at < 0 || !yield(k, v) {
				return
			}
		}
	}
}

// take reads a length and that many bytes; a negative length is null.
func take(b []byte, at int) ([]byte, int) {
	n, at := varint(b, at)
	if at < 0 || n < 0 {
		return nil, at
	}
	if int(n) > len(b)-at {
		return nil, -1
	}
	return b[at : at+int(n) : at+int(n)], at + int(n) // not nil, as b is not
}

// fields says where the parts of a record lie. It holds no pointers, so that walking a batch costs no barriers.
type fields struct {
	end            int // position after the record
	bodySize       int // what the record's own length says
	timestampDelta int64
	offsetDelta    int32
	keySize        int32 // negative: null
	valueSize      int32 // negative: null
	headerCount    int32
	keyAt          int
	valueAt        int
	headersAt      int
}

// problem is why a record cannot be read.
type problem int

const (
	fine problem = iota
	badLength
	negativeLength
	lengthBeyond
	badFields
	badHeaderCount
	badHeaderKey
	lengthDiffers
)

var problems = [...]string{
	fine:           "",
	badLength:      "its length cannot be read",
	negativeLength: "its length is negative",
	lengthBeyond:   "its length is larger than what is left of the batch",
	badFields:      "a field is damaged or runs past its end",
	badHeaderCount: "its number of headers is negative or larger than what is left",
	badHeaderKey:   "a header has a negative key length",
	lengthDiffers:  "its fields do not end where its length says",
}

// recordError is the error for damaged records: INVALID_RECORD, as Kafka answers.
func (p problem) recordError(index int32) error {
	return &Refusal{Message: fmt.Sprintf("Record %d of the batch is invalid: %s", index, problems[p]), Kind: kerr.InvalidRecord}
}

// parse reads the record that starts at position at of b.
//
//	length varint   attributes int8 (unused)   timestamp delta varlong   offset delta varint
//	key length varint   key   value length varint   value   header count varint
//	{ key length varint   key   value length varint   value }
func (f *fields) parse(b []byte, at int) problem {
	length, at := varint(b, at)
	if at < 0 {
		return badLength
	}
	if length < 0 {
		return negativeLength
	}
	if int(length) > len(b)-at {
		return lengthBeyond
	}
	f.bodySize = int(length)
	f.end = at + int(length)
	b = b[:f.end]
	f.timestampDelta, at = varlong(b, at+1)
	f.offsetDelta, at = varint(b, at)
	f.keySize, at = varint(b, at)
	f.keyAt = at
	if f.keySize > 0 && at >= 0 {
		at += int(f.keySize)
	}
	f.valueSize, at = varint(b, at)
	f.valueAt = at
	if f.valueSize > 0 && at >= 0 {
		at += int(f.valueSize)
	}
	f.headerCount, at = varint(b, at)
	f.headersAt = at
	if at < 0 {
		return badFields
	}
	if f.headerCount != 0 {
		return f.parseHeaders(b, at)
	}
	if at != len(b) {
		return lengthDiffers
	}
	return fine
}

func (f *fields) parseHeaders(b []byte, at int) problem {
	if f.headerCount < 0 || int(f.headerCount) > len(b)-at {
		return badHeaderCount
	}
	for range f.headerCount {
		var n int32
		if n, at = varint(b, at); at < 0 {
			return badFields
		}
		if n < 0 {
			return badHeaderKey
		}
		if n, at = varint(b, at+int(n)); at < 0 {
			return badFields
		}
		if n > 0 {
			at += int(n)
		}
	}
	if at > len(b) {
		return badFields
	}
	if at != len(b) {
		return lengthDiffers
	}
	return fine
}
