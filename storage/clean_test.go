package storage

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

// compactBed is a bed with a compacted topic that is always due.
func compactBed(t testing.TB, fs vfs.FS) *bed {
	b := newBed(t, fs)
	b.cfg.Compact, b.cfg.Delete, b.cfg.MinCleanableRatio, b.cfg.FileDeleteDelayMs = true, false, 0, 0
	return b
}

// kv makes a batch of "key=value" records; "key" alone is a tombstone.
func kv(ts int64, records ...any) []byte {
	o := record.NewOptions()
	o.Codecs = codecs
	w := new(record.Builder)
	var text []string
	for _, r := range records {
		switch r := r.(type) {
		case func(*record.Options):
			r(&o)
		case string:
			text = append(text, r)
		}
	}
	w.Reset(o)
	for _, r := range text {
		key, value, ok := strings.Cut(r, "=")
		v := []byte(value)
		if !ok {
			v = nil
		}
		w.Add(ts, []byte(key), v)
	}
	b, err := w.Build()
	if err != nil {
		panic(err)
	}
	return b
}

// seal rolls and makes everything stable.
func seal(t testing.TB, l *Log) {
	t.Helper()
	require.NoError(t, l.Roll())
	l.UpdateHighWatermark(l.LogEndOffset())
}

func (b *bed) clean() bool { return b.store.CleanOne(context.Background(), DefaultCleanerConfig()) }

func (b *bed) mustClean() {
	b.t.Helper()
	require.True(b.t, b.clean())
	require.Empty(b.t, b.store.Uncleanable())
}

// held is the log as "offset key=value", batches without records as "base-last empty", markers as "offset commit".
func held(t testing.TB, l *Log) (out []string) {
	t.Helper()
	s, err := readLog(l)
	require.NoError(t, err)
	for _, b := range s.batches {
		if b.Count() == 0 {
			out = append(out, fmt.Sprintf("%d-%d empty", b.BaseOffset(), b.LastOffset()))
		}
		if mark, ok, _ := readMarker(b, nil); b.IsControl() && ok {
			out = append(out, fmt.Sprintf("%d %s", b.BaseOffset(), map[bool]string{true: "commit", false: "abort"}[mark.commit]))
			continue
		}
		for r := range b.Records(codecs, 0) {
			if r.Value == nil {
				out = append(out, fmt.Sprintf("%d %s", r.Offset, r.Key))
			} else {
				out = append(out, fmt.Sprintf("%d %s=%s", r.Offset, r.Key, r.Value))
			}
		}
	}
	return out
}

func appendMarker(t testing.TB, l *Log, id int64, commit bool) {
	t.Helper()
	_, err := l.AppendAsLeader(markerBatch(id, 0, commit, 0, 1000), 0, AppendOptions{Origin: record.Coordinator})
	require.NoError(t, err)
}

func TestTombstonesStayForTheirTimeFromTheFirstCleaning(t *testing.T) { // C1, KIP-534
	b := compactBed(t, vfs.NewMem()).open()
	b.cfg.DeleteRetentionMs = 10_000
	l := b.log()
	mustAppend(t, l, kv(1000, "a=1", "b=1"))
	mustAppend(t, l, kv(1000, "a"))
	seal(t, l)
	b.clock.now = b.clock.now.Add(time.Hour) // the age of the files is of no account
	b.mustClean()
	require.Equal(t, []string{"1 b=1", "2 a"}, held(t, l))
	again := func(after time.Duration) []string {
		b.clock.now = b.clock.now.Add(after)
		mustAppend(t, l, kv(1000, "c=1"))
		seal(t, l)
		b.mustClean()
		return held(t, l)
	}
	require.Equal(t, []string{"1 b=1", "2 a", "3 c=1"}, again(9999*time.Millisecond))
	require.Equal(t, []string{"1 b=1", "4 c=1"}, again(time.Millisecond))
}

func TestNothingAtOrAboveTheLastStableOffsetIsCleaned(t *testing.T) { // C2, KAFKA-13194, 9826
	b := compactBed(t, vfs.NewMem()).open()
	l := b.log()
	mustAppend(t, l, kv(1000, "a=1"))
	mustAppend(t, l, kv(1000, "a=2"))
	require.NoError(t, l.Roll())
	mustAppend(t, l, kv(1000, "a=3", producer(9, 0, 0), transactional))
	require.NoError(t, l.Roll())
	mustAppend(t, l, kv(1000, "a=4"))
	require.NoError(t, l.Roll())

	require.False(t, b.clean(), "nothing is below the high watermark")
	l.UpdateHighWatermark(l.LogEndOffset())
	b.mustClean()
	require.Equal(t, []string{"1 a=2", "2 a=3", "3 a=4"}, held(t, l), "the open transaction holds it back")
	require.False(t, b.clean())
	appendMarker(t, l, 9, false)
	seal(t, l)
	b.mustClean()
	require.Equal(t, []string{"2-2 empty", "3 a=4", "4 abort"}, held(t, l)) // 2 is the producer's last data
}

func TestUncommittedDataNeverReplacesCommitted(t *testing.T) { // C2
	b := compactBed(t, vfs.NewMem()).open()
	l := b.log()
	mustAppend(t, l, kv(1000, "a=1", "b=1"))
	mustAppend(t, l, kv(1000, "a=2", producer(9, 0, 0), transactional))
	appendMarker(t, l, 9, false)
	mustAppend(t, l, kv(1000, "b=2", producer(9, 0, 1), transactional))
	appendMarker(t, l, 9, true)
	seal(t, l)
	b.mustClean()
	require.Equal(t, []string{"0 a=1", "3 abort", "4 b=2", "5 commit"}, held(t, l))
	aborted, err := l.AbortedTransactions(0, 6)
	require.NoError(t, err)
	require.Len(t, aborted, 1, "the index still names what this pass has removed: an old reader may hold it")
}

func TestAMarkerStaysWhileDataOfItsTransactionIsLeft(t *testing.T) { // C3, KAFKA-14055, 8351, 6854
	b := compactBed(t, vfs.NewMem())
	b.cfg.DeleteRetentionMs = 5000
	l := b.open().log()
	// Data and marker in segments too large to become one: the state goes from group to group.
	value := strings.Repeat("v", 3000)
	mustAppend(t, l, kv(1000, "a="+value, producer(8, 0, 0), transactional))
	mustAppend(t, l, kv(1000, "b="+value, producer(9, 0, 0), transactional))
	require.NoError(t, l.Roll())
	appendMarker(t, l, 8, true)
	appendMarker(t, l, 9, false)
	mustAppend(t, l, kv(1000, "x=1", producer(8, 0, 1)))
	mustAppend(t, l, kv(1000, "x=2", producer(9, 0, 1)))
	seal(t, l)
	pass := func(batch []byte) []string {
		mustAppend(t, l, batch)
		seal(t, l)
		b.mustClean()
		var short []string
		for _, line := range held(t, l) {
			short = append(short, strings.ReplaceAll(line, value, "…"))
		}
		return short
	}
	require.Equal(t, []string{"0 a=…", "2 commit", "3 abort", "4-4 empty", "5 x=2", "6 y=1"}, pass(kv(1000, "y=1")))
	require.Equal(t, []string{"0 a=…", "2 commit", "3 abort", "4-4 empty", "5 x=2", "7 y=2"}, pass(kv(1000, "y=2"))) // the abort gets its time
	b.clock.now = b.clock.now.Add(5 * time.Second)
	require.Equal(t, []string{"0 a=…", "2 commit", "4-4 empty", "5 x=2", "8 y=3"}, pass(kv(1000, "y=3")))
	require.Equal(t, []string{"2 commit", "4-4 empty", "5 x=2", "9 a"}, pass(kv(1000, "a", "y"))[:4]) // data goes, its commit not yet
	aborted, err := l.AbortedTransactions(0, l.LogEndOffset())
	require.NoError(t, err)
	require.Empty(t, aborted)
}

func TestAControlRecordIsNoKey(t *testing.T) { // C3
	b := compactBed(t, vfs.NewMem()).open()
	l := b.log()
	commit := string([]byte{0, 0, 0, 1}) // the key of a commit
	mustAppend(t, l, kv(1000, commit+"=1", producer(9, 0, 0), transactional))
	appendMarker(t, l, 9, true)
	seal(t, l)
	b.mustClean()
	require.Equal(t, []string{"0 " + commit + "=1", "1 commit"}, held(t, l))
}

func TestAnEmptiedBatchKeepsOffsetsAndProducer(t *testing.T) { // C4, P6, KAFKA-5490, 17076
	disk := vfs.NewMem()
	b := compactBed(t, disk).open()
	l := b.log()
	last := kv(1000, "a=1", "b=1", "c=1", producer(7, 2, 5))
	mustAppend(t, l, bytes.Clone(last))
	mustAppend(t, l, kv(1000, "a=2", "b=2", "c=2"))
	mustAppend(t, l, kv(1000, "z=1"))
	mustAppend(t, l, kv(1000, "a=3"))
	seal(t, l)
	mustAppend(t, l, kv(1000, "a=4"))
	end := l.LogEndOffset()
	b.mustClean()
	require.Equal(t, []string{"0-2 empty", "4 b=2", "5 c=2", "6 z=1", "7 a=3", "8 a=4"}, held(t, l))
	s, err := readLog(l)
	require.NoError(t, err)
	e := s.batches[0]
	require.Equal(t, []any{int64(7), int16(2), int32(5), int32(7)}, []any{e.ProducerID(), e.ProducerEpoch(), e.BaseSequence(), e.LastSequence()})
	require.Equal(t, end, l.LogEndOffset())
	// Snapshots or not, after a kill the retry is known.
	for _, name := range list(t, disk, l.Path()) {
		if strings.HasSuffix(name, snapshotSuffix) {
			require.NoError(t, disk.Remove(l.file(name)))
		}
	}
	b = compactBed(t, disk.Clone()).open()
	info, err := b.log().AppendAsLeader(last, 0, AppendOptions{})
	require.NoError(t, err)
	require.True(t, info.Duplicate)
	require.Equal(t, int64(0), info.FirstOffset)
}

func TestTheLastBatchOfAPassStaysWithoutRecords(t *testing.T) { // P6, C4
	b := compactBed(t, vfs.NewMem()).open()
	l := b.log()
	mustAppend(t, l, kv(1000, "a=1"))
	mustAppend(t, l, kv(1000, "b=1", producer(9, 0, 0), transactional))
	mustAppend(t, l, kv(1000, "c=1", producer(9, 0, 1), transactional))
	seal(t, l)
	appendMarker(t, l, 9, false)
	mustAppend(t, l, kv(1000, "x=1", producer(9, 0, 2)))
	l.UpdateHighWatermark(l.LogEndOffset())
	b.mustClean()
	require.Equal(t, []string{"0 a=1", "2-2 empty", "3 abort", "4 x=1"}, held(t, l))
}

func TestBatchesOfAnySizeAreCleaned(t *testing.T) { // C5, KAFKA-5316, 6834
	b := compactBed(t, vfs.NewMem())
	b.cfg.SegmentBytes = 1 << 20
	l := b.open().log()
	big := strings.Repeat("v", 300_000)
	mustAppend(t, l, kv(1000, "a=1", "b="+big))
	mustAppend(t, l, kv(1000, "a=2", "c="+big, codec(compress.Zstd)))
	mustAppend(t, l, kv(1000, "c=3", "d"))
	cfg := l.Config()
	cfg.MaxMessageBytes = 1000
	l.SetConfig(cfg)
	seal(t, l)
	c := DefaultCleanerConfig()
	c.IOBufferBytes = 1 // the smallest there is, 4 KiB each
	require.True(t, b.store.CleanOne(context.Background(), c))
	require.Empty(t, b.store.Uncleanable())
	require.Equal(t, []string{"1 b=" + big, "2 a=2", "4 c=3", "5 d"}, held(t, l))
}

func TestABadCheckpointIsReset(t *testing.T) { // C6, KAFKA-9133, 1641, 3330, 8764
	for name, text := range map[string]string{
		"torn":          "0\n7\nt 0",
		"beyond":        "0\n1\nt 0 1000000\n",
		"before":        "0\n1\nt 0 0\n",
		"of others":     "0\n1\nother 3 12\n",
		"empty":         "",
		"other version": "9\n1\nt 0 3\n",
	} {
		t.Run(name, func(t *testing.T) {
			disk := vfs.NewMem()
			b := compactBed(t, disk).open()
			l := b.log()
			mustAppend(t, l, kv(1000, "a=1"))
			mustAppend(t, l, kv(1000, "a=2"))
			mustAppend(t, l, kv(1000, "a=3"))
			seal(t, l)
			mustAppend(t, l, kv(1000, "a=4"))
			l.UpdateHighWatermark(4)
			require.NoError(t, l.IncrementLogStartOffset(1))
			require.NoError(t, b.store.Close())
			require.NoError(t, writeFile(disk, "/data/"+cleanerName, []byte(text), true))
			b = compactBed(t, disk).open()
			l = b.log()
			b.mustClean()
			require.Equal(t, []string{"2 a=3", "3 a=4"}, held(t, l))
			require.False(t, b.clean(), "once is enough")
			got, err := vfs.ReadFile(disk, "/data/"+cleanerName, 1000)
			require.NoError(t, err)
			require.Contains(t, string(got), "t 0 3\n")
		})
	}
}

func TestALogStartInTheActiveSegmentIsNothingToClean(t *testing.T) { // C6
	b := compactBed(t, vfs.NewMem()).open()
	l := b.log()
	mustAppend(t, l, kv(1000, "a=1"))
	seal(t, l)
	mustAppend(t, l, kv(1000, "a=2", "a=3"))
	l.UpdateHighWatermark(3)
	require.NoError(t, l.IncrementLogStartOffset(2))
	require.False(t, b.clean())
	require.Empty(t, b.store.Uncleanable())
	require.Equal(t, int64(1), l.segments()[0].base, "C8: what lies wholly below the start is deleted though the policy is compact")
}

func TestAChangeOfTheLogAbortsItsCleaning(t *testing.T) { // C7, KAFKA-7322, 6568, 12840, 3123
	changes := map[string]func(*bed, *Log) error{
		"truncation":      func(_ *bed, l *Log) error { return l.TruncateTo(2) },
		"full truncation": func(_ *bed, l *Log) error { return l.TruncateFullyAndStartAt(50) },
		"deletion":        func(b *bed, _ *Log) error { return b.store.Delete(tp0) },
		"policy": func(_ *bed, l *Log) error {
			c := l.Config()
			c.Compact, c.Delete = false, true
			l.SetConfig(c)
			return nil
		},
		"log start": func(_ *bed, l *Log) error {
			if err := l.IncrementLogStartOffset(2); err != nil {
				return err
			}
			_, err := l.DeleteOldSegments()
			return err
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			disk := vfs.NewMem()
			b := compactBed(t, disk).open()
			l := b.log()
			for i := range 6 {
				mustAppend(t, l, kv(1000, fmt.Sprintf("a=%d", i)))
				if i%2 == 1 {
					seal(t, l)
				}
			}
			job := b.store.filthiest()
			require.NotNil(t, job)
			require.Nil(t, b.store.filthiest(), "one thread at a time")
			require.NoError(t, change(b, l))
			w := &cleanWorker{store: b.store, cfg: DefaultCleanerConfig()}
			require.False(t, w.clean(context.Background(), job))
			require.Empty(t, b.store.Uncleanable())
			_, known := l.dir.cleanedTo(tp0)
			require.False(t, known)
			for _, name := range list(t, disk, l.Path()) {
				require.False(t, strings.HasSuffix(name, cleanedSuffix) || strings.HasSuffix(name, swapSuffix), name)
			}
			if l.Err() != nil {
				return
			}
			b.log() // the policy is compact again
			mustAppend(t, l, kv(1000, "a=7"))
			seal(t, l)
			b.mustClean()
			require.Equal(t, []string{fmt.Sprintf("%d a=7", l.LogEndOffset()-1)}, held(t, l))
		})
	}
}

func TestATruncationTakesTheCheckpointDown(t *testing.T) { // C7
	disk := vfs.NewMem()
	b := compactBed(t, disk).open()
	l := b.log()
	for i := range 4 {
		mustAppend(t, l, kv(1000, fmt.Sprintf("%c=1", 'a'+i)))
		seal(t, l)
	}
	b.mustClean()
	require.NoError(t, l.TruncateTo(2))
	got, err := vfs.ReadFile(disk, "/data/"+cleanerName, 1000)
	require.NoError(t, err)
	require.Equal(t, "0\n1\nt 0 2\n", string(got))
	mustAppend(t, l, kv(1000, "a=2"))
	mustAppend(t, l, kv(1000, "a=3"))
	seal(t, l)
	b.mustClean()
	require.Equal(t, []string{"1 b=1", "3 a=3"}, held(t, l))
}

func TestCompactAndDeleteTogether(t *testing.T) { // C8, KAFKA-7400
	b := compactBed(t, vfs.NewMem())
	b.cfg.Delete, b.cfg.RetentionMs = true, 1000
	l := b.open().log()
	now := b.clock.now.UnixMilli()
	mustAppend(t, l, kv(now-5000, "a=1", "a=2"))
	seal(t, l)
	mustAppend(t, l, kv(now, "b=1", "b=2"))
	seal(t, l)
	b.mustClean() // and retention after it
	require.Equal(t, []string{"1 a=2", "3 b=2"}, held(t, l))
	require.Equal(t, int64(0), l.LogStartOffset(), "both became one segment, whose newest record is young")
	b.clock.now = b.clock.now.Add(time.Minute)
	require.False(t, b.clean())
	require.Equal(t, l.LogEndOffset(), l.LogStartOffset())
}

func TestRetentionPassesEmptiedSegments(t *testing.T) {
	b := compactBed(t, vfs.NewMem())
	b.cfg.SegmentBytes, b.cfg.Delete, b.cfg.RetentionMs = 4096, true, 1000
	l := b.open().log()
	now := b.clock.now.UnixMilli()
	big := strings.Repeat("v", 3000)
	mustAppend(t, l, kv(now, "a="+big)) // superseded: its segment is left empty
	require.NoError(t, l.Roll())
	mustAppend(t, l, kv(now, "a="+big[:2999], "b=1"))
	seal(t, l)
	b.mustClean()
	require.Len(t, l.segments(), 3)
	require.Zero(t, l.segments()[0].size)
	b.clock.now = b.clock.now.Add(2 * time.Second)
	n, err := l.DeleteOldSegments()
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, l.LogEndOffset(), l.LogStartOffset())
}

func TestOffsetsAndTimesInCleanedSegments(t *testing.T) { // C9, C10, KAFKA-4497, 3587, 5443, 8724
	b := compactBed(t, vfs.NewMem()).open()
	l := b.log()
	want := map[string]int64{}
	for i := range 400 {
		key := fmt.Sprintf("key-%d", i*i%37)
		want[key] = mustAppend(t, l, kv(int64(1000+i), key+"=1", key+"="+strings.Repeat("v", i%80))).LastOffset
	}
	seal(t, l)
	b.mustClean()
	require.NoError(t, l.checkIndexes())
	offsets := slices.Sorted(maps.Values(want))
	for offset := range l.LogEndOffset() {
		s, err := l.Read(offset, 1, l.LogEndOffset(), true)
		require.NoError(t, err)
		i, _ := slices.BinarySearch(offsets, offset)
		if i == len(offsets) {
			require.Zero(t, s.Len())
			continue
		}
		head := make([]byte, record.HeaderSize)
		_, err = s.ReadAt(head, 0)
		require.NoError(t, err)
		require.Equal(t, offsets[i], record.Batch(head).LastOffset(), "at %d", offset)
		s.Release()
	}
	for _, offset := range offsets {
		at, ts, _, ok, err := l.OffsetForTimestamp(1000 + offset/2)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, []int64{offset, 1000 + offset/2}, []int64{at, ts})
	}
}

// checkIndexes compares the index files of sealed segments with what their batches say.
func (l *Log) checkIndexes() error {
	for _, seg := range l.segments()[:len(l.segments())-1] {
		size, _ := seg.tail()
		f, err := seg.acquire()
		if err != nil {
			return err
		}
		b := newIndexBuilder(seg, l.cfg.Load().IndexIntervalBytes)
		_, err = headers(seg.logName(), f, 0, size, func(h record.Batch, pos int64) bool { b.add(h, pos); return true })
		seg.release()
		b.finish()
		offsets, err1 := vfs.ReadFile(l.files.fs, seg.path(indexSuffix), 1<<20)
		times, err2 := vfs.ReadFile(l.files.fs, seg.path(timeIndexSuffix), 1<<20)
		if err != nil || err1 != nil || err2 != nil || !bytes.Equal(offsets, b.idx.offsets) || !bytes.Equal(times, b.idx.times) {
			return fmt.Errorf("segment %d: other indexes: %v %v %v", seg.base, err, err1, err2)
		}
	}
	return nil
}

func TestACompactedTopicNeedsKeys(t *testing.T) { // C11, KAFKA-1755
	l := compactBed(t, vfs.NewMem()).open().log()
	w := record.NewBuilder(record.NewOptions())
	w.Add(1000, nil, []byte("v"))
	b, err := w.Build()
	require.NoError(t, err)
	_, err = l.AppendAsLeader(b, 0, AppendOptions{})
	require.ErrorIs(t, err, kerr.InvalidRecord)
}

func TestACrashInASwapLeavesTheOldOrTheNewView(t *testing.T) { // L4, KAFKA-12520, 6264, 6324
	fill := func(b *bed) *Log {
		l := b.open().log()
		for i := range 60 {
			mustAppend(t, l, kv(1000, fmt.Sprintf("key-%d=%d", i%7, i), producer(7, 0, int32(i)), codec(compress.Codec(i%5))))
		}
		seal(t, l)
		require.NoError(t, b.store.FlushDirty())
		require.NoError(t, b.store.WriteCheckpoints())
		return l
	}
	total := vfs.NewFault(vfs.NewMem())
	b := compactBed(t, total)
	b.cfg.SegmentBytes = 1500
	l := fill(b)
	before := held(t, l)
	from := total.Count()
	b.mustClean()
	after := held(t, l)
	require.Less(t, len(after), len(before))
	states := map[string]int{}
	for n := from; n <= total.Count(); n++ {
		for _, kill := range []bool{true, false} {
			disk := vfs.NewMem()
			fault := vfs.NewFault(disk)
			c := compactBed(t, fault)
			c.cfg.SegmentBytes = 1500
			l := fill(c)
			fault.CrashAfter(n)
			c.clean()
			left := disk.Clone()
			if !kill {
				left = disk.CrashClone(newRand(uint64(n)))
			}
			snapshots := map[string][]byte{}
			for _, name := range list(t, left, l.Path()) {
				if strings.HasSuffix(name, snapshotSuffix) {
					snapshots[name], _ = vfs.ReadFile(left, l.Path()+"/"+name, 1<<20)
				}
			}
			d := compactBed(t, left)
			d.cfg.SegmentBytes = 1500
			l = d.open().log()
			got := held(t, l)
			// Each swap is old or new: the records are those of the new view and some of the old that are not.
			states[fmt.Sprint(len(got))]++
			require.Subset(t, before, got, "operation %d", n)
			require.Subset(t, got, after, "operation %d", n)
			require.NoError(t, l.checkIndexes())
			for name, bytes := range snapshots { // producers are not made anew for a swap
				if now, err := vfs.ReadFile(left, l.Path()+"/"+name, 1<<20); err == nil {
					require.Equal(t, bytes, now)
				}
			}
			info, err := l.AppendAsLeader(kv(1000, "key-3=59", producer(7, 0, 59), codec(compress.Codec(4))), 0, AppendOptions{})
			require.NoError(t, err)
			require.True(t, info.Duplicate)
			for _, name := range list(t, left, l.Path()) {
				require.False(t, strings.HasSuffix(name, cleanedSuffix) || strings.HasSuffix(name, swapSuffix), name)
			}
		}
	}
	require.Greater(t, len(states), 2, "old, new, and between the groups")
}

func TestCleanedOffsetsBeyond32Bits(t *testing.T) { // L7, KAFKA-6264, AutoMQ/automq#3339
	for _, start := range []int64{0, 1 << 32, 1<<40 + 17} {
		b := compactBed(t, vfs.NewMem()).open()
		l := b.log()
		require.NoError(t, l.TruncateFullyAndStartAt(start))
		var last int64
		for i := range int64(40) {
			last = start + i*(1<<29)
			batch := record.Batch(kv(1000, fmt.Sprintf("key-%d=%d", i%3, i)))
			batch.SetBaseOffset(last)
			batch.SetPartitionLeaderEpoch(0)
			_, err := l.AppendAsFollower(batch)
			require.NoError(t, err)
			if i%2 == 1 {
				seal(t, l)
			}
		}
		seal(t, l)
		b.mustClean()
		require.Equal(t, []string{fmt.Sprintf("%d key-1=37", last-2<<29), fmt.Sprintf("%d key-2=38", last-1<<29), fmt.Sprintf("%d key-0=39", last)}, held(t, l))
		for _, seg := range l.segments() {
			require.LessOrEqual(t, seg.end-1-seg.base, int64(math.MaxInt32))
		}
		require.Less(t, len(l.segments()), 20)
		require.NoError(t, l.checkIndexes())
		require.NoError(t, b.store.Close())
		l = b.open().log()
		require.Len(t, held(t, l), 3)
		require.Equal(t, last+1, l.LogEndOffset())
	}
}

func TestHolesOfAnEarlierCleaningAreNoLoss(t *testing.T) { // as after a kill of Apache Kafka
	disk := vfs.NewMem()
	b := compactBed(t, disk)
	l := b.open().log()
	value := strings.Repeat("v", 1500)
	for i := range 12 {
		mustAppend(t, l, kv(1000, fmt.Sprintf("key-%d=%s", i%5, value)))
	}
	seal(t, l)
	b.mustClean()
	mustAppend(t, l, kv(1000, "a=1"))
	want := held(t, l)
	left := disk.Clone()
	require.NoError(t, writeFile(left, "/data/"+recoveryPointName, []byte("0\n0\n"), true))
	b = compactBed(t, left).open()
	require.Equal(t, want, held(t, b.log()))
	// Without the checkpoint a hole is a loss.
	require.NoError(t, disk.Remove("/data/"+cleanerName))
	require.NoError(t, writeFile(disk, "/data/"+recoveryPointName, []byte("0\n0\n"), true))
	b = compactBed(t, disk.Clone()).open()
	require.Less(t, b.log().LogEndOffset(), l.LogEndOffset())
}

func TestADamagedLogIsLeftOutAndOthersAreCleaned(t *testing.T) {
	disk := vfs.NewMem()
	b := compactBed(t, disk).open()
	l := b.log()
	other, err := b.store.Create(protocol.TopicPartition{Topic: "u"}, protocol.UUID{9}, b.cfg, nil)
	require.NoError(t, err)
	for _, l := range []*Log{l, other} {
		mustAppend(t, l, kv(1000, "a=1"))
		mustAppend(t, l, kv(1000, "a=2"))
		seal(t, l)
	}
	f, err := disk.OpenFile(l.segments()[0].logName(), os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{0xff}, 65)
	require.NoError(t, err)
	f.Close()
	for range 3 {
		b.clean()
	}
	require.Len(t, b.store.Uncleanable(), 1)
	require.ErrorContains(t, b.store.Uncleanable()[tp0], "checksum")
	require.Equal(t, []string{"1 a=2"}, held(t, other))
	require.True(t, l.Dir().Online())
}

func TestAFullMapEndsThePassAndTheNextGoesOn(t *testing.T) {
	b := compactBed(t, vfs.NewMem()).open()
	l := b.log()
	for i := range 200 {
		mustAppend(t, l, kv(1000, fmt.Sprintf("key-%d=%d", i%50, i)))
	}
	seal(t, l)
	c := DefaultCleanerConfig()
	c.DedupeBytes = 20 * slotSize
	passes := 0
	for b.store.CleanOne(context.Background(), c) {
		passes++
	}
	require.Empty(t, b.store.Uncleanable())
	require.Greater(t, passes, 3)
	s, err := readLog(l)
	require.NoError(t, err)
	for i := 150; i < 200; i++ {
		require.Contains(t, s.records, int64(i))
	}
	c.DedupeBytes = slotSize // not even one
	mustAppend(t, l, kv(1000, "x=1"))
	seal(t, l)
	require.False(t, b.store.CleanOne(context.Background(), c))
	require.ErrorContains(t, b.store.Uncleanable()[tp0], "log.cleaner.dedupe.buffer.size")
}

func TestReadersGoOnThroughSwaps(t *testing.T) {
	b := compactBed(t, vfs.OS)
	s, err := Open(b.options(path.Join(t.TempDir(), "data")))
	require.NoError(t, err)
	b.store = s
	l := b.log()
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := readLog(l); err != nil {
					t.Error(err)
					return
				}
				if _, _, _, _, err := l.OffsetForTimestamp(1005); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 12 {
		for k := range 10 {
			mustAppend(t, l, kv(int64(1000+i), fmt.Sprintf("key-%d=%d", k, i)))
		}
		seal(t, l)
		b.mustClean()
		b.store.RemoveDue()
	}
	close(stop)
	wg.Wait()
	require.NoError(t, s.Close())
}

func TestTheCleanerRunsByTheBrokersTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := compactBed(t, vfs.NewMem())
		o := b.options()
		o.Clocks = clock.System()
		var mu sync.Mutex
		c := DefaultCleanerConfig()
		o.Cleaner = func() CleanerConfig {
			mu.Lock()
			defer mu.Unlock()
			return c
		}
		s, err := Open(o)
		require.NoError(t, err)
		b.store = s
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { _ = s.Run(ctx); close(done) }()
		l := b.log()
		fill := func() {
			mustAppend(t, l, kv(1000, "a=1"))
			mustAppend(t, l, kv(1000, "a=2"))
			seal(t, l)
		}
		fill()
		time.Sleep(16 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"1 a=2"}, held(t, l))
		mu.Lock()
		c.Enabled, c.Threads = false, 2
		mu.Unlock()
		time.Sleep(16 * time.Second)
		fill()
		time.Sleep(time.Hour)
		require.Equal(t, []string{"1 a=2", "2 a=1", "3 a=2"}, held(t, l))
		mu.Lock()
		c.Enabled, c.MaxBytesPerSecond = true, 10
		mu.Unlock()
		time.Sleep(31 * time.Second)
		require.Len(t, held(t, l), 3, "it takes its time: 10 bytes a second")
		time.Sleep(10 * time.Minute)
		require.Equal(t, []string{"3 a=2"}, held(t, l))
		cancel()
		<-done
		require.NoError(t, s.Close())
	})
}
