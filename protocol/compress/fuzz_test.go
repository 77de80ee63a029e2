package compress

import (
	"bytes"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

const fuzzCap = 1 << 20

// fuzzCodec: no panic, never more than the cap, only the two named errors, and what was read can be written and read.
func fuzzCodec(f *testing.F, c Codec) {
	cs := NewCodecs()
	for _, n := range []int{0, 1, 100, 70_000} {
		enc, err := cs.Compress(nil, c, 0, plain(n))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(enc)
		f.Add(enc[:len(enc)/2])
	}
	f.Add(bomb(f, c, 4<<20))
	f.Add([]byte("garbage that is no stream at all"))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := cs.Decompress(nil, c, data, fuzzCap)
		if err != nil {
			if !errors.Is(err, kerr.CorruptMessage) && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("unnamed error %v", err)
			}
			return
		}
		if len(out) > fuzzCap {
			t.Fatalf("%d bytes came out", len(out))
		}
		enc, err := cs.Compress(nil, c, 0, out)
		if err != nil {
			t.Fatal(err)
		}
		again, err := cs.Decompress(nil, c, enc, fuzzCap)
		if err != nil || !bytes.Equal(out, again) {
			t.Fatalf("round trip: %v", err)
		}
	})
}

func FuzzGzip(f *testing.F)   { fuzzCodec(f, Gzip) }
func FuzzSnappy(f *testing.F) { fuzzCodec(f, Snappy) }
func FuzzLZ4(f *testing.F)    { fuzzCodec(f, LZ4) }
func FuzzZstd(f *testing.F)   { fuzzCodec(f, Zstd) }
