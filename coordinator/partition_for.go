package coordinator

import "unicode/utf16"

// PartitionFor is the partition of an internal topic that a key belongs to: the absolute value of its hash, the
// smallest int32 counting as 0, modulo the number of partitions (quirk Q13).
func PartitionFor(key string, partitions int32) int32 {
	if partitions <= 0 {
		return 0
	}
	hash := JavaHash(key)
	if hash < 0 {
		hash = max(-hash, 0) // the smallest int32 has no positive twin
	}
	return hash % partitions
}

// JavaHash is Java's String.hashCode.
func JavaHash(s string) int32 {
	var hash int32
	for _, r := range s {
		if r < 0x10000 {
			hash = 31*hash + r
			continue
		}
		high, low := utf16.EncodeRune(r)
		hash = 31*(31*hash+high) + low
	}
	return hash
}
