package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
			if errors.Is(c.want, kerr.InvalidTimestamp) {
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
	require.ErrorContains(t, err, `has version 7 and was written by a newer release`)
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
	require.LessOrEqual(t, len(takenDirName(long, newRand(1), deleteDirSuffix)), 255)
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
