package compress

import "fmt"

// Codec is the compression of a record batch: the low three bits of its attributes.
type Codec int8

// The codecs Kafka assigned. Zstd came with KIP-110.
const (
	None   Codec = 0
	Gzip   Codec = 1
	Snappy Codec = 2
	LZ4    Codec = 3
	Zstd   Codec = 4
)

var codecNames = [...]string{None: "none", Gzip: "gzip", Snappy: "snappy", LZ4: "lz4", Zstd: "zstd"}

// String gives Kafka's name, as in compression.type.
func (c Codec) String() string {
	if c.Valid() {
		return codecNames[c]
	}
	return fmt.Sprintf("codec(%d)", int8(c))
}

// Valid says whether Kafka has assigned this id.
func (c Codec) Valid() bool { return c >= None && c <= Zstd }

// ParseCodec finds a codec by Kafka's name. "uncompressed" is the topic setting's word for none.
func ParseCodec(name string) (Codec, bool) {
	if name == "uncompressed" {
		return None, true
	}
	for c, n := range codecNames {
		if n == name {
			return Codec(c), true
		}
	}
	return None, false
}
