package protocol

import (
	"math/rand/v2"
	"reflect"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// randomMessage fills a kmsg struct with random values: short strings, few elements, and null only
// where mayBeNull says so.
func randomMessage(rng *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[kmsg.Tags]() {
			if rng.IntN(6) == 0 {
				for range rng.IntN(3) {
					v.Addr().Interface().(*kmsg.Tags).Set(uint32(rng.IntN(1000)+100), make([]byte, rng.IntN(200)))
				}
			}
			return
		}
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Version" || v.Type().Field(i).Type.Kind() != reflect.Int16 || i != 0 {
				randomMessage(rng, v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		randomMessage(rng, v.Elem())
	case reflect.Slice:
		n := rng.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			randomMessage(rng, v.Index(i))
		}
	case reflect.String:
		v.SetString(strings.Repeat("x", rng.IntN(200)))
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Float64:
		v.SetFloat(rng.Float64())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(rng.Uint64() & 0xff)
	case reflect.Int8:
		v.SetInt(int64(rng.IntN(100)))
	default:
		v.SetInt(int64(rng.IntN(20000) - 10000))
	}
}

// randomBytes writes a random message along a walk program: what the table takes for well-formed.
func randomBytes(rng *rand.Rand, dst []byte, p *program) []byte {
	for _, o := range ops[p.first : p.first+p.count] {
		dst = randomOp(rng, dst, o)
	}
	return dst
}

func randomOp(rng *rand.Rand, dst []byte, o op) []byte {
	flex, null := o.code&flexible != 0, o.code&nullable != 0 && rng.IntN(4) == 0
	n := rng.IntN(4)
	switch o.code &^ (flexible | nullable) {
	case opFixed:
		for range o.arg {
			dst = append(dst, byte(rng.IntN(2))) // 0 or 1, so that booleans come back as they were
		}
	case opText:
		if null {
			return AppendNullableText(dst, nil, flex)
		}
		return AppendText(dst, strings.Repeat("y", rng.IntN(200)), flex)
	case opBytes:
		if null {
			return AppendNullableBytes(dst, nil, flex)
		}
		return AppendBytes(dst, make([]byte, rng.IntN(200)), flex)
	case opNumbers, opTexts, opStructs:
		if null {
			return AppendCount(dst, -1, flex)
		}
		dst = AppendCount(dst, n, flex)
		for range n {
			switch o.code &^ (flexible | nullable) {
			case opNumbers:
				dst = randomOp(rng, dst, op{opFixed, o.arg})
			case opTexts:
				dst = randomOp(rng, dst, op{opText | o.code&flexible, 0})
			default:
				dst = randomBytes(rng, dst, &programs[o.arg])
			}
		}
	case opStruct:
		return randomBytes(rng, dst, &programs[o.arg])
	case opMaybe:
		if rng.IntN(3) == 0 {
			return append(dst, 0xff)
		}
		return randomBytes(rng, append(dst, 1), &programs[o.arg])
	case opTags:
		known := tagLists[o.arg]
		dst = append(dst, byte(len(known)))
		for _, k := range known {
			dst = AppendUvarint(dst, uint32(k.tag))
			mark := len(dst)
			dst = InsertSize(randomOp(rng, dst, k.op), mark)
		}
	}
	return dst
}
