package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
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

func TestADirectoryIsMadeAtTheFirstAppend(t *testing.T) {
	disk := vfs.NewMem()
	b := newBed(t, disk).open()
	l := b.log()
	require.NoError(t, l.AssignEpochStart(3, 0))
	_, err := disk.Stat("/data/t-0")
	require.ErrorIs(t, err, errNotExist)
	require.Zero(t, l.Size())
	mustAppend(t, l, batchOf(1, 9, 1))
	_, err = disk.Stat("/data/t-0/00000000000000000000.log")
	require.NoError(t, err)
	require.NoError(t, b.store.Close())
	require.Equal(t, testTopicID, newBed(t, disk).open().log().TopicID())
}

func TestRefusedBatches(t *testing.T) {
	l := newBed(t, vfs.NewMem()).open().log()
	c := l.Config()
	c.MaxMessageBytes = 1000
	l.SetConfig(c)
	flipped := batchOf(1, 50, 1)
	flipped[len(flipped)-1] ^= 1
	for name, c := range map[string]struct {
		batch []byte
		want  error
	}{
		"too large":         {batchOf(1, 2000, 1), kerr.MessageTooLarge},
		"a flipped bit":     {flipped, kerr.CorruptMessage},
		"cut short":         {batchOf(1, 50, 1)[:70], kerr.CorruptMessage},
		"from the future":   {batchOf(1, 50, testStart.UnixMilli()+7200_000), kerr.InvalidTimestamp},
		"nothing":           {nil, kerr.InvalidRecord},
		"a control batch":   {markerBatch(1, 0, true, 0, 1), kerr.InvalidRecord},
		"more than segment": {bytes.Repeat(batchOf(1, 500, 1), 10), kerr.RecordListTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			info, err := l.AppendAsLeader(c.batch, 0, AppendOptions{})
			require.ErrorIs(t, err, c.want)
			require.Zero(t, l.LogEndOffset())
			if c.want == kerr.InvalidTimestamp {
				require.Len(t, info.RecordErrors, 1)
			}
		})
	}
}

func TestTheFirstFailedWriteOrSyncTakesTheDirectoryOffline(t *testing.T) { // R21, L12, L11
	for name, rule := range map[string]vfs.Rule{
		"write":       {Kinds: vfs.KindWrite, Pattern: "*.log", Nth: 3},
		"short write": {Kinds: vfs.KindWrite, Pattern: "*.log", Nth: 3, Short: true},
		"sync":        {Kinds: vfs.KindSync, Pattern: "*.log", Nth: 1},
	} {
		t.Run(name, func(t *testing.T) {
			disk := vfs.NewMem()
			fault := vfs.NewFault(disk)
			b := newBed(t, fault).open()
			l := b.log()
			mustAppend(t, l, batchOf(1, 9, 1))
			mustAppend(t, l, batchOf(1, 9, 1))
			fault.Fail(rule)
			fault.Fail(vfs.Rule{}) // the others work again at once
			rule.Nth = 1
			fault.Fail(rule)
			var err error
			if name == "sync" {
				err = l.Flush(2)
			} else {
				_, err = l.AppendAsLeader(batchOf(1, 9, 1), 0, AppendOptions{})
			}
			require.ErrorIs(t, err, kerr.KafkaStorageError)
			fault.Heal()
			<-b.store.OfflineDirs()
			require.False(t, b.store.Dirs()[0].Online())
			_, err = l.AppendAsLeader(batchOf(1, 9, 1), 0, AppendOptions{})
			require.ErrorIs(t, err, kerr.KafkaStorageError)
			require.ErrorIs(t, l.Flush(2), kerr.KafkaStorageError)
			_, err = l.Read(0, 100, 2, true)
			require.ErrorIs(t, err, kerr.KafkaStorageError)
			require.Equal(t, int64(2), l.LogEndOffset())
			require.Error(t, b.store.Close())
			_, err = disk.Stat("/data/" + cleanShutdownName)
			require.ErrorIs(t, err, errNotExist)

			again := newBed(t, disk.Clone()).open()
			require.Equal(t, int64(2), again.log().LogEndOffset())
		})
	}
}

func TestOneDirectoryOfflineLeavesTheOther(t *testing.T) {
	fault := vfs.NewFault(vfs.NewMem())
	b := newBed(t, fault)
	var err error
	b.store, err = Open(b.options("/a", "/b"))
	require.NoError(t, err)
	var logs []*Log
	for p := range int32(2) {
		l, err := b.store.Create(protocol.TopicPartition{Topic: "t", Partition: p}, testTopicID, b.cfg, nil)
		require.NoError(t, err)
		mustAppend(t, l, batchOf(1, 9, 1))
		logs = append(logs, l)
	}
	require.NotEqual(t, logs[0].Dir(), logs[1].Dir()) // the emptier one is chosen
	fault.Fail(vfs.Rule{Kinds: vfs.KindWrite, Pattern: "*.log", Nth: 1})
	_, err = logs[0].AppendAsLeader(batchOf(1, 9, 1), 0, AppendOptions{})
	require.ErrorIs(t, err, kerr.KafkaStorageError)
	mustAppend(t, logs[1], batchOf(1, 9, 1))
	l, err := b.store.Create(protocol.TopicPartition{Topic: "u"}, testTopicID, b.cfg, nil)
	require.NoError(t, err)
	require.Equal(t, logs[1].Dir(), l.Dir())
}

func TestWhoseDirectoryItIs(t *testing.T) { // promise 7
	disk := vfs.NewMem()
	b := newBed(t, disk).open()
	_, err := Open(b.options())
	require.ErrorIs(t, err, vfs.ErrLocked)
	mustAppend(t, b.log(), batchOf(1, 9, 1))
	require.NoError(t, b.store.Close())

	o := b.options()
	o.ClusterID = "another"
	_, err = Open(o)
	require.ErrorContains(t, err, `belongs to cluster "cluster", not to "another"`)
	o = b.options()
	o.NodeID = 2
	_, err = Open(o)
	require.ErrorContains(t, err, "belongs to node 1, not to 2")
	require.NoError(t, vfs.WriteFileAtomic(disk, "/data/meta.properties", []byte("version=7\n"), true))
	_, err = Open(b.options())
	require.ErrorContains(t, err, `version "7" is not 1`)
	require.NoError(t, disk.Remove("/data/meta.properties"))
	_, err = Open(b.options())
	require.ErrorContains(t, err, "holds t-0 but no meta.properties")
	o.ClusterID = ""
	o.Dirs = []string{"/new"}
	_, err = Open(o)
	require.ErrorIs(t, err, ErrNotFormatted)
	require.NoError(t, vfs.WriteFileAtomic(disk, "/data/"+recoveryPointName, []byte("0\n3\nt 0"), true))
}

func TestTheCleanMarkerIsRemovedFirstAndCarriesTheBrokerEpoch(t *testing.T) { // L2
	disk := vfs.NewMem()
	b := newBed(t, disk)
	o := b.options()
	o.BrokerEpoch = func() int64 { return 42 }
	s, err := Open(o)
	require.NoError(t, err)
	require.Equal(t, int64(-1), s.PreviousBrokerEpoch())
	require.NoError(t, s.Close())
	marker, err := vfs.ReadFile(disk, "/data/"+cleanShutdownName, 100)
	require.NoError(t, err)
	require.Equal(t, `{"version":0,"brokerEpoch":42}`, string(marker))
	s, err = Open(o)
	require.NoError(t, err)
	require.Equal(t, int64(42), s.PreviousBrokerEpoch())
	_, err = disk.Stat("/data/" + cleanShutdownName)
	require.ErrorIs(t, err, errNotExist)
}

func TestAVanishedPartitionIsNotMadeAnewEmpty(t *testing.T) { // R28
	disk := vfs.NewMem()
	b := newBed(t, disk).open()
	mustAppend(t, b.log(), batchOf(1, 9, 1))
	b.log().UpdateHighWatermark(1)
	require.NoError(t, b.store.Close())
	require.NoError(t, disk.RemoveAll("/data/t-0"))

	for range 2 { // it is not forgotten either
		b.open()
		require.Equal(t, []protocol.TopicPartition{tp0}, b.store.Dirs()[0].Missing())
		_, err := b.store.Create(tp0, testTopicID, b.cfg, nil)
		require.ErrorIs(t, err, kerr.KafkaStorageError)
		require.NoError(t, b.store.Close())
	}
	b.open()
	require.NoError(t, b.store.AcceptLoss(tp0))
	mustAppend(t, b.log(), batchOf(1, 9, 1))
}

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

func TestOffsetsBeyond32Bits(t *testing.T) { // L7
	disk := vfs.NewMem()
	b := newBed(t, disk).open()
	l := b.log()
	start := int64(1) << 40
	require.NoError(t, l.TruncateFullyAndStartAt(start))
	for i, offset := range []int64{start, start + math.MaxInt32, start + math.MaxInt32 + 1, start + 3<<32} {
		batch := record.Batch(batchOf(1, 9, 1000))
		batch.SetBaseOffset(offset)
		batch.SetPartitionLeaderEpoch(int32(i))
		_, err := l.AppendAsFollower(batch)
		require.NoError(t, err)
	}
	check := func(l *Log) {
		offsets, err := readAll(l)
		require.NoError(t, err)
		require.Equal(t, []int64{start, start + math.MaxInt32, start + math.MaxInt32 + 1, start + 3<<32}, offsets)
		s, err := l.Read(start+5, 100, math.MaxInt64, true) // C10: a gap leads to the next record
		require.NoError(t, err)
		require.Equal(t, start+math.MaxInt32, s.BaseOffset())
		s.Release()
		epoch, end := l.EndOffsetForEpoch(2)
		require.Equal(t, int32(2), epoch)
		require.Equal(t, start+3<<32, end)
	}
	check(l)
	require.NoError(t, b.store.FlushDirty())
	check(newBed(t, disk.Clone()).open().log())
	require.NoError(t, b.store.Close())
	check(newBed(t, disk).open().log())
}

func TestFetchInsideABatchReturnsIt(t *testing.T) { // Q8, F1
	l := newBed(t, vfs.NewMem()).open().log()
	for i := range 50 {
		mustAppend(t, l, batchOf(10, 20, int64(i)))
	}
	size := len(batchOf(10, 20, 0))
	s, err := l.Read(237, 10*size, 500, true)
	require.NoError(t, err)
	require.Equal(t, int64(230), s.BaseOffset())
	require.Zero(t, s.Len()%size)
	s.Release()
	s, err = l.Read(237, size-1, 500, false)
	require.NoError(t, err)
	require.Zero(t, s.Len())
	s, err = l.Read(237, 1, 500, true)
	require.NoError(t, err)
	require.Equal(t, size, s.Len())
	s.Release()
	for _, end := range []int64{231, 239} { // the batch reaches past the end
		s, err = l.Read(230, 10*size, end, true)
		require.NoError(t, err)
		require.Zero(t, s.Len())
	}
	s, err = l.Read(230, 10*size, 240, true)
	require.NoError(t, err)
	require.Equal(t, size, s.Len())
	s.Release()
	for _, offset := range []int64{-1, 501} {
		_, err = l.Read(offset, 100, 500, true)
		require.ErrorIs(t, err, kerr.OffsetOutOfRange)
	}
	s, err = l.Read(500, 100, 500, true)
	require.NoError(t, err)
	require.Zero(t, s.Len())
}

func TestTimestampsAreExactInEveryCodec(t *testing.T) { // S1
	for _, c := range []compress.Codec{compress.None, compress.Gzip, compress.Snappy, compress.LZ4, compress.Zstd} {
		t.Run(c.String(), func(t *testing.T) {
			disk := vfs.NewMem()
			b := newBed(t, disk).open()
			l := b.log()
			for i := range 60 { // batch i: i*100 to i*100+9, but every seventh is 250 ms early
				ts := int64(1000 + i*100)
				if i%7 == 3 {
					ts -= 250
				}
				mustAppend(t, l, batchOf(10, 20, ts, codec(c)))
			}
			require.NoError(t, b.store.FlushDirty())
			type answer struct{ offset, ts int64 }
			var times []int64 // by offset
			for i := range 60 {
				for j := range 10 {
					ts := int64(1000 + i*100 + j)
					if i%7 == 3 {
						ts -= 250
					}
					times = append(times, ts)
				}
			}
			check := func(l *Log) {
				t.Helper()
				for ts := int64(900); ts < 7000; ts += 37 {
					want := answer{-1, -1}
					for offset, at := range times {
						if at >= ts {
							want = answer{int64(offset), at}
							break
						}
					}
					offset, at, _, found, err := l.OffsetForTimestamp(ts)
					require.NoError(t, err)
					require.Equal(t, want, answer{offset, at}, "timestamp %d", ts)
					require.Equal(t, want.offset >= 0, found)
				}
				offset, at, _, found, err := l.OffsetOfMaxTimestamp()
				require.NoError(t, err)
				require.True(t, found)
				want := answer{-1, -1}
				for offset, at := range times {
					if at > want.ts {
						want = answer{int64(offset), at}
					}
				}
				require.Equal(t, want, answer{offset, at})
			}
			check(l)
			require.NoError(t, b.store.Close())
			check(newBed(t, disk).open().log())
		})
	}
}

func TestMaxTimestampWithLogAppendTimeIsItsFirstRecord(t *testing.T) {
	b := newBed(t, vfs.NewMem())
	b.cfg.TimestampType = record.LogAppendTime
	l := b.open().log()
	info := mustAppend(t, l, batchOf(3, 9, 5))
	require.Equal(t, testStart.UnixMilli(), info.LogAppendTime)
	b.clock.now = testStart.Add(time.Second)
	mustAppend(t, l, batchOf(3, 9, 5))
	mustAppend(t, l, batchOf(3, 9, 5))
	offset, at, _, _, err := l.OffsetOfMaxTimestamp()
	require.NoError(t, err)
	require.Equal(t, int64(3), offset)
	require.Equal(t, b.clock.now.UnixMilli(), at)
}

func TestMissingAndDamagedIndexesAreMadeAnew(t *testing.T) { // L5, L6
	disk := vfs.NewMem()
	b := newBed(t, disk).open()
	for i := range 100 {
		mustAppend(t, b.log(), batchOf(3, 50, 1000+int64(i)*10))
	}
	require.NoError(t, b.store.Close())
	want, err := readAll(newBed(t, disk.Clone()).open().log())
	require.NoError(t, err)
	for _, name := range list(t, disk, "/data/t-0") {
		if !strings.HasSuffix(name, "index") {
			continue
		}
		for what, damage := range map[string]func(d *vfs.Mem, name string) error{
			"removed": func(d *vfs.Mem, name string) error { return d.Remove(name) },
			"zeros":   func(d *vfs.Mem, name string) error { return vfs.WriteFileAtomic(d, name, make([]byte, 480), true) },
			"odd":     func(d *vfs.Mem, name string) error { return vfs.WriteFileAtomic(d, name, make([]byte, 7), true) },
		} {
			d := disk.Clone()
			require.NoError(t, damage(d, "/data/t-0/"+name))
			b := newBed(t, d).open()
			got, err := readAll(b.log())
			require.NoError(t, err, "%s %s", name, what)
			require.Equal(t, want, got)
			offset, _, _, found, err := b.log().OffsetForTimestamp(1500)
			require.NoError(t, err)
			require.True(t, found)
			require.Equal(t, int64(150), offset, "%s %s", name, what)
			mustAppend(t, b.log(), batchOf(3, 50, 5000))
			require.NoError(t, b.store.Close())
			_, err = d.Stat("/data/t-0/" + name)
			require.NoError(t, err)
		}
	}
}

func TestDamageBelowTheRecoveryPointIsNotCutAway(t *testing.T) { // L1, promise 8
	disk := vfs.NewMem()
	b := newBed(t, disk)
	b.cfg.SegmentBytes = 1 << 20
	l := b.open().log()
	for i := range 10 {
		mustAppend(t, l, batchOf(3, 50, int64(i)))
	}
	require.NoError(t, b.store.FlushDirty())
	mustAppend(t, l, batchOf(3, 50, 11))
	size := int64(len(batchOf(3, 50, 0)))
	flip := func(d *vfs.Mem, pos int64, truncate bool) *bed {
		f, err := d.OpenFile("/data/t-0/00000000000000000000.log", 2, 0)
		require.NoError(t, err)
		if truncate {
			require.NoError(t, f.Truncate(pos))
		} else {
			_, err = f.WriteAt([]byte{0xff, 0xff}, pos)
			require.NoError(t, err)
		}
		n := newBed(t, d)
		n.cfg = b.cfg
		return n.open()
	}
	// A torn tail is cut: the last batch was not flushed.
	n := flip(disk.Clone(), 10*size+100, false)
	require.NoError(t, n.log().Err())
	require.Equal(t, int64(30), n.log().LogEndOffset())
	// A damaged header below the recovery point, or a file that is too short, is not.
	for _, truncate := range []bool{false, true} {
		d := disk.Clone()
		n = flip(d, 5*size+9, truncate)
		before := list(t, d, "/data/t-0")
		l, ok := n.store.Log(tp0)
		require.True(t, ok)
		var damage *CorruptError
		require.ErrorAs(t, l.Err(), &damage)
		_, err := l.Read(0, 100, 30, true)
		require.ErrorIs(t, err, kerr.KafkaStorageError)
		_, err = l.AppendAsLeader(batchOf(1, 9, 1), 0, AppendOptions{})
		require.ErrorIs(t, err, kerr.KafkaStorageError)
		_, err = n.store.Create(tp0, testTopicID, b.cfg, nil)
		require.ErrorIs(t, err, kerr.KafkaStorageError)
		require.True(t, n.store.Dirs()[0].Online())
		require.NoError(t, n.store.Close())
		require.Equal(t, before, list(t, d, "/data/t-0"))
		require.NotContains(t, list(t, d, "/data"), cleanShutdownName)
	}
}

func TestFlushMessagesSyncsBeforeTheAppendReturns(t *testing.T) {
	disk := vfs.NewMem()
	b := newBed(t, disk)
	b.cfg.FlushMessages = 1
	l := b.open().log()
	for i := range 5 {
		mustAppend(t, l, batchOf(1, 9, int64(i)))
		require.Equal(t, l.LogEndOffset(), l.RecoveryPoint())
	}
	for seed := range uint64(20) {
		n := newBed(t, disk.CrashClone(newRand(seed))).open()
		require.Equal(t, int64(5), n.log().LogEndOffset())
	}
}

func TestRunFlushesRetainsAndCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		broker := clock.NewMovable(clock.Machine)
		b := newBed(t, disk)
		o := b.options()
		o.Clocks = clock.Clocks{Broker: broker, Real: clock.Machine}
		s, err := Open(o)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		l, err := s.Create(tp0, testTopicID, b.cfg, nil)
		require.NoError(t, err)
		now := broker.Now().UnixMilli()
		for range 50 {
			mustAppend(t, l, batchOf(1, 100, now))
		}
		l.UpdateHighWatermark(50)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		require.Equal(t, int64(50), l.RecoveryPoint())
		points, err := vfs.ReadFile(disk, "/data/"+recoveryPointName, 1000)
		require.NoError(t, err)
		require.Equal(t, "0\n1\nt 0 50\n", string(points))
		marks, err := vfs.ReadFile(disk, "/data/"+highWatermarkName, 1000)
		require.NoError(t, err)
		require.Equal(t, "0\n1\nt 0 50\n", string(marks))

		broker.Advance(8 * 24 * time.Hour)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, int64(50), l.LogStartOffset())
		broker.Advance(2 * time.Minute)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for _, name := range list(t, disk, "/data/t-0") {
			require.False(t, strings.HasSuffix(name, deletedSuffix), name)
		}
		stop()
		require.NoError(t, <-done)
		require.NoError(t, s.Close())
	})
}

func TestDescriptorsAreBounded(t *testing.T) {
	b := newBed(t, vfs.NewMem())
	o := b.options()
	o.MaxOpenFiles = 20
	var err error
	b.store, err = Open(o)
	require.NoError(t, err)
	for round := range 3 {
		for p := range int32(100) {
			l, err := b.store.Create(protocol.TopicPartition{Topic: "t", Partition: p}, testTopicID, b.cfg, nil)
			require.NoError(t, err)
			mustAppend(t, l, batchOf(1, 100, 1))
			_, err = readAll(l)
			require.NoError(t, err)
			require.Equal(t, int64(round+1), l.LogEndOffset())
		}
		require.NoError(t, b.store.FlushDirty())
		require.LessOrEqual(t, b.store.files.openFiles(), 20)
	}
}

func TestAnIdlePartitionCostsLessThanAKilobyte(t *testing.T) {
	const n = 20_000
	b := newBed(t, vfs.NewMem()).open()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for p := range int32(n) {
		_, err := b.store.Create(protocol.TopicPartition{Topic: "topic", Partition: p}, testTopicID, b.cfg, nil)
		require.NoError(t, err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (after.HeapAlloc - before.HeapAlloc) / n
	t.Logf("%d bytes", each)
	require.Less(t, each, uint64(1024+300)) // with the test's own arguments and the map
	runtime.KeepAlive(b)
}

func TestHundredsOfPartitionsReopen(t *testing.T) {
	disk := vfs.NewMem()
	b := newBed(t, disk).open()
	for p := range int32(300) {
		l, err := b.store.Create(protocol.TopicPartition{Topic: "t", Partition: p}, testTopicID, b.cfg, nil)
		require.NoError(t, err)
		mustAppend(t, l, batchOf(2, 100, 1))
	}
	require.NoError(t, b.store.Close())
	fault := vfs.NewFault(disk)
	reads := map[string]int{}
	fault.Observe(func(op vfs.Op) {
		if op.Kind == vfs.KindRead {
			reads[op.Name[strings.LastIndexByte(op.Name, '.')+1:]]++
		}
	})
	b = newBed(t, fault).open()
	require.Zero(t, reads["log"]) // a clean start looks at sizes
	require.Zero(t, reads["index"])
	n := 0
	for _, l := range b.store.All() {
		require.Equal(t, int64(2), l.LogEndOffset())
		n++
	}
	require.Equal(t, 300, n)
}

func TestSwapsAreFinishedOrUndone(t *testing.T) { // L4
	base := vfs.NewMem()
	b := newBed(t, base).open()
	for i := range 40 {
		mustAppend(t, b.log(), batchOf(2, 150, int64(i)))
	}
	require.NoError(t, b.store.Close())
	want, err := readAll(newBed(t, base.Clone()).open().log())
	require.NoError(t, err)
	segs := []string{}
	for _, name := range list(t, base, "/data/t-0") {
		if strings.HasSuffix(name, logSuffix) {
			segs = append(segs, strings.TrimSuffix(name, logSuffix))
		}
	}
	require.Greater(t, len(segs), 2)
	dup := func(d *vfs.Mem, seg, suffix string) {
		for _, s := range []string{logSuffix, indexSuffix, timeIndexSuffix} {
			c, err := vfs.ReadFile(d, "/data/t-0/"+seg+s, 1<<20)
			require.NoError(t, err)
			require.NoError(t, vfs.WriteFileAtomic(d, "/data/t-0/"+seg+s+suffix, c, true))
		}
	}
	for name, prepare := range map[string]func(d *vfs.Mem){
		"cleaned only":     func(d *vfs.Mem) { dup(d, segs[0], cleanedSuffix) },
		"cleaned and swap": func(d *vfs.Mem) { dup(d, segs[1], swapSuffix); dup(d, segs[0], cleanedSuffix) },
		"swap":             func(d *vfs.Mem) { dup(d, segs[1], swapSuffix) },
		"swap, half deleted": func(d *vfs.Mem) {
			dup(d, segs[0], swapSuffix)
			require.NoError(t, d.Rename("/data/t-0/"+segs[0]+logSuffix, "/data/t-0/"+segs[0]+logSuffix+deletedSuffix))
		},
		"deleted": func(d *vfs.Mem) { dup(d, segs[0], deletedSuffix) },
	} {
		t.Run(name, func(t *testing.T) {
			d := base.Clone()
			prepare(d)
			total := 0
			for crash := -1; crash < max(total, 1); crash++ { // also when the start itself is killed
				fault := vfs.NewFault(d.Clone())
				if crash >= 0 {
					fault.CrashAfter(crash)
				}
				n := newBed(t, fault)
				err := n.tryOpen()
				if crash < 0 {
					require.NoError(t, err)
					total = fault.Count()
					got, err := readAll(n.log())
					require.NoError(t, err)
					require.Equal(t, want, got)
					for _, name := range list(t, fault, "/data/t-0") {
						require.NotRegexp(t, `\.(cleaned|swap|deleted)$`, name)
					}
				}
			}
		})
	}
}

func TestCloseIsCleanOnlyWhenEverythingWentWell(t *testing.T) { // L5
	disk := vfs.NewMem()
	fault := vfs.NewFault(disk)
	b := newBed(t, fault).open()
	mustAppend(t, b.log(), batchOf(1, 9, 1))
	fault.Fail(vfs.Rule{Kinds: vfs.KindSync, Pattern: "*.timeindex", Nth: 1, Err: errors.New("no")})
	require.Error(t, b.store.Close())
	require.NotContains(t, list(t, disk, "/data"), cleanShutdownName)
}

func TestNamesThatMustNotBecomePaths(t *testing.T) {
	b := newBed(t, vfs.NewMem()).open()
	for _, topic := range []string{"", ".", "..", "a/b", "../x", "a\x00b", strings.Repeat("x", 250)} {
		_, err := b.store.Create(protocol.TopicPartition{Topic: topic}, testTopicID, b.cfg, nil)
		require.ErrorIs(t, err, kerr.InvalidTopicException, fmt.Sprintf("%q", topic))
	}
	long := protocol.TopicPartition{Topic: strings.Repeat("x", 249), Partition: 1234567}
	require.LessOrEqual(t, len(deleteDirName(long, newRand(1))), 255)
	for name, want := range map[string]dirKind{"a-b-3": dirCurrent, "a-3.0123-delete": dirDelete, "a.b-3.01-future": dirFuture, "a-3.01-stray": dirStray} {
		tp, kind, ok := parseDirName(name)
		require.True(t, ok, name)
		require.Equal(t, int32(3), tp.Partition)
		require.Equal(t, want, kind)
	}
	for _, name := range []string{"x", "-3", "a-", "a-x", "a-03", "a-3.tmp", "lost+found"} {
		_, _, ok := parseDirName(name)
		require.False(t, ok, name)
	}
}
