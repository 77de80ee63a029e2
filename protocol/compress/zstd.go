package compress

import (
	"errors"

	"github.com/klauspost/compress/zstd"
)

const (
	zstdMaxWindow = 128 << 20
	zstdMaxOutput = 128 << 20 // the library's own cap; a smaller max is checked on what came out
	zstdLevels    = int(zstd.SpeedBestCompression) + 1
)

// unzstd appends what src decodes to. The output is the decoder's window, so memory follows what the data really
// holds: a size in the header is believed only as far as the input could decode to it. A frame without its size, as
// streaming writers such as Java's and librdkafka's make, decodes in one pass too.
func (cs *Codecs) unzstd(dst, src []byte, max int) ([]byte, error) {
	d, _ := cs.zstdR.Get().(*zstd.Decoder)
	if d == nil {
		var err error
		d, err = zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdMaxWindow),
			zstd.WithDecoderMaxMemory(zstdMaxOutput))
		if err != nil {
			return dst, err
		}
	}
	defer cs.zstdR.Put(d)
	out, err := d.DecodeAll(src, dst)
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), err == nil && len(out)-len(dst) > max:
		return dst, ErrTooLarge
	case err != nil:
		return dst, corrupt(Zstd, err)
	}
	return out, nil
}

func (cs *Codecs) zstd(dst []byte, level int, src []byte) ([]byte, error) {
	speed := zstd.SpeedDefault // Kafka's default, 3
	if level != 0 {
		speed = zstd.EncoderLevelFromZstd(level)
	}
	pool := &cs.zstdW[speed]
	e, _ := pool.Get().(*zstd.Encoder)
	if e == nil {
		var err error
		e, err = zstd.NewWriter(nil,
			zstd.WithEncoderConcurrency(1),
			zstd.WithLowerEncoderMem(true),
			zstd.WithEncoderCRC(false),
			zstd.WithEncoderLevel(speed))
		if err != nil {
			return dst, err
		}
	}
	defer pool.Put(e)
	return e.EncodeAll(src, dst), nil
}
