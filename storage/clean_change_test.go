package storage

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

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
			require.NoError(t, vfs.WriteFile(disk, "/data/"+cleanerName, []byte(text), true))
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
