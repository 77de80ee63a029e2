package wire

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batchFields are the names under which a batch is described, all optional but records:
//
//	codec                     none, gzip, snappy, lz4, zstd
//	records                   list of record descriptions
//	baseOffset, leaderEpoch, magic, lastOffsetDelta, baseTimestamp, maxTimestamp, producerId, producerEpoch, baseSequence, count
//	attributes                bits added to those of codec
//	length, crc               what they claim instead of the truth; crc "bad" has one wrong bit
//	cut                       bytes missing at the end
//	tail                      bytes behind the batch
//	payload                   bytes instead of the (compressed) records
//	inside                    bytes behind the records, compressed with them
//	repeat                    how often the list of records is repeated, with rising offset deltas
var batchFields = map[string]bool{"codec": true, "records": true, "baseOffset": true, "leaderEpoch": true, "magic": true, "lastOffsetDelta": true,
	"baseTimestamp": true, "maxTimestamp": true, "producerId": true, "producerEpoch": true, "baseSequence": true, "count": true, "attributes": true,
	"length": true, "crc": true, "cut": true, "tail": true, "payload": true, "inside": true, "repeat": true}

// recordFields: value, key, headers ([[name, value], …]), timestamp, timestampDelta, offsetDelta, attributes, and length, what it claims.
var recordFields = map[string]bool{"value": true, "key": true, "headers": true, "timestamp": true, "timestampDelta": true, "offsetDelta": true, "attributes": true, "length": true}

// DefaultTime is the timestamp of a batch that names none: long past, so that it is never taken for now.
const DefaultTime = 1600000000000

// EncodeBatches writes one described batch or a list of them.
func EncodeBatches(v any) ([]byte, error) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []byte
	for _, item := range list {
		fields, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("a batch is an object, not %s", show(item))
		}
		b, err := encodeBatch(fields)
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
	}
	return out, nil
}

// ints reads numbers of a description and keeps the first error.
type ints struct {
	fields map[string]any
	err    error
}

func (n *ints) get(name string, otherwise int64) int64 {
	v, given := n.fields[name]
	if !given {
		return otherwise
	}
	x, err := strconv.ParseInt(fmt.Sprint(v), 0, 64)
	if err != nil && n.err == nil {
		n.err = fmt.Errorf("%s is a whole number, not %s", name, show(v))
	}
	return x
}

func (n *ints) bytes(name string) []byte {
	v, given := n.fields[name]
	if !given {
		return nil
	}
	b, err := ParseBytes(fmt.Sprint(v))
	if err != nil && n.err == nil {
		n.err = err
	}
	return b
}

func encodeBatch(fields map[string]any) ([]byte, error) {
	for name := range fields {
		if !batchFields[name] {
			return nil, fmt.Errorf("a batch has no field %s", name)
		}
	}
	n := &ints{fields: fields}
	list, _ := fields["records"].([]any)
	base := n.get("baseTimestamp", DefaultTime)
	if _, given := fields["baseTimestamp"]; !given && len(list) > 0 {
		if first, ok := list[0].(map[string]any); ok && first["timestamp"] != nil {
			base = (&ints{fields: first}).get("timestamp", base)
		}
	}
	records, count, last, err := encodeRecords(list, int(n.get("repeat", 1)), base)
	if err != nil {
		return nil, err
	}
	records = append(records, n.bytes("inside")...)
	codec := 0
	if name, given := fields["codec"]; given {
		if codec = codecID(fmt.Sprint(name)); codec < 0 {
			return nil, fmt.Errorf("no codec is called %v", name)
		}
	}
	if records, err = compress(codec, records); err != nil {
		return nil, err
	}
	if _, given := fields["payload"]; given {
		records = n.bytes("payload")
	}
	b := make([]byte, 61, 61+len(records))
	be := binary.BigEndian
	be.PutUint64(b[0:], uint64(n.get("baseOffset", 0)))
	be.PutUint32(b[8:], uint32(n.get("length", int64(49+len(records)))))
	be.PutUint32(b[12:], uint32(n.get("leaderEpoch", -1)))
	b[16] = byte(n.get("magic", 2))
	be.PutUint16(b[21:], uint16(int64(codec)|n.get("attributes", 0)))
	be.PutUint32(b[23:], uint32(n.get("lastOffsetDelta", int64(count-1))))
	be.PutUint64(b[27:], uint64(base))
	be.PutUint64(b[35:], uint64(n.get("maxTimestamp", last)))
	be.PutUint64(b[43:], uint64(n.get("producerId", -1)))
	be.PutUint16(b[51:], uint16(n.get("producerEpoch", -1)))
	be.PutUint32(b[53:], uint32(n.get("baseSequence", -1)))
	be.PutUint32(b[57:], uint32(n.get("count", int64(count))))
	b = append(b, records...)
	be.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	if fields["crc"] == "bad" {
		b[17] ^= 1
	} else if _, given := fields["crc"]; given {
		be.PutUint32(b[17:], uint32(n.get("crc", 0)))
	}
	b = append(b, n.bytes("tail")...)
	cut := n.get("cut", 0)
	if cut < 0 || cut > int64(len(b)) {
		return nil, fmt.Errorf("cut %d of a batch of %d bytes", cut, len(b))
	}
	return b[:int64(len(b))-cut], n.err
}

func encodeRecords(list []any, repeat int, base int64) (out []byte, count int, last int64, err error) {
	last = base
	for range repeat {
		for _, item := range list {
			if text, ok := item.(string); ok {
				item = map[string]any{"value": text}
			}
			fields, ok := item.(map[string]any)
			if !ok {
				return nil, 0, 0, fmt.Errorf("a record is an object or a text, not %s", show(item))
			}
			for name := range fields {
				if !recordFields[name] {
					return nil, 0, 0, fmt.Errorf("a record has no field %s", name)
				}
			}
			n := &ints{fields: fields}
			delta := n.get("timestampDelta", n.get("timestamp", base)-base)
			last = max(last, base+delta)
			body := []byte{byte(n.get("attributes", 0))}
			body = binary.AppendVarint(body, delta)
			body = binary.AppendVarint(body, n.get("offsetDelta", int64(count)))
			body = appendBlob(body, fields["key"], n.bytes("key"))
			body = appendBlob(body, fields["value"], n.bytes("value"))
			headers, _ := fields["headers"].([]any)
			body = binary.AppendVarint(body, int64(len(headers)))
			for _, h := range headers {
				pair, ok := h.([]any)
				if !ok || len(pair) != 2 {
					return nil, 0, 0, fmt.Errorf("a header is a list of name and value, not %s", show(h))
				}
				for _, part := range pair {
					text, err := ParseBytes(fmt.Sprint(part))
					if err != nil {
						return nil, 0, 0, err
					}
					body = appendBlob(body, part, text)
				}
			}
			if n.err != nil {
				return nil, 0, 0, n.err
			}
			out = binary.AppendVarint(out, n.get("length", int64(len(body))))
			out = append(out, body...)
			count++
		}
	}
	return out, count, last, nil
}

func appendBlob(dst []byte, given any, b []byte) []byte {
	if given == nil {
		return binary.AppendVarint(dst, -1)
	}
	return append(binary.AppendVarint(dst, int64(len(b))), b...)
}
