package wire

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

var errShort = errors.New("the answer ends inside a field")

// Decode reads the body of an answer. Tags that the schema does not know stand under "_tags"; bytes behind the end
// under "_rest".
func Decode(m *Message, version int16, body []byte) (map[string]any, error) {
	d := decoder{b: body, version: version, flexible: m.Flexible.Has(version)}
	values := d.structure(m.Fields)
	if d.err != nil {
		return nil, d.err
	}
	if len(d.b) > 0 {
		values["_rest"] = "hex:" + hex.EncodeToString(d.b)
	}
	return values, nil
}

type decoder struct {
	b        []byte
	err      error
	version  int16
	flexible bool
}

func (d *decoder) take(n int) []byte {
	if d.err != nil || n < 0 || n > len(d.b) {
		d.fail(errShort)
		return make([]byte, 16)[:min(max(n, 0), 16)]
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.fail(errShort)
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) structure(fields []*Field) map[string]any {
	values := map[string]any{}
	for _, f := range fields {
		if !f.Versions.Has(d.version) || d.err != nil {
			continue
		}
		if f.Tag >= 0 && f.Tagged.Has(d.version) {
			values[f.Name] = Default(f, d.version)
			continue
		}
		values[f.Name] = d.field(f)
	}
	if !d.flexible {
		return values
	}
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		tag, size := d.uvarint(), d.uvarint()
		body := d.take(int(min(size, math.MaxInt32)))
		if d.err != nil {
			break
		}
		known := false
		for _, f := range fields {
			if f.Tag >= 0 && uint64(f.Tag) == tag && f.Tagged.Has(d.version) && f.Versions.Has(d.version) {
				inner := decoder{b: body, version: d.version, flexible: true}
				values[f.Name] = inner.field(f)
				if inner.err != nil || len(inner.b) > 0 {
					d.fail(fmt.Errorf("tag %d (%s) has the wrong size", tag, f.Name))
				}
				known = true
			}
		}
		if !known {
			unknown, _ := values["_tags"].(map[string]any)
			if unknown == nil {
				unknown = map[string]any{}
				values["_tags"] = unknown
			}
			unknown[strconv.FormatUint(tag, 10)] = "hex:" + hex.EncodeToString(body)
		}
	}
	return values
}

func (d *decoder) field(f *Field) any {
	if !f.Array {
		return d.value(f)
	}
	n := d.length(4)
	if n < 0 {
		return nil
	}
	if n > len(d.b) { // every element takes a byte at least
		d.fail(errShort)
		return nil
	}
	list := make([]any, 0, n)
	for range n {
		if d.err != nil {
			break
		}
		list = append(list, d.value(f))
	}
	return list
}

func (d *decoder) value(f *Field) any {
	switch f.Kind {
	case "struct":
		if !f.Array && f.Null.Has(d.version) && int8(d.take(1)[0]) < 0 {
			return nil
		}
		return d.structure(f.Fields)
	case "string":
		n := d.length(2)
		if n < 0 {
			return nil
		}
		return Text(d.take(n))
	case "bytes":
		n := d.length(4)
		if n < 0 {
			return nil
		}
		return Text(d.take(n))
	case "records":
		n := d.length(4)
		if n < 0 {
			return nil
		}
		return DecodeBatches(d.take(n))
	case "uuid":
		return base64.RawURLEncoding.EncodeToString(d.take(16))
	case "bool":
		switch b := d.take(1)[0]; b {
		case 0, 1:
			return b == 1
		default:
			return fmt.Sprintf("bool byte %d", b)
		}
	case "float64":
		return math.Float64frombits(binary.BigEndian.Uint64(d.take(8)))
	case "int8":
		return int64(int8(d.take(1)[0]))
	case "int16":
		return int64(int16(binary.BigEndian.Uint16(d.take(2))))
	case "uint16":
		return int64(binary.BigEndian.Uint16(d.take(2)))
	case "int32":
		return int64(int32(binary.BigEndian.Uint32(d.take(4))))
	case "uint32":
		return int64(binary.BigEndian.Uint32(d.take(4)))
	case "int64":
		return int64(binary.BigEndian.Uint64(d.take(8)))
	}
	d.fail(fmt.Errorf("unknown type %s", f.Kind))
	return nil
}

// length reads the length of a string or array, -1 for null.
func (d *decoder) length(size int) int {
	if d.flexible {
		n := d.uvarint()
		if n > math.MaxInt32 {
			d.fail(errShort)
			return 0
		}
		return int(n) - 1
	}
	if size == 2 {
		return int(int16(binary.BigEndian.Uint16(d.take(2))))
	}
	return int(int32(binary.BigEndian.Uint32(d.take(4))))
}

// Text shows bytes as they stand if they are printable, else in hexadecimal.
func Text(b []byte) string {
	if !utf8.Valid(b) {
		return "hex:" + hex.EncodeToString(b)
	}
	for _, r := range string(b) {
		if r < ' ' && r != '\n' && r != '\t' {
			return "hex:" + hex.EncodeToString(b)
		}
	}
	return string(b)
}
