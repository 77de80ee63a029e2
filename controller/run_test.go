package controller

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/metadata"
)

// fakeQuorum is a log in memory. It commits when it is told to, or at once.
type fakeQuorum struct {
	l quorum.Listener

	mu        sync.Mutex
	log       [][]quorum.Entry // batches
	end       int64
	committed int
	epoch     int32
	auto      bool
	refuse    error
	snapshots []quorum.SnapshotID
	snapshot  [][]byte
}

func (q *fakeQuorum) Subscribe(l quorum.Listener) { q.l = l }

func (q *fakeQuorum) LogEndOffset() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.end
}

func (q *fakeQuorum) Append(_ context.Context, epoch int32, records [][]byte) (int64, error) {
	q.mu.Lock()
	if q.refuse != nil || epoch != q.epoch {
		defer q.mu.Unlock()
		return 0, errors.Join(q.refuse, kerr.NotController)
	}
	var batch []quorum.Entry
	for _, r := range records {
		batch = append(batch, quorum.Entry{Offset: q.end, Epoch: epoch, AppendTime: 1, Value: r})
		q.end++
	}
	batch[len(batch)-1].EndOfBatch = true
	q.log = append(q.log, batch)
	auto := q.auto
	q.mu.Unlock()
	if auto {
		q.commit()
	}
	return batch[len(batch)-1].Offset, nil
}

func (q *fakeQuorum) commit() {
	q.mu.Lock()
	batches := q.log[q.committed:]
	q.committed = len(q.log)
	q.mu.Unlock()
	for _, b := range batches {
		q.l.Committed(b)
	}
}

func (q *fakeQuorum) lead(epoch int32) {
	q.mu.Lock()
	q.epoch = epoch
	q.mu.Unlock()
	q.l.LeaderChanged(1, epoch)
}

func (q *fakeQuorum) WriteSnapshot(end int64, epoch int32, _ int64, write func(add func([]byte) error) error) error {
	var values [][]byte
	err := write(func(v []byte) error { values = append(values, append([]byte(nil), v...)); return nil })
	q.mu.Lock()
	defer q.mu.Unlock()
	q.snapshots = append(q.snapshots, quorum.SnapshotID{EndOffset: end, Epoch: epoch})
	q.snapshot = values
	return err
}

func (q *fakeQuorum) batches() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.log)
}

func (q *fakeQuorum) kinds() (names []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, b := range q.log {
		for _, e := range b {
			r, _, _ := metadata.ParseRecord(e.Value)
			names = append(names, metadata.RecordName(r.APIKey()))
		}
	}
	return names
}

// running starts a controller in a bubble; everything stops when the test ends.
func running(t *testing.T, test func(t *testing.T, c *Controller, q *fakeQuorum), more ...string) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQuorum{auto: true}
		c := New(Options{NodeID: 1, ClusterID: "c", Quorum: q, Clocks: clock.System(), Rand: rand.New(rand.NewPCG(1, 2)), Log: zerolog.Nop(),
			Config: properties(t, more...)})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		test(t, c, q)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}

func ask[T kmsg.Response](t *testing.T, c *Controller, call Call, req kmsg.Request) T {
	resp, err := c.Handle(t.Context(), call, req)
	require.NoError(t, err)
	return resp.(T)
}

func TestFirstControllerWritesWhatKafkasFirstLogHolds(t *testing.T) {
	running(t, func(t *testing.T, c *Controller, q *fakeQuorum) {
		q.lead(1)
		synctest.Wait()
		require.Equal(t, []string{"BEGIN_TRANSACTION_RECORD", "FEATURE_LEVEL_RECORD", "FEATURE_LEVEL_RECORD", "FEATURE_LEVEL_RECORD", "FEATURE_LEVEL_RECORD",
			"FEATURE_LEVEL_RECORD", "FEATURE_LEVEL_RECORD", "CONFIG_RECORD", "END_TRANSACTION_RECORD"}, q.kinds())
		require.Equal(t, 1, q.batches(), "one batch, one fsync")
		require.Equal(t, metadata.LatestLevel, c.Image().Level())
		require.Equal(t, "1", c.Image().Configs.Broker("")["min.insync.replicas"])
		time.Sleep(1600 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, []string{"NO_OP_RECORD", "NO_OP_RECORD", "NO_OP_RECORD"}, q.kinds()[9:])
	})
}

func TestBootstrapSnapshotIsWrittenIntoTheLog(t *testing.T) {
	running(t, func(t *testing.T, c *Controller, q *fakeQuorum) {
		records := DefaultBootstrap(metadata.Level3_4_IV0)
		q.l.LoadSnapshot(quorum.Snapshot{Values: func(yield func([]byte, error) bool) {
			for _, r := range records {
				yield(metadata.AppendRecord(nil, r, 0), nil)
			}
		}})
		q.lead(1)
		synctest.Wait()
		require.Equal(t, []string{"FEATURE_LEVEL_RECORD"}, q.kinds(), "no transaction and no ELR at 3.4")
		require.Equal(t, metadata.Level3_4_IV0, c.Image().Level())
	})
}

func TestOpenTransactionOfAnEarlierControllerIsAborted(t *testing.T) {
	running(t, func(t *testing.T, c *Controller, q *fakeQuorum) {
		q.lead(1)
		synctest.Wait()
		_, err := q.Append(t.Context(), 1, [][]byte{metadata.AppendRecord(nil, &metadata.BeginTransactionRecord{}, 0), metadata.AppendRecord(nil, &metadata.TopicRecord{Name: "x", TopicId: uid(9)}, 0)})
		require.NoError(t, err)
		synctest.Wait()
		q.lead(2)
		synctest.Wait()
		kinds := q.kinds()
		require.Equal(t, "ABORT_TRANSACTION_RECORD", kinds[len(kinds)-1])
		require.Zero(t, c.Image().Topics.Len())
	}, "metadata.max.idle.interval.ms", "0")
}

func TestAnswersWaitForTheCommit(t *testing.T) {
	running(t, func(t *testing.T, c *Controller, q *fakeQuorum) {
		q.lead(1)
		synctest.Wait()
		q.mu.Lock()
		q.auto = false
		q.mu.Unlock()
		got := make(chan *kmsg.BrokerRegistrationResponse, 1)
		go func() { got <- ask[*kmsg.BrokerRegistrationResponse](t, c, Call{Connection: 5}, registration(1, 1)) }()
		synctest.Wait()
		require.Empty(t, got)
		require.Nil(t, c.Image().Brokers.Get(1), "not committed: nobody sees it")
		q.commit()
		synctest.Wait()
		resp := <-got
		require.Equal(t, int64(9), resp.BrokerEpoch)
		require.NotNil(t, c.Image().Brokers.Get(1))
	})
}

func TestLosingLeadershipAnswersNotController(t *testing.T) {
	running(t, func(t *testing.T, c *Controller, q *fakeQuorum) {
		q.lead(1)
		synctest.Wait()
		q.mu.Lock()
		q.auto = false
		q.mu.Unlock()
		got := make(chan *kmsg.BrokerRegistrationResponse, 1)
		go func() { got <- ask[*kmsg.BrokerRegistrationResponse](t, c, Call{}, registration(1, 1)) }()
		synctest.Wait()
		q.l.LeaderChanged(2, 2)
		require.Equal(t, kerr.NotController.Code, (<-got).ErrorCode)
		require.Equal(t, kerr.NotController.Code, ask[*kmsg.BrokerRegistrationResponse](t, c, Call{}, registration(1, 1)).ErrorCode)
		// Back in office: what was appended and never committed here does not count.
		q.lead(3)
		q.mu.Lock()
		q.auto, q.log = true, q.log[:q.committed]
		q.mu.Unlock()
		synctest.Wait()
		require.Zero(t, ask[*kmsg.BrokerRegistrationResponse](t, c, Call{}, registration(1, 1)).ErrorCode)
	}, "metadata.max.idle.interval.ms", "0")
}

func TestRefusedAppendEndsTheTerm(t *testing.T) {
	running(t, func(t *testing.T, c *Controller, q *fakeQuorum) {
		q.lead(1)
		synctest.Wait()
		q.mu.Lock()
		q.refuse = kerr.NotController
		q.mu.Unlock()
		require.Equal(t, kerr.NotController.Code, ask[*kmsg.BrokerRegistrationResponse](t, c, Call{}, registration(1, 1)).ErrorCode)
		require.Nil(t, c.Image().Brokers.Get(1))
	})
}

func TestDeadlineIsKept(t *testing.T) {
	running(t, func(t *testing.T, c *Controller, q *fakeQuorum) {
		q.lead(1)
		synctest.Wait()
		q.mu.Lock()
		q.auto = false
		q.mu.Unlock()
		start := time.Now()
		resp := ask[*kmsg.BrokerRegistrationResponse](t, c, Call{Deadline: start.Add(time.Second)}, registration(1, 1))
		require.Equal(t, kerr.RequestTimedOut.Code, resp.ErrorCode)
		require.Equal(t, time.Second, time.Since(start))
	})
}

func TestTimeoutsThatKafkaDoesNotLookAtDoNotEndARequest(t *testing.T) {
	running(t, func(t *testing.T, c *Controller, q *fakeQuorum) {
		q.lead(1)
		synctest.Wait()
		past := Call{Deadline: time.Now().Add(-time.Second)}
		require.Zero(t, ask[*kmsg.ListPartitionReassignmentsResponse](t, c, past, kmsg.NewPtrListPartitionReassignmentsRequest()).ErrorCode)
		elect := kmsg.NewPtrElectLeadersRequest()
		elect.Version = 2
		elect.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: "a", Partitions: []int32{0}}}
		late := ask[*kmsg.ElectLeadersResponse](t, c, past, elect)
		require.Equal(t, kerr.RequestTimedOut.Code, late.ErrorCode)
		require.Nil(t, late.Topics[0].Partitions[0].ErrorMessage)
	})
}

func TestRequestsThatWaitTogetherShareOneBatch(t *testing.T) {
	running(t, func(t *testing.T, c *Controller, q *fakeQuorum) {
		// Posted before the election, so that the loop finds all at once.
		q.lead(1)
		synctest.Wait()
		before := q.batches()
		const n = 20
		answers := make([]chan kmsg.Response, n)
		c.mu.Lock()
		for i := range n {
			answers[i] = make(chan kmsg.Response, 1)
			c.inbox = append(c.inbox, event{at: time.Now(), request: &request{req: registration(int32(i), i), answer: answers[i]}})
		}
		c.mu.Unlock()
		c.ConnectionClosed(77) // wakes the loop
		seen := map[int64]bool{}
		for i := range n {
			epoch := (<-answers[i]).(*kmsg.BrokerRegistrationResponse).BrokerEpoch
			require.False(t, seen[epoch])
			seen[epoch] = true
			require.Equal(t, epoch, c.Image().Brokers.Get(int32(i)).Epoch)
		}
		require.Equal(t, before+1, q.batches())
	}, "metadata.max.idle.interval.ms", "0")
}

func TestSilentBrokerIsFencedAfterItsSession(t *testing.T) {
	running(t, func(t *testing.T, c *Controller, q *fakeQuorum) {
		q.lead(1)
		synctest.Wait()
		epoch := ask[*kmsg.BrokerRegistrationResponse](t, c, Call{Connection: 5}, registration(1, 1)).BrokerEpoch
		beat := func() *kmsg.BrokerHeartbeatResponse {
			r := kmsg.NewPtrBrokerHeartbeatRequest()
			r.BrokerID, r.BrokerEpoch, r.CurrentMetadataOffset = 1, epoch, 1000
			return ask[*kmsg.BrokerHeartbeatResponse](t, c, Call{Connection: 5}, r)
		}
		require.False(t, beat().IsFenced)
		for range 5 {
			time.Sleep(8 * time.Second)
			require.False(t, beat().IsFenced)
		}
		time.Sleep(8999 * time.Millisecond)
		synctest.Wait()
		require.False(t, c.Image().Brokers.Get(1).Fenced)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		require.True(t, c.Image().Brokers.Get(1).Fenced)
		require.False(t, beat().IsFenced, "heard again, unfenced again")
		c.ConnectionClosed(5)
		synctest.Wait()
		require.True(t, c.Image().Brokers.Get(1).Fenced, "a reset connection fences at once")
	})
}

func TestSnapshotsAreWrittenByBytesAndLoadAgain(t *testing.T) {
	running(t, func(t *testing.T, c *Controller, q *fakeQuorum) {
		q.lead(1)
		for i := range 30 {
			ask[*kmsg.BrokerRegistrationResponse](t, c, Call{}, registration(int32(i), i))
			synctest.Wait() // while one snapshot is being written, no other begins
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		require.NotEmpty(t, q.snapshots)
		img, _, err := metadata.LoadSnapshot(metadata.Empty(), func(yield func([]byte, error) bool) {
			for _, v := range q.snapshot {
				yield(v, nil)
			}
		}, q.snapshots[len(q.snapshots)-1].EndOffset-1, 1, 0)
		require.NoError(t, err)
		require.Greater(t, img.Brokers.Len(), 10)
	}, "metadata.log.max.record.bytes.between.snapshots", "1000")
}

func TestCommittedRecordThatDoesNotReplayEndsTheController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQuorum{}
		c := New(Options{NodeID: 1, Quorum: q, Clocks: clock.System(), Rand: rand.New(rand.NewPCG(1, 2)), Log: zerolog.Nop(), Config: properties(t)})
		done := make(chan error, 1)
		go func() { done <- c.Run(t.Context()) }()
		q.l.Committed([]quorum.Entry{{Value: metadata.AppendRecord(nil, &metadata.RemoveTopicRecord{TopicId: uid(1)}, 0), EndOfBatch: true}})
		require.ErrorContains(t, <-done, "does not replay")
		resp, err := c.Handle(t.Context(), Call{}, registration(1, 1))
		require.NoError(t, err)
		require.Equal(t, kerr.NotController.Code, resp.(*kmsg.BrokerRegistrationResponse).ErrorCode)
	})
}

func TestEveryDecidedRequestHasAnErrorAnswer(t *testing.T) {
	for key := int16(0); key < 100; key++ {
		req := kmsg.RequestForKey(key)
		if req == nil || !decides(req) {
			continue
		}
		req.SetVersion(req.MaxVersion())
		resp := ErrorResponse(req, kerr.NotController, nil)
		require.Equal(t, key, resp.Key())
		require.NotEmpty(t, resp.AppendTo(nil))
	}
}
