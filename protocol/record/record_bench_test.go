package record

import (
	"fmt"
	"testing"

	"github.com/dohle-io/dohle/protocol/compress"
)

func BenchmarkCRC(b *testing.B) {
	batch := sample(b, compress.None, 1000, 1024)
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	for b.Loop() {
		if !batch.VerifyCRC() {
			b.Fatal()
		}
	}
}

// BenchmarkHeader is what a leader does without reading records: split, compare fields, patch.
func BenchmarkHeader(b *testing.B) {
	data := []byte(sample(b, compress.None, 10, 1024))
	rules := lax()
	b.ReportAllocs()
	for b.Loop() {
		batch, _, err := Next(data)
		if err != nil || checkHeader(batch, &rules) != nil {
			b.Fatal(err)
		}
		batch.SetBaseOffset(4711)
		batch.SetPartitionLeaderEpoch(3)
	}
}

func BenchmarkValidate(b *testing.B) {
	cs := compress.NewCodecs()
	for _, c := range allCodecs {
		for _, size := range []int{100, 1024} {
			b.Run(fmt.Sprintf("%v/%dB", c, size), func(b *testing.B) {
				batch := sample(b, c, 1<<20/size, size)
				rules := lax()
				b.SetBytes(1 << 20)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Validate(batch, rules, cs); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkWalk is Validate of uncompressed batches without the CRC.
func BenchmarkWalk(b *testing.B) {
	for _, size := range []int{100, 1024} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			batch := sample(b, compress.None, 1<<20/size, size)
			rules := lax()
			b.SetBytes(1 << 20)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := walk(batch, batch.Payload(), &rules); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReader(b *testing.B) {
	cs := compress.NewCodecs()
	for _, c := range []compress.Codec{compress.None, compress.LZ4} {
		b.Run(c.String()+"/100B", func(b *testing.B) {
			batch := sample(b, c, 1<<20/100, 100)
			var r Reader
			defer r.Close()
			b.SetBytes(1 << 20)
			b.ReportAllocs()
			for b.Loop() {
				for r.Reset(batch, cs, 0); r.Next(); {
				}
				if r.Err() != nil {
					b.Fatal(r.Err())
				}
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	cs := compress.NewCodecs()
	for _, c := range allCodecs {
		for _, size := range []int{100, 1024} {
			b.Run(fmt.Sprintf("%v/%dB", c, size), func(b *testing.B) {
				o := NewOptions()
				o.Codec, o.Codecs = c, cs
				w := NewBuilder(o)
				var rec Record
				for r := range sample(b, compress.None, 1, size).Records(nil, 0) {
					rec = r
				}
				var out []byte
				b.SetBytes(1 << 20)
				b.ReportAllocs()
				for b.Loop() {
					w.Reset(o)
					for range 1 << 20 / size {
						w.Add(now, rec.Key, rec.Value)
					}
					var err error
					if out, err = w.Append(out[:0]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
