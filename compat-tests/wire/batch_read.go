package wire

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
)

// DecodeBatches shows stored batches as a list of descriptions. Length and checksum of a compressed batch depend on
// the compressor and are left out; whether the checksum is right is said. Bytes at the end that are no whole batch
// are counted as "partial".
func DecodeBatches(b []byte) any {
	list := []any{}
	for len(b) >= 61 {
		size := 12 + int(int32(binary.BigEndian.Uint32(b[8:])))
		if size < 61 || size > len(b) {
			break
		}
		list = append(list, describe(b[:size]))
		b = b[size:]
	}
	if len(b) > 0 {
		list = append(list, map[string]any{"partial": int64(len(b))})
	}
	return list
}

func describe(b []byte) map[string]any {
	be := binary.BigEndian
	attributes := int64(int16(be.Uint16(b[21:])))
	view := map[string]any{
		"baseOffset": int64(be.Uint64(b)), "leaderEpoch": int64(int32(be.Uint32(b[12:]))), "magic": int64(int8(b[16])),
		"attributes": attributes, "lastOffsetDelta": int64(int32(be.Uint32(b[23:]))),
		"baseTimestamp": int64(be.Uint64(b[27:])), "maxTimestamp": int64(be.Uint64(b[35:])), "producerId": int64(be.Uint64(b[43:])),
		"producerEpoch": int64(int16(be.Uint16(b[51:]))), "baseSequence": int64(int32(be.Uint32(b[53:]))), "count": int64(int32(be.Uint32(b[57:]))),
		"crc": be.Uint32(b[17:]) == crc32.Checksum(b[21:], castagnoli),
	}
	codec := int(attributes & 7)
	if codec == 0 {
		view["length"] = int64(len(b))
	}
	body, err := decompress(codec, b[61:])
	if err != nil {
		view["records"] = "undecodable: " + err.Error()
		return view
	}
	records, err := describeRecords(body)
	if err != nil {
		view["records"] = "hex:" + hex.EncodeToString(body)
		return view
	}
	if len(records) > 64 { // long batches: ends and a checksum say enough
		view["records"] = append(append([]any{}, records[:2]...), records[len(records)-2:]...)
		view["recordsSum"] = int64(crc32.Checksum(body, castagnoli))
		return view
	}
	view["records"] = records
	return view
}

var errRecord = errors.New("a record does not end where it says")

func describeRecords(b []byte) ([]any, error) {
	list := []any{}
	for len(b) > 0 {
		size, n := binary.Varint(b)
		if n <= 0 || size < 0 || size > int64(len(b)-n) {
			return nil, errRecord
		}
		r := recordReader{b: b[n : n+int(size)]}
		b = b[n+int(size):]
		view := map[string]any{}
		if attributes := r.byte(); attributes != 0 {
			view["attributes"] = int64(attributes)
		}
		view["timestampDelta"], view["offsetDelta"] = r.varint(), r.varint()
		view["key"], view["value"] = r.blob(), r.blob()
		count := r.varint()
		if count < 0 || count > int64(len(r.b)) {
			return nil, errRecord
		}
		headers := []any{}
		for range count {
			name := r.blob()
			headers = append(headers, []any{name, r.blob()})
		}
		if len(headers) > 0 {
			view["headers"] = headers
		}
		if r.bad || len(r.b) > 0 {
			return nil, errRecord
		}
		list = append(list, view)
	}
	return list, nil
}

type recordReader struct {
	b   []byte
	bad bool
}

func (r *recordReader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *recordReader) varint() int64 {
	x, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return x
}

func (r *recordReader) blob() any {
	n := r.varint()
	if n < 0 {
		return nil
	}
	if n > int64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	text := r.b[:n]
	r.b = r.b[n:]
	return Text(text)
}
