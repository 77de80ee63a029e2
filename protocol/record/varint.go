package record

// Varints are zig-zag and at most 5 bytes (int32) or 10 bytes (int64), as in Kafka's records; overlong forms are
// accepted. A failed read gives position -1, and reading on from -1 fails again, so callers may check once.

// varint reads an int32 at position at and gives the position after it.
func varint(b []byte, at int) (int32, int) {
	if uint(at) < uint(len(b)) && b[at] < 0x80 {
		v := b[at]
		return int32(v>>1) ^ -int32(v&1), at + 1
	}
	return varintSlow(b, at)
}

func varintSlow(b []byte, at int) (int32, int) {
	if uint(at) >= uint(len(b)) {
		return 0, -1
	}
	var u uint32
	for i, c := range b[at:min(len(b), at+5)] {
		u |= uint32(c&0x7f) << (7 * i)
		if c < 0x80 {
			return int32(u>>1) ^ -int32(u&1), at + i + 1
		}
	}
	return 0, -1
}

// varlong reads an int64 at position at and gives the position after it.
func varlong(b []byte, at int) (int64, int) {
	if uint(at) < uint(len(b)) && b[at] < 0x80 {
		v := b[at]
		return int64(v>>1) ^ -int64(v&1), at + 1
	}
	return varlongSlow(b, at)
}

func varlongSlow(b []byte, at int) (int64, int) {
	if uint(at) >= uint(len(b)) {
		return 0, -1
	}
	var u uint64
	for i, c := range b[at:min(len(b), at+10)] {
		u |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return int64(u>>1) ^ -int64(u&1), at + i + 1
		}
	}
	return 0, -1
}

func appendVarint(dst []byte, v int32) []byte {
	return appendUvarint(dst, uint64(uint32(v<<1)^uint32(v>>31)))
}

func appendVarlong(dst []byte, v int64) []byte {
	return appendUvarint(dst, uint64(v<<1)^uint64(v>>63))
}

func appendUvarint(dst []byte, u uint64) []byte {
	for u >= 0x80 {
		dst = append(dst, byte(u)|0x80)
		u >>= 7
	}
	return append(dst, byte(u))
}

func sizeVarint(v int32) int { return sizeUvarint(uint64(uint32(v<<1) ^ uint32(v>>31))) }

func sizeVarlong(v int64) int { return sizeUvarint(uint64(v<<1) ^ uint64(v>>63)) }

func sizeUvarint(u uint64) int {
	n := 1
	for ; u >= 0x80; u >>= 7 {
		n++
	}
	return n
}
