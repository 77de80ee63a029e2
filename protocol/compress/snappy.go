package compress

import (
	"encoding/binary"

	"github.com/klauspost/compress/s2"
)

// Xerial framing, which Java's snappy streams use: a header of 16 bytes, then blocks, each behind its length.
//
//	0x82 'S' 'N' 'A' 'P' 'P' 'Y' 0x00   version int32   lowest compatible version int32
//	length int32   raw snappy block       (repeated; all integers big endian)
//
// The header may come again between blocks, when streams were concatenated. Data without the header is one raw block,
// as several clients send.
const (
	xerialHeaderSize = 16
	xerialBlockSize  = 32 << 10
	xerialVersion    = 1

	// A copy element of 3 bytes yields at most 64; a block that promises more than this per byte cannot be whole.
	snappyMaxRatio = 64
)

var xerialMagic = [8]byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

func unsnappy(dst, src []byte, max int) ([]byte, error) {
	if !hasXerialMagic(src) {
		return unsnappyBlock(dst, src, max)
	}
	base := len(dst)
	for len(src) > 0 {
		if hasXerialMagic(src) {
			if v := int32(binary.BigEndian.Uint32(src[8:])); v < xerialVersion {
				return dst, corrupt(Snappy, "unknown version of the framing")
			}
			src = src[xerialHeaderSize:]
			continue
		}
		if len(src) < 4 {
			return dst, corrupt(Snappy, "data ends inside a block length")
		}
		n := int(int32(binary.BigEndian.Uint32(src)))
		src = src[4:]
		if n < 0 || n > len(src) {
			return dst, corrupt(Snappy, "block length beyond the data")
		}
		var err error
		if dst, err = unsnappyBlock(dst, src[:n], max-(len(dst)-base)); err != nil {
			return dst, err
		}
		src = src[n:]
	}
	return dst, nil
}

func hasXerialMagic(src []byte) bool {
	return len(src) >= xerialHeaderSize && [8]byte(src) == xerialMagic
}

func unsnappyBlock(dst, src []byte, room int) ([]byte, error) {
	n, err := s2.DecodedLen(src)
	if err != nil {
		return dst, corrupt(Snappy, err)
	}
	if n > snappyMaxRatio*len(src) {
		return dst, corrupt(Snappy, "block claims more than it can hold")
	}
	if n > room {
		return dst, ErrTooLarge
	}
	if !plainSnappy(src) {
		return dst, corrupt(Snappy, "block with a copy from offset 0")
	}
	dst = grow(dst, n)
	if _, err := s2.Decode(dst[len(dst):len(dst)+n], src); err != nil {
		return dst, corrupt(Snappy, err)
	}
	return dst[:len(dst)+n], nil
}

// plainSnappy says that no copy of the block has offset 0. That is damage in snappy, but an extension in s2, whose
// decoder is used here; Java could not read such a block. Everything else is left to the decoder.
func plainSnappy(src []byte) bool {
	_, at := binary.Uvarint(src)
	for at >= 0 && at < len(src) {
		tag := src[at]
		switch tag & 3 {
		case 0: // literal: its length less one in the tag, or in 1 to 4 bytes behind it
			n := int(tag >> 2)
			if extra := n - 59; extra > 0 {
				if extra > len(src)-at-1 {
					return true
				}
				n = 0
				for i := range extra {
					n |= int(src[at+1+i]) << (8 * i)
				}
				at += extra
			}
			at += n + 2
		case 1:
			if at+1 < len(src) && tag>>5 == 0 && src[at+1] == 0 {
				return false
			}
			at += 2
		case 2:
			if at+2 < len(src) && src[at+1]|src[at+2] == 0 {
				return false
			}
			at += 3
		case 3:
			if at+4 < len(src) && src[at+1]|src[at+2]|src[at+3]|src[at+4] == 0 {
				return false
			}
			at += 5
		}
	}
	return true
}

func snappy(dst, src []byte) []byte {
	dst = append(dst, xerialMagic[:]...)
	dst = binary.BigEndian.AppendUint32(dst, xerialVersion)
	dst = binary.BigEndian.AppendUint32(dst, xerialVersion)
	for len(src) > 0 {
		block := src[:min(len(src), xerialBlockSize)]
		src = src[len(block):]
		dst = grow(dst, 4+s2.MaxEncodedLen(len(block)))
		at := len(dst)
		out := s2.EncodeSnappy(dst[at+4:cap(dst)], block)
		binary.BigEndian.PutUint32(dst[at:at+4], uint32(len(out)))
		dst = dst[:at+4+len(out)]
	}
	return dst
}
