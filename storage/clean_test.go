package storage

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/vfs"
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
