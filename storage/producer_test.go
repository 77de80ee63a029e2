package storage

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

func TestARetryOfTheLastFiveBatchesAnswersTheOldOffsets(t *testing.T) { // P1
	l := newBed(t, vfs.NewMem()).open().log()
	var infos []AppendInfo
	for i := range 7 {
		infos = append(infos, mustAppend(t, l, batchOf(2, 10, 1000*int64(i), producer(7, 0, int32(2*i)))))
	}
	for i := 6; i >= 2; i-- {
		info, err := l.AppendAsLeader(batchOf(2, 10, 1000*int64(i), producer(7, 0, int32(2*i))), 0, AppendOptions{})
		require.NoError(t, err)
		require.True(t, info.Duplicate)
		require.Equal(t, infos[i].FirstOffset, info.FirstOffset)
		require.Equal(t, infos[i].LastOffset, info.LastOffset)
		require.Equal(t, 1000*int64(i)+1, info.LogAppendTime)
	}
	_, err := l.AppendAsLeader(batchOf(2, 10, 1000, producer(7, 0, 2)), 0, AppendOptions{})
	require.ErrorIs(t, err, kerr.OutOfOrderSequenceNumber)
	require.Equal(t, int64(14), l.LogEndOffset())
}

func TestSequencesWrap(t *testing.T) { // P2
	l := newBed(t, vfs.NewMem()).open().log()
	mustAppend(t, l, batchOf(1, 10, 1000, producer(1, 0, math.MaxInt32-1)))
	mustAppend(t, l, batchOf(4, 10, 1000, producer(1, 0, math.MaxInt32))) // MaxInt32, 0, 1, 2
	info := mustAppend(t, l, batchOf(4, 10, 1000, producer(1, 0, math.MaxInt32)))
	require.True(t, info.Duplicate)
	require.Equal(t, int64(1), info.FirstOffset)
	mustAppend(t, l, batchOf(1, 10, 1000, producer(1, 0, 3)))
	mustAppend(t, l, batchOf(1, 10, 1000, producer(2, 0, math.MaxInt32)))
	mustAppend(t, l, batchOf(1, 10, 1000, producer(2, 0, 0)))
}

func TestProducerRules(t *testing.T) { // P3, P4, P8
	for name, c := range map[string]struct {
		before []byte
		batch  []byte
		opts   AppendOptions
		want   error
	}{
		"a gap":                                  {batchOf(1, 9, 1, producer(1, 0, 0)), batchOf(1, 9, 1, producer(1, 0, 2)), AppendOptions{}, kerr.OutOfOrderSequenceNumber},
		"an older sequence":                      {batchOf(3, 9, 1, producer(1, 0, 5)), batchOf(1, 9, 1, producer(1, 0, 6)), AppendOptions{}, kerr.OutOfOrderSequenceNumber},
		"a new epoch that does not start at 0":   {batchOf(1, 9, 1, producer(1, 0, 0)), batchOf(1, 9, 1, producer(1, 1, 1)), AppendOptions{}, kerr.OutOfOrderSequenceNumber},
		"a new epoch":                            {batchOf(1, 9, 1, producer(1, 0, 4)), batchOf(1, 9, 1, producer(1, 1, 0)), AppendOptions{}, nil},
		"an old epoch":                           {batchOf(1, 9, 1, producer(1, 3, 0)), batchOf(1, 9, 1, producer(1, 2, 1)), AppendOptions{}, kerr.InvalidProducerEpoch},
		"an unknown producer":                    {nil, batchOf(1, 9, 1, producer(1, 0, 17)), AppendOptions{}, nil},
		"an unknown producer, transactions v2":   {nil, batchOf(1, 9, 1, producer(1, 0, 17)), AppendOptions{EpochBump: true}, kerr.OutOfOrderSequenceNumber},
		"outside of the open transaction":        {batchOf(1, 9, 1, producer(1, 0, 0), transactional), batchOf(1, 9, 1, producer(1, 0, 1)), AppendOptions{}, kerr.InvalidTxnState},
		"a coordinator is not asked for numbers": {batchOf(1, 9, 1, producer(1, 0, 0)), batchOf(1, 9, 1, producer(1, 0, 9)), AppendOptions{Origin: record.Coordinator}, nil},
		"a marker of an old epoch":               {batchOf(1, 9, 1, producer(1, 3, 0), transactional), markerBatch(1, 2, true, 0, 5), AppendOptions{Origin: record.Coordinator}, kerr.InvalidProducerEpoch},
		"a v2 marker must raise the epoch":       {batchOf(1, 9, 1, producer(1, 3, 0), transactional), markerBatch(1, 3, true, 0, 5), AppendOptions{Origin: record.Coordinator, TransactionVersion: 2}, kerr.InvalidProducerEpoch},
		"a v2 marker again (KAFKA-19999)":        {batchOf(1, 9, 1, producer(1, 3, 0)), markerBatch(1, 3, true, 0, 5), AppendOptions{Origin: record.Coordinator, TransactionVersion: 2}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := newBed(t, vfs.NewMem()).open().log()
			if c.before != nil {
				mustAppend(t, l, c.before)
			}
			end, state := l.LogEndOffset(), l.ActiveProducers()
			_, err := l.AppendAsLeader(c.batch, 0, c.opts)
			require.ErrorIs(t, err, c.want)
			if c.want != nil { // a refused append changes nothing
				require.Equal(t, end, l.LogEndOffset())
				require.Equal(t, state, l.ActiveProducers())
			}
		})
	}
}

func TestAZombieCoordinatorIsFenced(t *testing.T) { // T13
	l := newBed(t, vfs.NewMem()).open().log()
	coordinator := AppendOptions{Origin: record.Coordinator}
	mustAppend(t, l, batchOf(1, 9, 1, producer(1, 0, 0), transactional))
	_, err := l.AppendAsLeader(markerBatch(1, 0, true, 5, 10), 0, coordinator)
	require.NoError(t, err)
	_, err = l.AppendAsLeader(markerBatch(1, 0, false, 4, 10), 0, coordinator)
	require.ErrorIs(t, err, kerr.TransactionCoordinatorFenced)
}

func TestTransactionsHoldTheLastStableOffset(t *testing.T) {
	disk := vfs.NewMem()
	b := newBed(t, disk).open()
	l := b.log()
	coordinator := AppendOptions{Origin: record.Coordinator}
	end := func(id int64, commit bool) {
		_, err := l.AppendAsLeader(markerBatch(id, 0, commit, 0, 10), 0, coordinator)
		require.NoError(t, err)
	}
	check := func(hw, lso int64) {
		t.Helper()
		l.UpdateHighWatermark(hw)
		require.Equal(t, lso, l.LastStableOffset())
	}
	mustAppend(t, l, batchOf(2, 9, 1))                                   // 0-1
	mustAppend(t, l, batchOf(2, 9, 1, producer(1, 0, 0), transactional)) // 2-3
	mustAppend(t, l, batchOf(1, 9, 1, producer(2, 0, 0), transactional)) // 4
	check(5, 2)
	end(1, false) // 5
	check(5, 2)   // the marker is not replicated
	check(6, 4)
	mustAppend(t, l, batchOf(1, 9, 1, producer(1, 0, 2), transactional)) // 6
	end(2, true)                                                         // 7
	check(8, 6)
	end(1, false) // 8
	check(9, 9)

	verify := func(l *Log) {
		t.Helper()
		all, err := l.AbortedTransactions(0, 9)
		require.NoError(t, err)
		require.Equal(t, []AbortedTxn{{1, 2, 5, 4}, {1, 6, 8, 9}}, all)
		some, err := l.AbortedTransactions(0, 4) // T10
		require.NoError(t, err)
		require.Equal(t, []AbortedTxn{{1, 2, 5, 4}}, some)
		some, err = l.AbortedTransactions(6, 9)
		require.NoError(t, err)
		require.Equal(t, []AbortedTxn{{1, 6, 8, 9}}, some)
	}
	verify(l)
	require.NoError(t, l.Roll())
	verify(l)
	require.NoError(t, b.store.FlushDirty())
	verify(l)

	killed := newBed(t, disk.Clone()).open()
	verify(killed.log())
	require.NoError(t, b.store.Close())
	stopped := newBed(t, disk.Clone()).open()
	verify(stopped.log())
	require.NoError(t, stopped.log().TruncateTo(8))
	stopped.log().UpdateHighWatermark(8)
	require.Equal(t, int64(6), stopped.log().LastStableOffset()) // its marker went, it is open again
	left, err := stopped.log().AbortedTransactions(0, 9)
	require.NoError(t, err)
	require.Equal(t, []AbortedTxn{{1, 2, 5, 4}}, left)
}

func TestFollowerReplaysTransactions(t *testing.T) {
	leader, follower := newBed(t, vfs.NewMem()).open().log(), newBed(t, vfs.NewMem()).open().log()
	mustAppend(t, leader, batchOf(2, 9, 1, producer(1, 0, 0), transactional))
	mustAppend(t, leader, batchOf(2, 9, 1, producer(2, 0, 0), transactional))
	_, err := leader.AppendAsLeader(markerBatch(1, 0, false, 0, 10), 0, AppendOptions{Origin: record.Coordinator})
	require.NoError(t, err)
	b, err := leader.ReadBytes(0, 1<<20, 100)
	require.NoError(t, err)
	_, err = follower.AppendAsFollower(b)
	require.NoError(t, err)
	require.Equal(t, leader.ActiveProducers(), follower.ActiveProducers())
	want, _ := leader.AbortedTransactions(0, 10)
	got, err := follower.AbortedTransactions(0, 10)
	require.NoError(t, err)
	require.Equal(t, want, got)
	follower.UpdateHighWatermark(5)
	require.Equal(t, int64(2), follower.LastStableOffset())
}

func TestProducersExpireOnTheBrokersClock(t *testing.T) { // P5
	disk := vfs.NewMem()
	b := newBed(t, disk).open()
	l := b.log()
	now := testStart.UnixMilli()
	mustAppend(t, l, batchOf(1, 9, now, producer(1, 0, 0)))
	mustAppend(t, l, batchOf(1, 9, now, producer(2, 0, 0), transactional))
	mustAppend(t, l, batchOf(1, 9, now-1, producer(3, 0, 0), transactional))
	_, err := l.AppendAsLeader(markerBatch(3, 0, true, 0, now+1000), 0, AppendOptions{Origin: record.Coordinator})
	require.NoError(t, err)

	b.clock.now = testStart.Add(24*time.Hour - time.Millisecond)
	b.store.ExpireProducers()
	require.Len(t, l.ActiveProducers(), 3)
	b.clock.now = testStart.Add(24 * time.Hour)
	b.store.ExpireProducers()
	left := l.ActiveProducers()
	require.Len(t, left, 2) // one has a transaction open, the other was active with its marker
	require.Equal(t, int64(2), left[0].ProducerID)
	require.Equal(t, int64(3), left[1].ProducerID)
	require.NoError(t, b.store.Close())
	b.clock.now = testStart.Add(48 * time.Hour)
	again := newBed(t, disk)
	again.clock.now = b.clock.now
	require.Len(t, again.open().log().ActiveProducers(), 1) // also when loading
}

func TestDedupeSurvivesRestartAndTruncation(t *testing.T) { // P7, L9
	disk := vfs.NewMem()
	b := newBed(t, disk).open()
	l, now := b.log(), testStart.UnixMilli()
	for i := range 60 {
		mustAppend(t, l, batchOf(1, 100, now, producer(int64(i%2), 0, int32(i/2))))
	}
	for name, d := range map[string]*vfs.Mem{"killed": disk.Clone(), "stopped": nil} {
		if d == nil {
			require.NoError(t, b.store.Close())
			d = disk.Clone()
		}
		again := newBed(t, d)
		again.cfg.RetentionMs = -1
		l := again.open().log()
		info := mustAppend(t, l, batchOf(1, 100, now, producer(1, 0, 29)))
		require.True(t, info.Duplicate, name)
		require.Equal(t, int64(59), info.FirstOffset)
		require.NoError(t, l.TruncateTo(31))
		_, err := l.AppendAsLeader(batchOf(1, 100, now, producer(1, 0, 29)), 0, AppendOptions{})
		require.ErrorIs(t, err, kerr.OutOfOrderSequenceNumber)
		require.Equal(t, int64(31), mustAppend(t, l, batchOf(1, 100, now, producer(1, 0, 15))).FirstOffset)
	}
}
