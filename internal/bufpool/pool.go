// Package bufpool lends byte buffers, pooled by power of two from 512 B to 128 MiB.
//
// Who calls it: broker/server and broker/peer, for frames and answers. A buffer belongs to who got it until
// Put; nothing may alias it afterwards. The pools hold bytes only, never channels or timers, so they may
// live in a package variable: nothing in them belongs to a synctest bubble. Larger buffers are made and
// left to the collector. No goroutines, no locks but sync.Pool's own.
package bufpool

import (
	"math/bits"
	"sync"
)

const (
	minBits = 9
	maxBits = 27
)

// pools[i] holds *[]byte of capacity 1<<(minBits+i).
var pools [maxBits - minBits + 1]sync.Pool

// Buffer is a pooled slice. The box travels with the bytes so that giving them back allocates nothing. The
// zero Buffer is empty and may be put.
type Buffer struct {
	B   []byte
	box *[]byte
}

// Get returns a buffer with len(B) = n and arbitrary content; its capacity is the next power of two.
func Get(n int) Buffer {
	class := classOf(n)
	if class < 0 {
		return Buffer{B: make([]byte, n)}
	}
	if box, ok := pools[class].Get().(*[]byte); ok {
		return Buffer{B: (*box)[:n], box: box}
	}
	b := make([]byte, 1<<(minBits+class))
	return Buffer{B: b[:n], box: &b}
}

// Put gives the buffer back and forgets it. When B was replaced by a longer slice (an append that grew it),
// that one is pooled if its capacity is a class of its own and at most keep bytes.
func (u *Buffer) Put(keep int) {
	switch c := cap(u.B); {
	case c == 0 || c&(c-1) != 0 || c < 1<<minBits || c > keep || c > 1<<maxBits:
	case u.box != nil && cap(*u.box) == c:
		pools[classOf(c)].Put(u.box)
	default:
		whole := u.B[:c]
		pools[classOf(c)].Put(&whole)
	}
	*u = Buffer{}
}

// Free is Put without a bound of its own.
func (u *Buffer) Free() { u.Put(1 << maxBits) }

// Pooled reports whether the buffer holds anything that came from Get.
func (u *Buffer) Pooled() bool { return u.box != nil }

// classOf returns the pool for n bytes, -1 when n is beyond the largest.
func classOf(n int) int {
	if n <= 1<<minBits {
		return 0
	}
	class := bits.Len(uint(n-1)) - minBits
	if class >= len(pools) {
		return -1
	}
	return class
}
