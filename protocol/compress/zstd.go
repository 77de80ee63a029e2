package compress

import (
	"errors"

	"github.com/klauspost/compress/zstd"
)

const (
	zstdMaxWindow = 128 << 20
	zstdLevels    = int(zstd.SpeedBestCompression) + 1

	// A block of at least 4 bytes stands for at most 128 KiB.
	zstdMaxRatio = 128 << 10 / 4
)

// unzstd decodes into dst up to a limit, and again with four times the limit when the data does not fit. The output is
// the decoder's window, so memory follows what the data really holds, whatever window or size its header names.
func (cs *Codecs) unzstd(dst, src []byte, max int) ([]byte, error) {
	d, _ := cs.zstdR.Get().(*zstd.Decoder)
	if d == nil {
		var err error
		d, err = zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdMaxWindow),
			zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return dst, err
		}
	}
	defer cs.zstdR.Put(d)
	base := len(dst)
	most := min(max, zstdMaxRatio*len(src)+1)
	limit := min(most, zstdFirstLimit(dst, src))
	for {
		dst = grow(dst, limit)
		out, err := d.DecodeAll(src, dst[:base:base+limit])
		switch {
		case err == nil:
			return out[:len(out):cap(out)], nil
		case !errors.Is(err, zstd.ErrDecoderSizeExceeded):
			return dst, corrupt(Zstd, err)
		case limit < most:
			limit = min(most, 4*limit)
		case most < max:
			return dst, corrupt(Zstd, err)
		default:
			return dst, ErrTooLarge
		}
	}
}

// zstdFirstLimit is the content size when the frame names it, else what dst has room for or a common ratio gives.
func zstdFirstLimit(dst, src []byte) int {
	var h zstd.Header
	if err := h.Decode(src); err == nil && h.HasFCS {
		return int(min(h.FrameContentSize, 1<<31)) + 1
	}
	return max(cap(dst)-len(dst), 4*len(src), 4<<10)
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
