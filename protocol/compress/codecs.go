package compress

import (
	"errors"
)

// DefaultMax is the cap on what one batch may become when decompressed, in bytes.
const DefaultMax = 128 << 20

// ErrTooLarge says that the decompressed data is larger than the cap. It is not damage.
var ErrTooLarge = errors.New("compress: decompressed data is larger than the limit")

// Codecs holds pools of coders.
type Codecs struct{}

// NewCodecs makes an empty set of pools.
func NewCodecs() *Codecs { return &Codecs{} }

// Decompress appends the decompressed src to dst; at most max bytes are added (<= 0: DefaultMax).
func (cs *Codecs) Decompress(dst []byte, c Codec, src []byte, max int) ([]byte, error) {
	return append(dst, src...), nil
}

// Compress appends the compressed src to dst.
func (cs *Codecs) Compress(dst []byte, c Codec, level int, src []byte) ([]byte, error) {
	return append(dst, src...), nil
}
