package compress

import (
	"encoding/binary"

	"github.com/pierrec/lz4/v4"
)

// The lz4 frame, as far as Kafka's reader goes: independent blocks only, no dictionary, block maximum 64 KiB to 4 MiB,
// header checksum and block checksums verified, content size and content checksum skipped, nothing read after the end
// mark. Integers are little endian.
//
//	magic int32   FLG   BD   [content size int64]   header checksum
//	block size int32 (top bit: stored as is)   data   [checksum]     (repeated; size 0 is the end mark)
//	[content checksum int32]
const (
	lz4Magic      = 0x184D2204
	lz4Stored     = 1 << 31
	lz4BlockSize  = 64 << 10
	lz4MaxRatio   = 256 // one byte of a match length stands for at most 255
	lz4FlgVersion = 0xC0
	lz4FlgIndep   = 0x20
	lz4FlgBlock   = 0x10
	lz4FlgSize    = 0x08
	lz4FlgContent = 0x04
	lz4FlgOther   = 0x03
)

// lz4Header is what Kafka's writer puts first: version 1, independent blocks of 64 KiB, no checksums.
var lz4Header = [7]byte{0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82}

func unlz4(dst, src []byte, max int) ([]byte, error) {
	maxBlock, flg, src, err := lz4FrameHeader(src)
	if err != nil {
		return dst, err
	}
	base := len(dst)
	for {
		if len(src) < 4 {
			return dst, corrupt(LZ4, "data ends before the end mark")
		}
		size := binary.LittleEndian.Uint32(src)
		src = src[4:]
		stored := size&lz4Stored != 0
		n := int(size &^ lz4Stored)
		if n == 0 {
			if flg&lz4FlgContent != 0 && len(src) < 4 {
				return dst, corrupt(LZ4, "data ends before the content checksum")
			}
			return dst, nil
		}
		if n > maxBlock || n > len(src) {
			return dst, corrupt(LZ4, "block size beyond the limit or the data")
		}
		block := src[:n]
		src = src[n:]
		if stored {
			if n > max-(len(dst)-base) {
				return dst, ErrTooLarge
			}
			dst = append(grow(dst, n), block...)
		} else {
			dst = grow(dst, min(maxBlock, lz4MaxRatio*n))
			out, err := lz4.UncompressBlock(block, dst[len(dst):min(cap(dst), len(dst)+maxBlock)])
			if err != nil {
				return dst, corrupt(LZ4, err)
			}
			dst = dst[:len(dst)+out]
			if len(dst)-base > max {
				return dst, ErrTooLarge
			}
		}
		if flg&lz4FlgBlock != 0 {
			if len(src) < 4 || binary.LittleEndian.Uint32(src) != xxh32(block) {
				return dst, corrupt(LZ4, "block checksum does not fit")
			}
			src = src[4:]
		}
	}
}

func lz4FrameHeader(src []byte) (maxBlock int, flg byte, rest []byte, err error) {
	if len(src) < len(lz4Header) || binary.LittleEndian.Uint32(src) != lz4Magic {
		return 0, 0, src, corrupt(LZ4, "not a frame")
	}
	flg, bd := src[4], src[5]
	if flg&lz4FlgVersion != 0x40 || flg&lz4FlgOther != 0 || flg&lz4FlgIndep == 0 || bd&0x8f != 0 || bd>>4 < 4 {
		return 0, 0, src, corrupt(LZ4, "frame with features that Kafka does not read")
	}
	end := 6
	if flg&lz4FlgSize != 0 {
		end += 8
	}
	if len(src) <= end || src[end] != byte(xxh32(src[4:end])>>8) {
		return 0, 0, src, corrupt(LZ4, "header checksum does not fit")
	}
	return 1 << (8 + 2*(bd>>4)), flg, src[end+1:], nil
}

// lz4 uses the fast compressor at Kafka's default level 9, as Java does, and the slow one at every other level.
func (cs *Codecs) lz4(dst []byte, level int, src []byte) ([]byte, error) {
	compress := cs.lz4Fast
	if level != 0 && level != 9 {
		depth := min(max(level, 1), 9)
		compress = func(block, out []byte) (int, error) { return cs.lz4Slow(depth, block, out) }
	}
	dst = append(dst, lz4Header[:]...)
	for len(src) > 0 {
		block := src[:min(len(src), lz4BlockSize)]
		src = src[len(block):]
		dst = grow(dst, 4+lz4.CompressBlockBound(len(block)))
		at := len(dst)
		n, err := compress(block, dst[at+4:cap(dst)])
		if err != nil {
			return dst, err
		}
		size := uint32(n)
		if n == 0 || n >= len(block) { // it did not get smaller
			n = copy(dst[at+4:cap(dst)], block)
			size = uint32(n) | lz4Stored
		}
		binary.LittleEndian.PutUint32(dst[at:at+4], size)
		dst = dst[:at+4+n]
	}
	return binary.LittleEndian.AppendUint32(dst, 0), nil
}

func (cs *Codecs) lz4Fast(block, out []byte) (int, error) {
	z, _ := cs.lz4W.Get().(*lz4.Compressor)
	if z == nil {
		z = new(lz4.Compressor)
	}
	defer cs.lz4W.Put(z)
	return z.CompressBlock(block, out)
}

func (cs *Codecs) lz4Slow(depth int, block, out []byte) (int, error) {
	z, _ := cs.lz4HC[depth].Get().(*lz4.CompressorHC)
	if z == nil {
		z = &lz4.CompressorHC{Level: 1 << (8 + depth)}
	}
	defer cs.lz4HC[depth].Put(z)
	return z.CompressBlock(block, out)
}
