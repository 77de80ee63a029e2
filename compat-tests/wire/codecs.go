package wire

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codecs are the names of Kafka's codecs, by id.
var Codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

func codecID(name string) int { return slices.Index(Codecs, name) }

// maxPlain bounds what a batch may be after decompression.
const maxPlain = 64 << 20

func compress(codec int, b []byte) ([]byte, error) {
	var out bytes.Buffer
	var w io.WriteCloser
	switch codec {
	case 0:
		return b, nil
	case 1:
		w = gzip.NewWriter(&out)
	case 2:
		return s2.EncodeSnappy(nil, b), nil
	case 3:
		w = lz4.NewWriter(&out)
	case 4:
		z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		w = z
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	err := w.Close()
	return out.Bytes(), err
}

func decompress(codec int, b []byte) ([]byte, error) {
	var r io.Reader
	switch codec {
	case 0:
		return b, nil
	case 1:
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		r = z
	case 2:
		return unsnappy(b)
	case 3:
		r = lz4.NewReader(bytes.NewReader(b))
	case 4:
		z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPlain))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	default:
		return nil, fmt.Errorf("codec %d", codec)
	}
	return io.ReadAll(io.LimitReader(r, maxPlain))
}

// unsnappy reads one snappy block, or the chunks that Java's stream writes them in.
func unsnappy(b []byte) ([]byte, error) {
	if !bytes.HasPrefix(b, []byte("\x82SNAPPY\x00")) {
		return s2.Decode(nil, b)
	}
	var out []byte
	for b = b[min(16, len(b)):]; len(b) >= 4; {
		n := int64(binary.BigEndian.Uint32(b))
		if n > int64(len(b)-4) {
			return nil, io.ErrUnexpectedEOF
		}
		part, err := s2.Decode(nil, b[4:4+n])
		if err != nil {
			return nil, err
		}
		out, b = append(out, part...), b[4+n:]
	}
	return out, nil
}
