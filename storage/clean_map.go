package storage

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// offsetMap knows the last offset of each key in the dirty part of a log. Of a key it keeps 128 bits of its SHA-256:
// a weak hash would let two keys meet and lose one of them (AutoMQ/automq#3056). Its memory is bounded: when it is full
// the pass ends there.
type offsetMap struct {
	slots  []mapSlot
	used   int
	most   int   // keys that it takes
	latest int64 // every record up to here was looked at, -1 none
}

type mapSlot struct {
	hash [2]uint64
	next int64 // offset + 1; 0: free
}

const slotSize = 24

// reset empties the map and gives it room for at most want keys, as far as slots reach.
func (m *offsetMap) reset(slots int, load float64, want int64) {
	m.most = int(float64(slots) * load)
	if fits := int64(m.most); want < fits {
		m.most = int(want)
		slots = min(slots, int(float64(want)/max(load, 0.01))+2)
	}
	if slots > cap(m.slots) {
		m.slots = make([]mapSlot, slots)
	} else {
		m.slots = m.slots[:max(slots, 1)]
		clear(m.slots)
	}
	m.used, m.latest = 0, -1
}

func hashKey(key []byte) [2]uint64 {
	sum := sha256.Sum256(key)
	return [2]uint64{binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])}
}

// find is the key's slot, or the free one where it belongs.
func (m *offsetMap) find(h [2]uint64) *mapSlot {
	hi, _ := bits.Mul64(h[0], uint64(len(m.slots)))
	for i := int(hi); ; {
		s := &m.slots[i]
		if s.next == 0 || s.hash == h {
			return s
		}
		if i++; i == len(m.slots) {
			i = 0
		}
	}
}

// put notes an offset, which is larger than all before; false when the map is full.
func (m *offsetMap) put(key []byte, offset int64) bool {
	if m.used >= m.most {
		return false
	}
	h := hashKey(key)
	s := m.find(h)
	if s.next == 0 {
		s.hash = h
		m.used++
	}
	s.next = offset + 1
	return true
}

// get is the last offset of a key, -1 when it is not in the dirty part.
func (m *offsetMap) get(key []byte) int64 {
	if m.used == 0 {
		return -1
	}
	return m.find(hashKey(key)).next - 1
}
