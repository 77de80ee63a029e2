package storage

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/vfs"
)

// A log found at start goes by the defaults of the broker until the metadata has been read. A topic that keeps what they
// would delete or compact must not lose it meanwhile.
func TestNothingIsDeletedBeforeATopicsSettingsAreKnown(t *testing.T) {
	for name, harsh := range map[string]func(*LogConfig){
		"retention by time": func(c *LogConfig) { c.RetentionMs = 1 },
		"retention by size": func(c *LogConfig) { c.RetentionBytes = 0 },
		"compaction":        func(c *LogConfig) { c.Compact, c.Delete, c.MinCleanableRatio = true, false, 0 },
		"both":              func(c *LogConfig) { c.Compact, c.RetentionMs, c.MinCleanableRatio = true, 1, 0 },
	} {
		t.Run(name, func(t *testing.T) {
			disk := vfs.NewMem()
			b := newBed(t, disk)
			b.cfg.RetentionMs = -1
			l := b.open().log()
			for i := range int64(4) {
				mustAppend(t, l, kv(testStart.UnixMilli(), "a=1", "b=2"))
				if i < 3 {
					seal(t, l)
				}
			}
			l.UpdateHighWatermark(8)
			keeps := b.cfg
			require.NoError(t, b.store.Close())

			again := newBed(t, disk)
			harsh(&again.cfg)
			again.clock.now = testStart.Add(24 * time.Hour)
			again.open()
			l, ok := again.store.Log(tp0)
			require.True(t, ok)
			require.Zero(t, again.store.DeleteOldSegments())
			require.False(t, again.clean())
			l.SetConfig(keeps)
			require.Zero(t, again.store.DeleteOldSegments())
			require.False(t, again.clean())
			require.Len(t, held(t, l), 8)

			l.SetConfig(again.cfg) // a topic that wants it so gets it so, also when that is the default
			require.True(t, again.store.DeleteOldSegments() > 0 || again.clean())
		})
	}
}

// S5 says that DeleteRecords is durable. Its line in the checkpoint goes when the segments below it do, and may not go
// before their names have gone for good.
func TestDeletedRecordsDoNotComeBackWithASegmentThatAPowerCutBringsBack(t *testing.T) {
	for _, others := range []bool{false, true} {
		disk := vfs.NewMem()
		b := newBed(t, disk)
		b.cfg.RetentionMs, b.cfg.SegmentBytes = -1, 300
		l := b.open().log()
		for range 12 {
			mustAppend(t, l, batchOf(1, 100, testStart.UnixMilli()))
		}
		l.UpdateHighWatermark(12)
		require.NoError(t, b.store.FlushDirty())
		start := l.segments()[3].base
		require.NoError(t, l.IncrementLogStartOffset(start))
		require.NoError(t, b.store.FlushDirty())
		require.Equal(t, 3, b.store.DeleteOldSegments())
		if others { // somebody else's DeleteRecords writes the same file
			require.NoError(t, l.dir.writeLogStarts())
		} else {
			require.NoError(t, b.store.FlushDirty())
			require.NoError(t, b.store.WriteCheckpoints())
		}
		for seed := range uint64(20) {
			again := newBed(t, disk.CrashClone(rand.New(rand.NewPCG(seed, 1))))
			again.cfg = b.cfg
			require.GreaterOrEqual(t, again.open().log().LogStartOffset(), start, "seed %d, others %v", seed, others)
		}
		require.NoError(t, b.store.FlushDirty())
		require.NoError(t, b.store.FlushDirty())
		text, err := vfs.ReadFile(disk, "/data/"+logStartName, 1000)
		require.NoError(t, err)
		require.Equal(t, "0\n0\n", string(text), "the name of the first segment says it now")
	}
}

// A truncation below the log start takes the start down with it. What is appended after it must be there after a kill.
func TestTheLogStartOfATruncationIsDurable(t *testing.T) {
	for _, power := range []bool{false, true} {
		disk := vfs.NewMem()
		b := newBed(t, disk)
		b.cfg.RetentionMs = -1
		l := b.open().log()
		for range 20 {
			mustAppend(t, l, batchOf(1, 100, testStart.UnixMilli()))
		}
		l.UpdateHighWatermark(20)
		require.NoError(t, l.IncrementLogStartOffset(15))
		require.NoError(t, b.store.FlushDirty())
		require.NoError(t, l.TruncateTo(10))
		for range 20 {
			mustAppend(t, l, batchOf(1, 100, testStart.UnixMilli()))
		}
		require.NoError(t, l.Flush(30))
		require.EqualValues(t, 10, l.LogStartOffset())
		left := disk.Clone()
		if power {
			left = disk.CrashClone(rand.New(rand.NewPCG(1, 1)))
		}
		again := newBed(t, left)
		again.cfg = b.cfg
		l = again.open().log()
		require.EqualValues(t, 10, l.LogStartOffset())
		require.EqualValues(t, 30, l.LogEndOffset())
	}
}

// A truncation below the first segment empties the log. A crash at any moment of it leaves a log that opens.
func TestACrashInATruncationBelowTheFirstSegment(t *testing.T) {
	for _, checkpointed := range []bool{false, true} {
		run := func(fs vfs.FS) error {
			b := newBed(t, fs)
			b.cfg.RetentionMs, b.cfg.SegmentBytes = -1, 300
			if err := b.tryOpen(); err != nil {
				return err
			}
			l, err := b.store.Create(tp0, testTopicID, b.cfg, nil)
			if err != nil {
				return err
			}
			for range 12 {
				if _, err := l.AppendAsLeader(batchOf(1, 100, testStart.UnixMilli()), 0, AppendOptions{}); err != nil {
					return err
				}
			}
			l.UpdateHighWatermark(12)
			if err := b.store.FlushDirty(); err != nil {
				return err
			}
			start := l.segments()[2].base
			if checkpointed {
				start++
			}
			if err := l.IncrementLogStartOffset(start); err != nil {
				return err
			}
			b.store.DeleteOldSegments()
			if err := b.store.FlushDirty(); err != nil {
				return err
			}
			if err := b.store.WriteCheckpoints(); err != nil {
				return err
			}
			if err := l.TruncateTo(2); err != nil {
				return err
			}
			for range 3 {
				if _, err := l.AppendAsLeader(batchOf(1, 100, testStart.UnixMilli()), 0, AppendOptions{}); err != nil {
					return err
				}
			}
			return l.Flush(5)
		}
		total := vfs.NewFault(vfs.NewMem())
		require.NoError(t, run(total))
		for n := range total.Count() + 1 {
			disk := vfs.NewMem()
			fault := vfs.NewFault(disk)
			fault.CrashAfter(n)
			done := run(fault) == nil
			left := []*vfs.Mem{disk.Clone()}
			for seed := range uint64(3) {
				left = append(left, disk.CrashClone(rand.New(rand.NewPCG(uint64(n), seed))))
			}
			for i, d := range left {
				again := newBed(t, d)
				again.cfg.RetentionMs, again.cfg.SegmentBytes = -1, 300
				require.NoError(t, again.tryOpen())
				l, err := again.store.Create(tp0, testTopicID, again.cfg, nil)
				require.NoError(t, err, "operation %d, %d", n, i)
				require.NoError(t, l.Err(), "operation %d, %d", n, i)
				_, err = readAll(l)
				require.NoError(t, err, "operation %d, %d", n, i)
				if done {
					require.EqualValues(t, 2, l.LogStartOffset(), "operation %d, %d", n, i)
					require.EqualValues(t, 5, l.LogEndOffset(), "operation %d, %d", n, i)
				}
			}
		}
	}
}

// Operators move a partition, or an old segment, to another disk and leave a symbolic link, which Apache Kafka follows.
func TestLinksAreFollowed(t *testing.T) {
	root := t.TempDir()
	data, elsewhere := filepath.Join(root, "data"), filepath.Join(root, "elsewhere")
	require.NoError(t, os.Mkdir(elsewhere, 0o700))
	open := func() *bed {
		b := newBed(t, vfs.OS)
		b.cfg.RetentionMs, b.cfg.SegmentBytes = -1, 500
		s, err := Open(b.options(data))
		require.NoError(t, err)
		b.store = s
		return b
	}
	b := open()
	for range 12 {
		mustAppend(t, b.log(), batchOf(1, 100, testStart.UnixMilli()))
	}
	want, err := readAll(b.log())
	require.NoError(t, err)
	require.NoError(t, b.store.Close())

	segment := filepath.Join(data, "t-0", offsetName(0, logSuffix))
	require.NoError(t, os.Rename(segment, filepath.Join(elsewhere, "old.log")))
	require.NoError(t, os.Symlink(filepath.Join(elsewhere, "old.log"), segment))
	require.NoError(t, os.Rename(filepath.Join(data, "t-0"), filepath.Join(elsewhere, "t-0")))
	require.NoError(t, os.Symlink(filepath.Join(elsewhere, "t-0"), filepath.Join(data, "t-0")))
	require.NoError(t, os.Symlink(filepath.Join(root, "nowhere"), filepath.Join(data, "u-0")))
	for _, kill := range []bool{false, true} {
		if kill {
			require.NoError(t, os.Remove(filepath.Join(data, cleanShutdownName)))
			require.NoError(t, os.Remove(filepath.Join(data, recoveryPointName)))
		}
		b = open()
		got, err := readAll(b.log())
		require.NoError(t, err)
		require.Equal(t, want, got, "killed: %v", kill)
		require.NoError(t, b.store.Close())
	}
}
