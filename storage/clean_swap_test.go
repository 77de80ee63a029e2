package storage

import (
	"context"
	"fmt"
	"math"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

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
	require.NoError(t, vfs.WriteFile(left, "/data/"+recoveryPointName, []byte("0\n0\n"), true))
	b = compactBed(t, left).open()
	require.Equal(t, want, held(t, b.log()))
	// Nor when a pass was given up, and its end is not in the checkpoint, and the recovery points were removed by hand.
	for _, remove := range []bool{true, false} {
		left = disk.Clone()
		require.NoError(t, vfs.WriteFile(left, "/data/"+cleanerName, []byte("0\n1\nt 0 1\n"), true))
		if remove {
			require.NoError(t, left.Remove("/data/"+recoveryPointName))
		} else {
			require.NoError(t, vfs.WriteFile(left, "/data/"+recoveryPointName, nil, true))
		}
		b = compactBed(t, left).open()
		require.Equal(t, want, held(t, b.log()))
	}
	// Without either checkpoint a hole is a loss.
	require.NoError(t, disk.Remove("/data/"+cleanerName))
	require.NoError(t, vfs.WriteFile(disk, "/data/"+recoveryPointName, []byte("0\n0\n"), true))
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

func TestACleanedSegmentIsAsOldAsWhatItComesFrom(t *testing.T) {
	dir := path.Join(t.TempDir(), "data")
	b := compactBed(t, vfs.OS)
	b.cfg.Delete, b.cfg.RetentionMs = true, time.Hour.Milliseconds()
	s, err := Open(b.options(dir))
	require.NoError(t, err)
	b.store = s
	l := b.log()
	files := func() (times []time.Time) {
		for _, suffix := range []string{logSuffix, indexSuffix, timeIndexSuffix} {
			info, err := vfs.OS.Stat(l.segments()[0].path(suffix))
			require.NoError(t, err)
			times = append(times, info.ModTime())
		}
		return times
	}
	mustAppend(t, l, kv(-1, "a=1", "b=1")) // retention has nothing but the file's time
	seal(t, l)
	mustAppend(t, l, kv(-1, "a=2"))
	seal(t, l)
	first, last := testStart.Add(-2*time.Hour), testStart.Add(-30*time.Minute)
	require.NoError(t, vfs.OS.SetModTime(l.segments()[0].logName(), first))
	require.NoError(t, vfs.OS.SetModTime(l.segments()[1].logName(), last))
	b.mustClean()
	require.Equal(t, []string{"1 b=1", "2 a=2"}, held(t, l))
	for _, at := range files() {
		require.True(t, at.Equal(last), "%s, not %s", at, last) // of the last of those that became one
	}
	for _, c := range []struct {
		passed  time.Duration
		deleted int
	}{{29 * time.Minute, 0}, {2 * time.Minute, 1}} {
		b.clock.now = b.clock.now.Add(c.passed)
		n, err := l.DeleteOldSegments()
		require.NoError(t, err)
		require.Equal(t, c.deleted, n, "after %s", c.passed)
	}
	require.NoError(t, s.Close())
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
