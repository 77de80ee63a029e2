package protocol

import (
	"encoding/binary"
	"fmt"
)

// A walker goes over one message body along its program, without allocating. It refuses what no
// well-formed message holds and adds up what kmsg's decoder will allocate for the rest.
//
// Cost: at most 4 steps for a byte of input. Every element takes at least a byte (its program's min
// is checked against what is left before the first one), every op of a program too, since fields of
// fixed width are merged.
type walker struct {
	b     []byte
	pos   int
	alloc int64 // bytes that decoding will allocate, an upper bound close to the truth
	steps int
	fault fault
	at    int // where the fault is
}

// A fault is why a walk ended early; a number, so that refusing costs nothing until it is printed.
type fault uint8

const (
	faultNone fault = iota
	faultShort
	faultVarint
	faultNull
	faultNegative
	faultLong
	faultCount
	faultTagCount
	faultTagOrder
	faultTagSize
	faultTagRest
)

var faults = [...]string{"", "ends too early", "varint too long", "null where none is allowed", "negative length",
	"string above 32767 bytes", "array count beyond what is left or the limit", "too many tagged fields", "tags not ascending",
	"tagged field too large", "tagged field not read to its end"}

// What kmsg allocates for tags it does not know: a map, and room in it for each.
const (
	tagMapBytes   = 512
	tagEntryBytes = 192
)

// walk runs a program over b; it returns the bytes of b that belong to the message.
func (w *walker) walk(p uint16) (used int, err error) {
	w.alloc += allocated(int64(programs[p].size))
	if !w.run(&programs[p]) {
		return 0, fmt.Errorf("%w: %s at byte %d of %d", ErrMalformed, faults[w.fault], w.at, len(w.b))
	}
	return w.pos, nil
}

func (w *walker) fail(f fault) bool {
	if w.fault == faultNone {
		w.fault, w.at = f, w.pos
	}
	return false
}

// allocated is what Go's allocator takes for n bytes at most: the next size class, or whole pages.
func allocated(n int64) int64 {
	switch {
	case n == 0:
		return 0
	case n <= 32<<10:
		return n + n/8 + 16
	}
	return (n + 8191) &^ 8191
}

func (w *walker) run(p *program) bool {
	list := ops[p.first : int(p.first)+int(p.count)]
	for i := range list {
		if !w.step(list[i]) {
			return false
		}
	}
	return true
}

func (w *walker) step(o op) bool {
	w.steps++
	switch o.code &^ (flexible | nullable) {
	case opFixed:
		return w.skip(int(o.arg))
	case opText:
		n, ok := w.length(o.code, false)
		if !ok || n < 0 {
			return ok
		}
		return w.text(n, o.code&nullable != 0)
	case opBytes:
		n, ok := w.length(o.code, true)
		if !ok || n < 0 {
			return ok
		}
		return w.skip(n)
	case opNumbers:
		n, ok := w.count(o.code, int(o.arg))
		if !ok || n <= 0 {
			return ok
		}
		w.alloc += allocated(int64(n) * int64(o.arg))
		return w.skip(n * int(o.arg))
	case opTexts:
		return w.texts(o.code)
	case opStructs:
		p := &programs[o.arg]
		n, ok := w.count(o.code, int(p.min))
		if !ok || n <= 0 {
			return ok
		}
		w.alloc += allocated(int64(n) * int64(p.size))
		w.steps += n
		for ; n > 0; n-- {
			if !w.run(p) {
				return false
			}
		}
		return true
	case opStruct:
		return w.run(&programs[o.arg])
	case opMaybe:
		if !w.skip(1) {
			return false
		}
		if mark := int8(w.b[w.pos-1]); mark == -1 {
			return true
		} else if mark < 0 { // null to Kafka, present to kmsg
			return w.fail(faultNegative)
		}
		w.alloc += allocated(int64(programs[o.arg].size))
		return w.run(&programs[o.arg])
	}
	return w.tags(tagLists[o.arg])
}

func (w *walker) skip(n int) bool {
	if n > len(w.b)-w.pos {
		return w.fail(faultShort)
	}
	w.pos += n
	return true
}

// text passes over a string's bytes; pointer says that kmsg holds a pointer to it.
func (w *walker) text(n int, pointer bool) bool {
	if n > MaxStringBytes {
		return w.fail(faultLong)
	}
	w.alloc += allocated(int64(n))
	if pointer {
		w.alloc += 16
	}
	return w.skip(n)
}

func (w *walker) texts(code opcode) bool {
	least := 2
	if code&flexible != 0 {
		least = 1
	}
	n, ok := w.count(code, least)
	if !ok || n <= 0 {
		return ok
	}
	w.alloc += allocated(int64(n) * 16)
	w.steps += n
	for ; n > 0; n-- {
		size, ok := w.length(code&^nullable, false)
		if !ok || !w.text(size, false) {
			return false
		}
	}
	return true
}

// length reads a length prefix; -1 is null.
func (w *walker) length(code opcode, wide bool) (int, bool) {
	n := 0
	switch {
	case code&flexible != 0:
		u, ok := w.uvarint()
		if !ok {
			return 0, false
		}
		n = int(u) - 1
	case wide:
		if !w.skip(4) {
			return 0, false
		}
		n = int(int32(binary.BigEndian.Uint32(w.b[w.pos-4:])))
	default:
		if !w.skip(2) {
			return 0, false
		}
		n = int(int16(binary.BigEndian.Uint16(w.b[w.pos-2:])))
	}
	if n < 0 {
		if n < -1 {
			return n, w.fail(faultNegative)
		}
		if code&nullable == 0 {
			return n, w.fail(faultNull)
		}
	}
	return n, true
}

// count reads an array's count and checks it against what is left.
func (w *walker) count(code opcode, least int) (int, bool) {
	n, ok := w.length(code, true)
	if ok && n > 0 && (n > MaxArrayCount || n > (len(w.b)-w.pos)/max(least, 1)) {
		return n, w.fail(faultCount)
	}
	return n, ok
}

func (w *walker) uvarint() (uint32, bool) {
	if w.pos < len(w.b) && w.b[w.pos] < 0x80 {
		w.pos++
		return uint32(w.b[w.pos-1]), true
	}
	v, n := Uvarint(w.b[w.pos:])
	switch {
	case n < 0:
		return 0, w.fail(faultVarint)
	case n == 0:
		return 0, w.fail(faultShort)
	}
	w.pos += n
	return v, true
}

// tags walks a tag section. known is ascending, and so must be what is read.
func (w *walker) tags(known []tagged) bool {
	count, ok := w.uvarint()
	if !ok || count == 0 {
		return ok
	}
	if count > MaxTagCount || int(count) > (len(w.b)-w.pos)/2 {
		return w.fail(faultTagCount)
	}
	w.steps += int(count)
	unknown := int64(0)
	for last := int64(-1); count > 0; count-- {
		tag, ok := w.uvarint()
		if !ok {
			return false
		}
		if int64(tag) <= last {
			return w.fail(faultTagOrder)
		}
		last = int64(tag)
		size, ok := w.uvarint()
		if !ok {
			return false
		}
		if size > MaxTagBytes || int(size) > len(w.b)-w.pos {
			return w.fail(faultTagSize)
		}
		for len(known) > 0 && uint32(known[0].tag) < tag {
			known = known[1:]
		}
		if len(known) == 0 || uint32(known[0].tag) != tag {
			unknown++
			w.pos += int(size)
			continue
		}
		whole, end := w.b, w.pos+int(size)
		w.b = whole[:end]
		if !w.step(known[0].op) {
			return false
		}
		if w.pos != end {
			return w.fail(faultTagRest)
		}
		w.b = whole
	}
	if unknown > 0 {
		w.alloc += tagMapBytes + unknown*tagEntryBytes
	}
	return true
}

// programOf is the walk of a request or response; false for a key or version that Kafka 4.4 does not serve.
func programOf(key, version int16, response bool) (uint16, bool) {
	a := apiOf(key)
	if a == nil || version < a.Min || version > a.Max {
		return 0, false
	}
	i := int(version - a.Min)
	if response {
		i += int(a.Max-a.Min) + 1
	}
	return a.walks[i], true
}
