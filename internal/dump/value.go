package dump

import (
	"bytes"
	"math"
	"reflect"
	"strconv"

	"github.com/dohle-io/dohle/protocol"
)

// message is a metadata record or a control record of the quorum: a struct that can be written in several versions.
type message interface {
	AppendTo(dst []byte, version int16) []byte
}

// fieldKey names a field of a message in one of its versions.
type fieldKey struct {
	of      reflect.Type
	index   int
	version int16
}

// fieldFact is what the schema says of it. The structs do not carry that, but their encoders know: a field that a
// version lacks can change without changing the bytes, and so can a list that cannot be null from nil to empty. Facts
// are found once per field and kept, so they cost a fixed number of encodings.
type fieldFact struct {
	present  bool
	nullable bool
}

// messageWriter gives one message as JSON with the schema's names and only the fields its version has. As in Kafka's own
// converters bytes are in base64, and numbers that JSON does not know are texts.
type messageWriter struct {
	root    message
	version int16
	known   map[fieldKey]fieldFact
}

// appendMessage appends m, a pointer to a generated struct, which must have been read in that version.
func (d *dumper) appendMessage(dst []byte, m message, version int16) []byte {
	w := messageWriter{root: m, version: version, known: d.known}
	return w.object(dst, reflect.ValueOf(m).Elem())
}

func (w *messageWriter) object(dst []byte, v reflect.Value) []byte {
	dst = append(dst, '{')
	first := true
	for i := range v.NumField() {
		fact := w.fact(v, i)
		if !fact.present {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = strconv.AppendQuote(dst, v.Type().Field(i).Tag.Get("json"))
		dst = append(dst, ':')
		dst = w.value(dst, v.Field(i), fact.nullable)
	}
	return append(dst, '}')
}

func (w *messageWriter) value(dst []byte, v reflect.Value, nullable bool) []byte {
	switch v.Kind() {
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10)
	case reflect.Uint16, reflect.Uint32:
		return strconv.AppendUint(dst, v.Uint(), 10)
	case reflect.Float64:
		return appendFloat(dst, v.Float())
	case reflect.String:
		return appendJSONText(dst, v.String())
	case reflect.Array: // the only one is the id
		return appendJSONText(dst, v.Interface().(protocol.UUID).String())
	case reflect.Struct:
		return w.object(dst, v)
	case reflect.Pointer:
		if v.IsNil() {
			return append(dst, "null"...)
		}
		return w.value(dst, v.Elem(), false)
	case reflect.Slice:
		if v.IsNil() && nullable {
			return append(dst, "null"...)
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return appendBase64(dst, v.Bytes())
		}
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = w.value(dst, v.Index(i), false)
		}
		return append(dst, ']')
	default:
		panic("dump: a message has a field of kind " + v.Kind().String()) // the generator makes no other
	}
}

func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	default:
		return strconv.AppendFloat(dst, f, 'g', -1, 64)
	}
}

func (w *messageWriter) fact(v reflect.Value, i int) fieldFact {
	key := fieldKey{v.Type(), i, w.version}
	if fact, ok := w.known[key]; ok {
		return fact
	}
	f := v.Field(i)
	old := reflect.New(f.Type()).Elem()
	old.Set(f)
	was := w.root.AppendTo(nil, w.version)
	disturb(f)
	fact := fieldFact{present: !bytes.Equal(was, w.root.AppendTo(nil, w.version))}
	if f.Kind() == reflect.Slice {
		f.SetZero()
		null := w.root.AppendTo(nil, w.version)
		f.Set(reflect.MakeSlice(f.Type(), 0, 0))
		fact.nullable = !bytes.Equal(null, w.root.AppendTo(nil, w.version))
	}
	f.Set(old)
	w.known[key] = fact
	return fact
}

// disturb gives a field another value.
func disturb(f reflect.Value) {
	switch f.Kind() {
	case reflect.Bool:
		f.SetBool(!f.Bool())
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		f.SetInt(f.Int() ^ 1)
	case reflect.Uint16, reflect.Uint32:
		f.SetUint(f.Uint() ^ 1)
	case reflect.Float64:
		if f.Float() == 1 {
			f.SetFloat(2)
		} else {
			f.SetFloat(1)
		}
	case reflect.String:
		if f.Len() == 0 {
			f.SetString("x")
		} else {
			f.SetString("")
		}
	case reflect.Array:
		id := f.Interface().(protocol.UUID)
		id[0] ^= 1
		f.Set(reflect.ValueOf(id))
	case reflect.Struct:
		for i := range f.NumField() {
			disturb(f.Field(i)) // all: a version may lack some
		}
	case reflect.Pointer:
		if f.IsNil() {
			f.Set(reflect.New(f.Type().Elem()))
		} else {
			f.SetZero()
		}
	case reflect.Slice:
		if f.Len() > 0 {
			f.Set(f.Slice(0, f.Len()-1))
		} else {
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		}
	}
}
