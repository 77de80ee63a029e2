package server

import (
	"math/bits"
	"sync"
)

// Buffers are pooled by power of two from 512 B to 128 MiB. The pools hold bytes only, so they may live in
// a package variable: nothing in them belongs to a synctest bubble.

const (
	minBufferBits = 9
	maxBufferBits = 27
)

// bufferPools[i] holds *[]byte of capacity 1<<(minBufferBits+i).
var bufferPools [maxBufferBits - minBufferBits + 1]sync.Pool

// buffer is a pooled slice. The box travels with the bytes so that giving them back allocates nothing.
type buffer struct {
	b   []byte
	box *[]byte
}

// getBuffer returns a buffer with len(b) = n; its content is arbitrary. The capacity is the next power of two.
func getBuffer(n int) buffer {
	class := classOf(n)
	if class < 0 {
		return buffer{b: make([]byte, n)}
	}
	if box, ok := bufferPools[class].Get().(*[]byte); ok {
		return buffer{b: (*box)[:n], box: box}
	}
	b := make([]byte, 1<<(minBufferBits+class))
	return buffer{b: b[:n], box: &b}
}

// put gives the buffer back and forgets it. The zero buffer is fine.
func (u *buffer) put() {
	if u.box != nil {
		if class := classOf(cap(*u.box)); class >= 0 {
			bufferPools[class].Put(u.box)
		}
	}
	*u = buffer{}
}

// classOf returns the pool for n bytes, -1 when n is beyond the largest.
func classOf(n int) int {
	if n <= 1<<minBufferBits {
		return 0
	}
	class := bits.Len(uint(n-1)) - minBufferBits
	if class >= len(bufferPools) {
		return -1
	}
	return class
}
