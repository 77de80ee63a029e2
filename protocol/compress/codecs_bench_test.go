package compress

import "testing"

func BenchmarkDecompress(b *testing.B) {
	for _, c := range all {
		for _, size := range []int{1 << 10, 1 << 20} {
			b.Run(c.String()+"/"+sizeName(size), func(b *testing.B) {
				cs := NewCodecs()
				enc, err := cs.Compress(nil, c, 0, plain(size))
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					s, err := cs.Borrow(c, enc, 0)
					if err != nil {
						b.Fatal(err)
					}
					s.Release()
				}
			})
		}
	}
}

func BenchmarkCompress(b *testing.B) {
	for _, c := range all[1:] {
		for _, size := range []int{1 << 10, 1 << 20} {
			b.Run(c.String()+"/"+sizeName(size), func(b *testing.B) {
				cs := NewCodecs()
				src, dst := plain(size), make([]byte, 0, 2<<20)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := cs.Compress(dst, c, 0, src); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func sizeName(n int) string {
	if n < 1<<20 {
		return "1KiB"
	}
	return "1MiB"
}
