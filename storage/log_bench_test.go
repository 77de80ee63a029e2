package storage

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/vfs"
)

// benchLog is a log on the machine's disk with Kafka's default settings.
func benchLog(b *testing.B, segmentBytes int32) (*bed, *Log) {
	d := newBed(b, vfs.OS)
	d.cfg = DefaultLogConfig()
	d.cfg.SegmentBytes = segmentBytes
	dir := b.TempDir()
	var err error
	d.store, err = Open(d.options(dir))
	require.NoError(b, err)
	return d, d.log()
}

func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct{ records, size int }{{1, 100}, {100, 100}, {16, 1024}, {1000, 1024}} {
		b.Run(fmt.Sprintf("%dx%d", c.records, c.size), func(b *testing.B) {
			d, l := benchLog(b, 64<<20)
			defer d.store.Close()
			pristine := batchOf(c.records, c.size, 1000)
			batch := bytes.Clone(pristine)
			b.SetBytes(int64(len(batch)))
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				copy(batch[:16], pristine) // offsets and epoch are patched in place
				if _, err := l.AppendAsLeader(batch, 0, AppendOptions{}); err != nil {
					b.Fatal(err)
				}
				if n%1024 == 0 { // the disk stays small
					l.UpdateHighWatermark(l.LogEndOffset())
					if len(l.segments()) > 3 {
						l.DeleteSegmentsBefore(l.LogEndOffset())
						d.clock.now = d.clock.now.Add(1e12)
						d.store.RemoveDue()
					}
				}
			}
		})
	}
}

// BenchmarkReadTail is a consumer that reads each batch right after it was appended.
func BenchmarkReadTail(b *testing.B) {
	d, l := benchLog(b, 1<<30)
	defer d.store.Close()
	pristine := batchOf(1, 1024, 1000)
	batch, buf := bytes.Clone(pristine), make([]byte, 4096)
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	mustAppend(b, l, batch)
	for b.Loop() {
		s, err := l.Read(l.LogEndOffset()-1, 1<<20, l.LogEndOffset(), true)
		if err != nil || s.Len() != len(batch) {
			b.Fatal(err, s.Len())
		}
		if _, err := s.ReadAt(buf[:s.Len()], 0); err != nil {
			b.Fatal(err)
		}
		s.Release()
	}
}

// BenchmarkReadCatchUp reads a log from its start in pieces of 1 MiB, sealed segments included.
func BenchmarkReadCatchUp(b *testing.B) {
	for _, c := range []struct{ records, size int }{{1, 100}, {16, 1024}} {
		b.Run(fmt.Sprintf("%dx%d", c.records, c.size), func(b *testing.B) {
			d, l := benchLog(b, 16<<20)
			defer d.store.Close()
			for l.Size() < 80<<20 {
				mustAppend(b, l, batchOf(c.records, c.size, 1000))
			}
			require.NoError(b, d.store.FlushDirty())
			buf := make([]byte, 1<<20)
			size := len(batchOf(c.records, c.size, 1000))
			at, total := int64(0), int64(0)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				s, err := l.Read(at, len(buf), l.LogEndOffset(), true)
				if err != nil {
					b.Fatal(err)
				}
				if s.Len() == 0 {
					at = 0
					continue
				}
				if _, err := s.ReadAt(buf[:s.Len()], 0); err != nil {
					b.Fatal(err)
				}
				total += int64(s.Len())
				at += int64(s.Len()/size) * int64(c.records)
				s.Release()
				n++
			}
			b.SetBytes(total / int64(max(n, 1)))
		})
	}
}

func BenchmarkExpireAMillionProducers(b *testing.B) {
	var s producerStates
	for id := range int64(1_000_000) {
		p := newProducer(id)
		p.lastTimestamp = 1000 + id%1000
		s.put(p)
	}
	s.put(&producerEntry{id: -5, txnFirst: -1})
	b.ReportAllocs()
	for b.Loop() {
		s.oldest = 0 // no shortcut
		s.expire(1_000_000, 999_500)
	}
}
