package storage

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/internal/vfs"
)

func TestDeleteRenamesAndRemovesLater(t *testing.T) {
	disk := vfs.NewMem()
	b := newBed(t, disk).open()
	l := b.log()
	mustAppend(t, l, batchOf(1, 9, 1))
	require.NoError(t, b.store.FlushDirty())
	reader, err := l.Read(0, 1000, 1, true)
	require.NoError(t, err)
	require.NoError(t, b.store.Delete(tp0))
	names := list(t, disk, "/data")
	require.Regexp(t, `^t-0\.[0-9a-f]{32}-delete$`, names[len(names)-1])
	_, err = l.AppendAsLeader(batchOf(1, 9, 1), 0, AppendOptions{})
	require.ErrorIs(t, err, kerr.KafkaStorageError)

	l = b.log() // the same name again, at once
	mustAppend(t, l, batchOf(1, 9, 1))
	killed := newBed(t, disk.Clone()).open()
	require.NoError(t, killed.log().Err())
	require.Equal(t, int64(1), killed.log().LogEndOffset())

	b.clock.now = testStart.Add(61 * time.Second)
	b.store.RemoveDue()
	for _, name := range list(t, disk, "/data") {
		require.False(t, strings.HasSuffix(name, deleteDirSuffix), name)
	}
	buf := make([]byte, reader.Len())
	_, err = reader.ReadAt(buf, 0) // L14
	require.NoError(t, err)
	open := b.store.files.openFiles()
	reader.Release()
	require.Equal(t, open-1, b.store.files.openFiles()) // its space is free again
}

func TestRetention(t *testing.T) { // S3, S4, L14
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		set   func(c *LogConfig)
		hw    int64
		after time.Duration
		first int64
	}{
		"by time":                          {func(c *LogConfig) { c.RetentionMs = day.Milliseconds() }, 40, day + 25*time.Second, 24},
		"by time, all of it":               {func(c *LogConfig) { c.RetentionMs = day.Milliseconds() }, 40, 3 * day, 40},
		"nothing above the high watermark": {func(c *LogConfig) { c.RetentionMs = day.Milliseconds() }, 20, 3 * day, 16},
		"by size":                          {func(c *LogConfig) { c.RetentionMs, c.RetentionBytes = -1, 2500 }, 40, 0, 24},
		"not with compact only":            {func(c *LogConfig) { c.RetentionMs, c.Delete = 1, false }, 40, 3 * day, 0},
	} {
		t.Run(name, func(t *testing.T) {
			disk := vfs.NewMem()
			b := newBed(t, disk)
			b.cfg.SegmentBytes, b.cfg.FileDeleteDelayMs = 1400, 0
			c.set(&b.cfg)
			l := b.open().log()
			for i := range int64(40) { // a second each; eight to a segment
				mustAppend(t, l, batchOf(1, 100, testStart.UnixMilli()+i*1000))
			}
			require.Equal(t, int64(8), l.segments()[1].base)
			l.UpdateHighWatermark(c.hw)
			b.clock.now = testStart.Add(c.after)
			reader, err := l.Read(0, 1000, 40, true)
			require.NoError(t, err)
			b.store.DeleteOldSegments()
			b.store.RemoveDue()
			require.Equal(t, c.first, l.LogStartOffset())
			_, err = reader.ReadAt(make([]byte, reader.Len()), 0)
			require.NoError(t, err)
			reader.Release()
			if c.first > 0 {
				_, err = l.Read(c.first-1, 1000, 40, true)
				require.ErrorIs(t, err, kerr.OffsetOutOfRange)
			}
			again := newBed(t, disk.Clone())
			again.cfg = b.cfg
			require.Equal(t, c.first, again.open().log().LogStartOffset())
			require.Equal(t, int64(40), again.log().LogEndOffset())
		})
	}
}

func TestRollByTimeGoesByTheFirstBatch(t *testing.T) {
	b := newBed(t, vfs.NewMem())
	b.cfg.SegmentMs = 1000
	l := b.open().log()
	mustAppend(t, l, batchOf(1, 9, 5000))
	b.clock.now = testStart.Add(time.Hour) // the broker's time does not count when records have times
	mustAppend(t, l, batchOf(1, 9, 6000))
	require.Len(t, l.segments(), 1)
	mustAppend(t, l, batchOf(1, 9, 6001))
	require.Len(t, l.segments(), 2)
}

func TestATruncatedSegmentStillRollsByItsFirstBatch(t *testing.T) {
	disk := vfs.NewMem()
	b := newBed(t, disk)
	b.cfg.SegmentMs, b.cfg.SegmentBytes = 1000, 500
	l := b.open().log()
	for i := range int64(10) {
		mustAppend(t, l, batchOf(1, 100, 5000+i))
	}
	require.NoError(t, b.store.Close())
	again := newBed(t, disk)
	again.cfg = b.cfg
	l = again.open().log()
	require.NoError(t, l.TruncateTo(4)) // into a sealed segment that nobody has read since the start
	require.NotZero(t, l.active().base)
	n := len(l.segments())
	mustAppend(t, l, batchOf(1, 9, 5900))
	require.Len(t, l.segments(), n)
	mustAppend(t, l, batchOf(1, 9, 7000))
	require.Len(t, l.segments(), n+1)
}
