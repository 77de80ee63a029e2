package compress

import (
	"encoding/binary"
	"math/bits"
)

// The primes of XXH32.
const (
	xxhP1 = 2654435761
	xxhP2 = 2246822519
	xxhP3 = 3266489917
	xxhP4 = 668265263
	xxhP5 = 374761393
)

// xxh32 is the checksum of lz4 frames: XXH32 with seed 0.
func xxh32(b []byte) uint32 {
	total := uint32(len(b))
	h := uint32(xxhP5)
	if len(b) >= 16 {
		lane := [4]uint32{0, 0, 0, 0}
		p1, p2 := uint32(xxhP1), uint32(xxhP2)
		lane[0], lane[1], lane[3] = p1+p2, p2, -p1
		for ; len(b) >= 16; b = b[16:] {
			for i := range lane {
				lane[i] = bits.RotateLeft32(lane[i]+binary.LittleEndian.Uint32(b[4*i:])*xxhP2, 13) * xxhP1
			}
		}
		h = bits.RotateLeft32(lane[0], 1) + bits.RotateLeft32(lane[1], 7) +
			bits.RotateLeft32(lane[2], 12) + bits.RotateLeft32(lane[3], 18)
	}
	h += total
	for ; len(b) >= 4; b = b[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(b)*xxhP3, 17) * xxhP4
	}
	for _, c := range b {
		h = bits.RotateLeft32(h+uint32(c)*xxhP5, 11) * xxhP1
	}
	h = (h ^ h>>15) * xxhP2
	h = (h ^ h>>13) * xxhP3
	return h ^ h>>16
}
