package compress

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	// DefaultMax is the cap on what one batch may become when decompressed, in bytes.
	DefaultMax = 128 << 20

	// smallMax bounds what may be decompressed without asking for one of the large slots, and what a pooled
	// scratch buffer may keep.
	smallMax = 4 << 20
)

// ErrTooLarge says that the decompressed data is larger than the cap. It is not damage.
var ErrTooLarge = errors.New("compress: decompressed data is larger than the limit")

// Codecs holds the pools of coders and buffers. Make it with NewCodecs; do not copy it. Safe for concurrent use.
type Codecs struct {
	gzipR   sync.Pool             // *gzipReader
	gzipW   [10]sync.Pool         // *gzip.Writer by level; 0 is the default level
	lz4W    sync.Pool             // *lz4.Compressor
	lz4HC   [10]sync.Pool         // *lz4.CompressorHC by level 1-9
	zstdR   sync.Pool             // *zstd.Decoder
	zstdW   [zstdLevels]sync.Pool // *zstd.Encoder by speed
	scratch sync.Pool             // *Scratch
	large   chan struct{}
}

// NewCodecs makes an empty set of pools.
func NewCodecs() *Codecs {
	return &Codecs{large: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// Decompress appends the decompressed src to dst. At most max bytes are added (max <= 0: DefaultMax), else the error is
// ErrTooLarge. Damage gives kerr.CorruptMessage, an unknown codec kerr.UnsupportedCompressionType, wrapped.
// With an error, the returned slice is dst with its old length.
func (cs *Codecs) Decompress(dst []byte, c Codec, src []byte, max int) ([]byte, error) {
	if max <= 0 {
		max = DefaultMax
	}
	var out []byte
	var err error
	switch c {
	case None:
		if len(src) > max {
			return dst, ErrTooLarge
		}
		return append(dst, src...), nil
	case Gzip:
		out, err = cs.gunzip(dst, src, max)
	case Snappy:
		out, err = unsnappy(dst, src, max)
	case LZ4:
		out, err = unlz4(dst, src, max)
	case Zstd:
		out, err = cs.unzstd(dst, src, max)
	default:
		return dst, errUnknown(c)
	}
	if err != nil {
		return dst[:len(dst):cap(dst)], err
	}
	return out, nil
}

// Compress appends the compressed src to dst, framed as Kafka's Java client does. level is in the codec's own scale
// (gzip 1-9, lz4 1-17, zstd -131072..22); 0 and gzip's -1 are the codec's default; values beyond are clamped.
func (cs *Codecs) Compress(dst []byte, c Codec, level int, src []byte) ([]byte, error) {
	switch c {
	case None:
		return append(dst, src...), nil
	case Gzip:
		return cs.gzip(dst, level, src)
	case Snappy:
		return snappy(dst, src), nil
	case LZ4:
		return cs.lz4(dst, level, src)
	case Zstd:
		return cs.zstd(dst, level, src)
	}
	return dst, errUnknown(c)
}

// Scratch is decompressed data in a pooled buffer.
type Scratch struct {
	cs  *Codecs
	buf []byte
}

// Borrow decompresses src into a pooled buffer; Release gives it back. Errors are those of Decompress.
// Outputs above 4 MiB wait for one of as many slots as there are cores, so that many connections with bombs cost
// no more memory than a few. A holder must not borrow a second time, and must release soon.
func (cs *Codecs) Borrow(c Codec, src []byte, max int) (*Scratch, error) {
	if max <= 0 {
		max = DefaultMax
	}
	s, _ := cs.scratch.Get().(*Scratch)
	if s == nil {
		s = &Scratch{cs: cs}
	}
	var err error
	s.buf, err = cs.Decompress(s.buf[:0], c, src, min(max, smallMax))
	if err != nil && max > smallMax && errors.Is(err, ErrTooLarge) {
		cs.large <- struct{}{}
		s.buf, err = cs.Decompress(nil, c, src, max)
		if err != nil || len(s.buf) <= smallMax {
			<-cs.large
		}
	}
	if err != nil {
		s.put()
		return nil, err
	}
	return s, nil
}

// Bytes is the decompressed data, valid until Release.
func (s *Scratch) Bytes() []byte { return s.buf }

// Release gives the buffer back. Call it once.
func (s *Scratch) Release() {
	large := len(s.buf) > smallMax
	s.put()
	if large {
		<-s.cs.large
	}
}

func (s *Scratch) put() {
	s.buf = s.buf[:0]
	if cap(s.buf) > 2*smallMax { // growing may overshoot the small cap
		s.buf = nil
	}
	s.cs.scratch.Put(s)
}

func errUnknown(c Codec) error {
	return fmt.Errorf("compression type id %d: %w", int8(c), kerr.UnsupportedCompressionType)
}

// corrupt wraps damage found by a decoder. The decoder's own error is text only: it may be io.EOF.
func corrupt(c Codec, cause any) error {
	return fmt.Errorf("%v: %v: %w", c, cause, kerr.CorruptMessage)
}

// grow makes room for n more bytes. It doubles, so that the cost follows what was written.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	return slices.Grow(dst, max(n, min(2*len(dst), len(dst)+smallMax)))
}
