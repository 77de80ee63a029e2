package storage

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/dohle-io/dohle/internal/cost"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

func addGolden(f *testing.F, pattern string) {
	names, err := filepath.Glob(goldenDir + "/*/" + pattern)
	if err != nil || len(names) == 0 {
		f.Fatal(pattern, err)
	}
	for i, name := range names {
		if i%5 != 0 {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

func FuzzProducerSnapshot(f *testing.F) {
	addGolden(f, "*/*.snapshot")
	f.Fuzz(func(t *testing.T, b []byte) {
		cost.Bounded(t, len(b), 64<<10, func() { _, _ = decodeSnapshot("x", b) })
		list, err := decodeSnapshot("x", b)
		if err != nil {
			return
		}
		again, err := decodeSnapshot("x", encodeSnapshot(list))
		if err != nil || len(again) != len(list) {
			t.Fatal(err, len(again), len(list))
		}
	})
}

func FuzzTextFiles(f *testing.F) {
	addGolden(f, "*checkpoint")
	addGolden(f, "*/leader-epoch-checkpoint")
	addGolden(f, "*/partition.metadata")
	addGolden(f, "meta.properties")
	addGolden(f, ".kafka_cleanshutdown")
	f.Fuzz(func(t *testing.T, b []byte) {
		cost.Bounded(t, len(b), 64<<10, func() { _, _ = parseOffsets("x", b) })
		cost.Bounded(t, len(b), 64<<10, func() { _, _ = parseEpochs("x", b) })
		cost.Bounded(t, len(b), 64<<10, func() { _, _ = parsePartitionMeta("x", b) })
		cost.Bounded(t, len(b), 64<<10, func() { _, _ = parseMetaProperties("x", b) })
		cost.Bounded(t, len(b), 64<<10, func() { parseCleanShutdown(b) })
		if m, err := parseOffsets("x", b); err == nil {
			var list []offsetEntry
			for tp, offset := range m {
				list = append(list, offsetEntry{tp, offset})
			}
			if again, err := parseOffsets("x", encodeOffsets(list)); err != nil || len(again) != len(m) {
				t.Fatal(err)
			}
		}
		if list, err := parseEpochs("x", b); err == nil {
			if again, err := parseEpochs("x", encodeEpochs(list)); err != nil || len(again) != len(list) {
				t.Fatal(err)
			}
		}
		if id, err := parsePartitionMeta("x", b); err == nil {
			if again, err := parsePartitionMeta("x", encodePartitionMeta(id)); err != nil || again != id {
				t.Fatal(err)
			}
		}
		if m, err := parseMetaProperties("x", b); err == nil {
			if again, err := parseMetaProperties("x", encodeMetaProperties(m, testStart)); err == nil && again.NodeID != m.NodeID {
				t.Fatal(again, m)
			}
		}
		parseCleanShutdown(b)
	})
}

func FuzzTxnIndex(f *testing.F) {
	addGolden(f, "*/*.txnindex")
	f.Fuzz(func(t *testing.T, b []byte) {
		cost.Bounded(t, len(b), 64<<10, func() { _, _ = parseTxnIndex("x", b, 0) })
		list, err := parseTxnIndex("x", b, 0)
		if err != nil {
			return
		}
		var again []byte
		for _, a := range list {
			again = a.appendTo(again)
		}
		if !bytes.Equal(again, b) {
			t.Fatal("not the same bytes")
		}
	})
}

// FuzzIndex opens a cleanly stopped log with any bytes as its index files: every offset and timestamp is found anyway.
func FuzzIndex(f *testing.F) {
	disk := vfs.NewMem()
	b := newBed(f, disk).open()
	b.cfg.SegmentBytes = 1 << 20
	for i := range 60 {
		mustAppend(f, b.log(), batchOf(1+i%3, 60, 1000+int64(i)*10))
	}
	if err := b.store.Close(); err != nil {
		f.Fatal(err)
	}
	offsets, _ := vfs.ReadFile(disk, "/data/t-0/00000000000000000000.index", 1<<20)
	times, _ := vfs.ReadFile(disk, "/data/t-0/00000000000000000000.timeindex", 1<<20)
	f.Add(offsets, times)
	f.Add(offsets[:16], times[:24])
	f.Add(make([]byte, 800), make([]byte, 1200))
	f.Fuzz(func(t *testing.T, offsets, times []byte) {
		d := disk.Clone()
		for name, b := range map[string][]byte{"index": offsets, "timeindex": times} {
			if err := vfs.WriteFileAtomic(d, "/data/t-0/00000000000000000000."+name, b, true); err != nil {
				t.Fatal(err)
			}
		}
		n := newBed(t, d).open()
		l := n.log()
		if err := l.Err(); err != nil {
			return // a start that could not make sense of the end says so
		}
		mustAppend(t, l, batchOf(1, 60, 5000)) // reads the index whole, and makes it anew if it is damaged
		if _, err := readAll(l); err != nil && indexFits(offsets, times, l.Size()) == false {
			t.Fatal(err)
		}
	})
}

// FuzzRecovery starts on a log file of any bytes after a kill. Whatever is found is whole, and stays so.
func FuzzRecovery(f *testing.F) {
	var good []byte
	for i := range 5 {
		b := record.Batch(batchOf(2, 40, 1000, producer(int64(i%2), 0, int32(i/2*2))))
		b.SetBaseOffset(int64(2 * i))
		b.SetPartitionLeaderEpoch(int32(i / 2))
		good = append(good, b...)
	}
	m := record.Batch(markerBatch(1, 0, false, 0, 5))
	m.SetBaseOffset(10)
	m.SetPartitionLeaderEpoch(3)
	f.Add(append(bytes.Clone(good), m...), uint8(0))
	f.Add(good, uint8(4))
	f.Add(good[:300], uint8(0))
	f.Add(append(bytes.Clone(good), make([]byte, 100)...), uint8(10))
	f.Fuzz(func(t *testing.T, b []byte, point uint8) {
		disk := vfs.NewMem()
		n := newBed(t, disk).open()
		if err := n.store.Close(); err != nil {
			t.Fatal(err)
		}
		disk.MkdirAll("/data/t-0")
		disk.Remove("/data/" + cleanShutdownName)
		vfs.WriteFileAtomic(disk, "/data/t-0/00000000000000000000.log", b, true)
		vfs.WriteFileAtomic(disk, "/data/"+recoveryPointName, encodeOffsets([]offsetEntry{{tp0, int64(point)}}), true)
		n = newBed(t, disk)
		n.cfg.SegmentBytes, n.cfg.RetentionMs = 1<<30, -1
		n.open()
		l, ok := n.store.Log(tp0)
		if !ok {
			t.Fatal("the log is gone")
		}
		if l.Err() != nil {
			if point == 0 {
				t.Fatal("nothing was flushed, so nothing is damaged", l.Err())
			}
			left, _ := vfs.ReadFile(disk, "/data/t-0/00000000000000000000.log", 1<<30)
			if !bytes.Equal(left, b) {
				t.Fatal("a damaged log was changed")
			}
			return
		}
		if l.LogEndOffset() < int64(point) {
			t.Fatal("the log ends below its recovery point")
		}
		before, err := readAll(l)
		if point == 0 && err != nil {
			t.Fatal(err)
		}
		if err := n.store.Close(); err != nil {
			t.Fatal(err)
		}
		n.open()
		l, _ = n.store.Log(tp0)
		if after, err := readAll(l); point == 0 && (err != nil || len(after) != len(before)) {
			t.Fatal(err, len(after), len(before))
		}
	})
}
