package wire

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Encode writes the body of a request at a version. A field that is not given takes its default; one that the version
// does not have is left out, so one text serves all versions; one that no version has is an error.
func Encode(m *Message, version int16, values map[string]any) ([]byte, error) {
	e := encoder{version: version, flexible: m.Flexible.Has(version)}
	if err := e.structure(m.Name, m.Fields, values); err != nil {
		return nil, err
	}
	return e.b, nil
}

type encoder struct {
	b        []byte
	version  int16
	flexible bool
}

func (e *encoder) structure(path string, fields []*Field, values map[string]any) error {
	for name := range values {
		if FieldNamed(fields, name) == nil {
			return fmt.Errorf("%s has no field %s; it has %s", path, name, names(fields))
		}
	}
	var tagged []*Field
	for _, f := range fields {
		if !f.Versions.Has(e.version) {
			continue
		}
		if f.Tag >= 0 && f.Tagged.Has(e.version) {
			if _, given := values[f.Name]; given {
				tagged = append(tagged, f)
			}
			continue
		}
		v, given := values[f.Name]
		if !given {
			v = Default(f, e.version)
		}
		if err := e.field(path+"."+f.Name, f, v); err != nil {
			return err
		}
	}
	if !e.flexible {
		return nil
	}
	e.b = binary.AppendUvarint(e.b, uint64(len(tagged)))
	for _, f := range tagged { // schemas list tags in order
		inner := encoder{version: e.version, flexible: true}
		if err := inner.field(path+"."+f.Name, f, values[f.Name]); err != nil {
			return err
		}
		e.b = binary.AppendUvarint(e.b, uint64(f.Tag))
		e.b = binary.AppendUvarint(e.b, uint64(len(inner.b)))
		e.b = append(e.b, inner.b...)
	}
	return nil
}

// Default is what a field holds that was not given.
func Default(f *Field, version int16) any {
	if f.Default == "null" {
		return nil
	}
	if f.Array {
		return []any{}
	}
	switch f.Kind {
	case "string":
		return f.Default
	case "bytes":
		return ""
	case "bool":
		return f.Default == "true"
	case "uuid":
		return ZeroUUID
	case "records":
		return nil
	case "float64":
		return 0.0
	case "struct":
		all := map[string]any{}
		for _, sub := range f.Fields {
			if sub.Versions.Has(version) {
				all[sub.Name] = Default(sub, version)
			}
		}
		return all
	}
	n, _ := strconv.ParseInt(f.Default, 0, 64)
	return n
}

func (e *encoder) field(path string, f *Field, v any) error {
	if f.Array {
		if v == nil {
			e.length(-1, 4)
			return nil
		}
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%s is a list, not %s", path, show(v))
		}
		e.length(len(list), 4)
		for i, item := range list {
			if err := e.value(fmt.Sprintf("%s[%d]", path, i), f, item); err != nil {
				return err
			}
		}
		return nil
	}
	return e.value(path, f, v)
}

func (e *encoder) value(path string, f *Field, v any) error {
	switch f.Kind {
	case "struct":
		if !f.Array && f.Null.Has(e.version) {
			if v == nil {
				e.b = append(e.b, 0xff)
				return nil
			}
			e.b = append(e.b, 1)
		}
		fields, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is an object, not %s", path, show(v))
		}
		return e.structure(path, f.Fields, fields)
	case "string":
		if v == nil {
			e.length(-1, 2)
			return nil
		}
		s := fmt.Sprint(v)
		e.length(len(s), 2)
		e.b = append(e.b, s...)
		return nil
	case "bytes", "records":
		return e.blob(path, f, v)
	case "uuid":
		id, err := ParseUUID(fmt.Sprint(v))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		e.b = append(e.b, id[:]...)
		return nil
	case "bool":
		b, err := strconv.ParseBool(fmt.Sprint(v))
		if err != nil {
			return fmt.Errorf("%s is true or false, not %s", path, show(v))
		}
		if b {
			e.b = append(e.b, 1)
		} else {
			e.b = append(e.b, 0)
		}
		return nil
	case "float64":
		x, err := strconv.ParseFloat(fmt.Sprint(v), 64)
		if err != nil {
			return fmt.Errorf("%s is a number, not %s", path, show(v))
		}
		e.b = binary.BigEndian.AppendUint64(e.b, math.Float64bits(x))
		return nil
	}
	n, err := strconv.ParseInt(fmt.Sprint(v), 0, 64)
	if err != nil {
		return fmt.Errorf("%s is a whole number, not %s", path, show(v))
	}
	return e.integer(path, f.Kind, n)
}

func (e *encoder) integer(path, kind string, n int64) error {
	bits, low, high := 64, int64(math.MinInt64), int64(math.MaxInt64)
	switch kind {
	case "int8":
		bits, low, high = 8, math.MinInt8, math.MaxInt8
	case "int16":
		bits, low, high = 16, math.MinInt16, math.MaxInt16
	case "uint16":
		bits, low, high = 16, 0, math.MaxUint16
	case "int32":
		bits, low, high = 32, math.MinInt32, math.MaxInt32
	case "uint32":
		bits, low, high = 32, 0, math.MaxUint32
	case "int64":
	default:
		return fmt.Errorf("%s has the unknown type %s", path, kind)
	}
	if n < low || n > high {
		return fmt.Errorf("%s: %d does not fit %s", path, n, kind)
	}
	for shift := bits - 8; shift >= 0; shift -= 8 {
		e.b = append(e.b, byte(n>>shift))
	}
	return nil
}

func (e *encoder) blob(path string, f *Field, v any) error {
	if v == nil {
		e.length(-1, 4)
		return nil
	}
	var data []byte
	var err error
	if s, ok := v.(string); ok {
		data, err = ParseBytes(s)
	} else if f.Kind == "records" {
		data, err = EncodeBatches(v)
	} else {
		err = fmt.Errorf("bytes are a text, not %s", show(v))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	e.length(len(data), 4)
	e.b = append(e.b, data...)
	return nil
}

// length writes the length of a string or array, -1 for null; size is its width where versions are not flexible.
func (e *encoder) length(n, size int) {
	switch {
	case e.flexible:
		e.b = binary.AppendUvarint(e.b, uint64(n+1))
	case size == 2:
		e.b = binary.BigEndian.AppendUint16(e.b, uint16(n))
	default:
		e.b = binary.BigEndian.AppendUint32(e.b, uint32(n))
	}
}

// ZeroUUID is Kafka's text of the uuid that means none.
const ZeroUUID = "AAAAAAAAAAAAAAAAAAAAAA"

// ParseUUID reads Kafka's text of a uuid.
func ParseUUID(s string) (id [16]byte, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(raw) != 16 {
		return id, fmt.Errorf("%q is no uuid as Kafka writes them", s)
	}
	return [16]byte(raw), nil
}

// ParseBytes reads bytes from text: "hex:…" or as they stand. Between the digits 'text' may stand.
func ParseBytes(s string) ([]byte, error) {
	digits, ok := strings.CutPrefix(s, "hex:")
	if !ok {
		return []byte(s), nil
	}
	var all []byte
	for i, part := range strings.Split(digits, "'") {
		if i%2 == 1 {
			all = append(all, part...)
			continue
		}
		b, err := hex.DecodeString(strings.ReplaceAll(part, " ", ""))
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
	return all, nil
}

func show(v any) string {
	s := fmt.Sprintf("%v", v)
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return s
}
