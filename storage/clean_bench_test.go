package storage

import (
	"context"
	"fmt"
	"testing"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

// BenchmarkClean is one thread over records of 1 KiB on a real disk, both readings and the writing counted as one: bytes
// of log per second. Half of the records are superseded.
func BenchmarkClean(b *testing.B) {
	for _, c := range []compress.Codec{compress.None, compress.LZ4, compress.Zstd} {
		b.Run(c.String(), func(b *testing.B) { benchmarkClean(b, c) })
	}
}

func benchmarkClean(b *testing.B, c compress.Codec) {
	const total = 128 << 20
	value := make([]byte, 1024)
	rng := newRand(1)
	for i := range value {
		value[i] = "0123456789abcdef"[rng.IntN(16)]
	}
	b.SetBytes(total)
	b.ReportAllocs()
	for range b.N {
		b.StopTimer()
		d := newBed(b, vfs.OS)
		d.cfg = DefaultLogConfig()
		d.cfg.Compact, d.cfg.Delete, d.cfg.SegmentBytes, d.cfg.MinCleanableRatio = true, false, 64<<20, 0
		s, err := Open(d.options(b.TempDir()))
		if err != nil {
			b.Fatal(err)
		}
		l, err := s.Create(tp0, testTopicID, d.cfg, nil)
		if err != nil {
			b.Fatal(err)
		}
		for n, sent := 0, 0; sent < total; sent += 16 * 1024 {
			o := record.NewOptions()
			o.Codecs, o.Codec = codecs, c
			w := record.NewBuilder(o)
			for range 16 {
				w.Add(1000, fmt.Appendf(nil, "key-%08d", n*7919%(total/1024/2)), value)
				n++
			}
			raw, err := w.Build()
			if err != nil {
				b.Fatal(err)
			}
			mustAppend(b, l, raw)
		}
		if err := l.Roll(); err != nil {
			b.Fatal(err)
		}
		if err := s.FlushDirty(); err != nil {
			b.Fatal(err)
		}
		l.UpdateHighWatermark(l.LogEndOffset())
		b.StartTimer()
		if !s.CleanOne(context.Background(), DefaultCleanerConfig()) {
			b.Fatal("nothing was cleaned")
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
