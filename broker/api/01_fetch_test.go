package api

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

func TestFetchEveryVersion(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1)
	r.mustProduce("a", 0, "x", "y")
	r.mustProduce("a", 0, "z")
	for version := int16(4); version <= 18; version++ {
		resp := r.fetch(fetchRequest(version, fetchAsk{topic: "a", offset: 1}))
		require.Zero(t, resp.ErrorCode)
		require.Len(t, resp.Topics, 1)
		p := resp.Topics[0].Partitions[0]
		require.Zero(t, p.ErrorCode, "v%d", version)
		require.Equal(t, []string{"x", "y", "z"}, r.values(p), "an offset inside a batch gives the whole batch")
		require.EqualValues(t, 3, p.HighWatermark)
		require.EqualValues(t, 3, p.LastStableOffset)
		require.EqualValues(t, -1, p.PreferredReadReplica)
		require.Nil(t, p.AbortedTransactions)
		if version >= 13 {
			require.EqualValues(t, topicID("a"), resp.Topics[0].TopicID)
		} else {
			require.Equal(t, "a", resp.Topics[0].Topic)
		}
	}
}

func TestFetchLimits(t *testing.T) {
	r := memRig(t)
	r.topic("a", 3)
	size := int32(len(batchOf("0123456789")))
	for i := range int32(3) {
		for range 4 {
			r.mustProduce("a", i, "0123456789")
		}
	}
	cases := []struct {
		name     string
		maxBytes int32
		max      [3]int32
		batches  [3]int32
	}{
		{"enough for all", 1 << 20, [3]int32{1 << 20, 1 << 20, 1 << 20}, [3]int32{4, 4, 4}},
		{"per partition", 1 << 20, [3]int32{2 * size, size, 3*size + 5}, [3]int32{2, 1, 3}},
		{"the first gives a whole batch above both limits", 1, [3]int32{1, 1 << 20, 1 << 20}, [3]int32{1, 0, 0}},
		{"the others stay below theirs", 1 << 20, [3]int32{1, 1, size}, [3]int32{1, 0, 1}},
		{"the whole limit is shared in order", 6 * size, [3]int32{1 << 20, 1 << 20, 1 << 20}, [3]int32{4, 2, 0}},
		{"no room at all still moves on", 0, [3]int32{0, 0, 0}, [3]int32{1, 0, 0}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			req := fetchRequest(12, fetchAsk{"a", 0, 0, c.max[0]}, fetchAsk{"a", 1, 0, c.max[1]}, fetchAsk{"a", 2, 0, c.max[2]})
			for i := range req.Topics[0].Partitions {
				req.Topics[0].Partitions[i].PartitionMaxBytes = c.max[i]
			}
			req.MaxBytes = c.maxBytes
			resp := r.fetch(req)
			for i, p := range resp.Topics[0].Partitions {
				require.EqualValues(t, c.batches[i]*size, len(p.RecordBatches), "partition %d", i)
			}
		})
	}
}

func TestFetchMaxBytesOfTheBroker(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1)
	size := len(batchOf("x"))
	r.mustProduce("a", 0, "x")
	r.mustProduce("a", 0, "x")
	r.h.Data.fetchMaxBytes = size
	resp := r.fetch(fetchRequest(12, fetchAsk{topic: "a"}))
	require.Len(t, resp.Topics[0].Partitions[0].RecordBatches, size)
}

func TestFetchErrors(t *testing.T) {
	r := memRig(t)
	id := r.topic("a", 1)
	r.topic("other", 1, 2)
	r.mustProduce("a", 0, "x")
	r.apply(&metadata.PartitionChangeRecord{TopicId: id, Leader: 1, LeaderRecoveryState: metadata.NoRecoveryChange, Isr: []int32{1}})
	epoch := r.partition("a", 0).State().LeaderEpoch
	cases := []struct {
		name    string
		version int16
		ask     fetchAsk
		epoch   int32
		last    int32
		replica int32
		want    *kerr.Error
	}{
		{"unknown topic", 12, fetchAsk{topic: "nope"}, -1, -1, -1, kerr.UnknownTopicOrPartition},
		{"unknown partition", 12, fetchAsk{topic: "a", index: 5}, -1, -1, -1, kerr.UnknownTopicOrPartition},
		{"unknown id", 13, fetchAsk{topic: "nope"}, -1, -1, -1, kerr.UnknownTopicID},
		{"unknown partition by id", 13, fetchAsk{topic: "a", index: 5}, -1, -1, -1, kerr.UnknownTopicOrPartition},
		{"not here", 12, fetchAsk{topic: "other"}, -1, -1, -1, kerr.NotLeaderForPartition},
		{"beyond the end", 12, fetchAsk{topic: "a", offset: 2}, -1, -1, -1, kerr.OffsetOutOfRange},
		{"below the start", 12, fetchAsk{topic: "a", offset: -1}, -1, -1, -1, kerr.OffsetOutOfRange},
		{"old leader epoch", 12, fetchAsk{topic: "a"}, epoch - 1, -1, -1, kerr.FencedLeaderEpoch},
		{"future leader epoch", 12, fetchAsk{topic: "a"}, epoch + 1, -1, -1, kerr.UnknownLeaderEpoch},
		{"this leader epoch", 12, fetchAsk{topic: "a"}, epoch, -1, -1, nil},
		{"unknown follower", 12, fetchAsk{topic: "a"}, -1, -1, 3, kerr.NotLeaderForPartition},
		{"unknown follower with an epoch", 12, fetchAsk{topic: "a"}, epoch, -1, 3, kerr.UnknownLeaderEpoch},
		{"an epoch nobody knows", 12, fetchAsk{topic: "a"}, -1, epoch + 7, -1, kerr.OffsetOutOfRange},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			req := fetchRequest(c.version, c.ask)
			req.MaxWaitMillis = 60_000 // errors are told at once
			req.ReplicaID = c.replica
			req.Topics[0].Partitions[0].CurrentLeaderEpoch = c.epoch
			req.Topics[0].Partitions[0].LastFetchedEpoch = c.last
			p := r.fetch(req).Topics[0].Partitions[0]
			if c.want == nil {
				require.Zero(t, p.ErrorCode)
				return
			}
			require.Equal(t, c.want.Message, kerr.TypedErrorForCode(p.ErrorCode).Message)
			require.EqualValues(t, -1, p.HighWatermark)
			require.Empty(t, p.RecordBatches)
		})
	}
}

func TestFetchOfAnIsolationLevelThatIsNoneFailsOnlyWhereThereIsSomethingToRead(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1)
	ask := func(topic string, epoch int32) *kmsg.FetchResponse {
		req := fetchRequest(12, fetchAsk{topic: topic})
		req.IsolationLevel, req.SessionEpoch = 2, epoch
		return r.fetch(req)
	}
	require.Equal(t, kerr.UnknownServerError.Code, ask("a", -1).ErrorCode)
	require.Zero(t, ask("nope", -1).ErrorCode)
	require.Equal(t, kerr.FetchSessionIDNotFound.Code, ask("a", 1).ErrorCode, "the session is looked for first")
}

func TestFetchNamesTheLeader(t *testing.T) {
	r := memRig(t)
	r.topic("other", 2, 2)
	resp := r.fetch(fetchRequest(16, fetchAsk{topic: "other"}, fetchAsk{topic: "other", index: 1}))
	require.EqualValues(t, 2, resp.Topics[0].Partitions[0].CurrentLeader.LeaderID)
	require.Len(t, resp.Brokers, 1)
	require.EqualValues(t, 9002, resp.Brokers[0].Port)
	resp = r.fetch(fetchRequest(15, fetchAsk{topic: "other"}))
	require.EqualValues(t, -1, resp.Topics[0].Partitions[0].CurrentLeader.LeaderID)
}

func TestFetchTellsDivergence(t *testing.T) {
	r := memRig(t)
	id := r.topic("a", 1, 1, 2)
	r.produce(12, 1, "a", 0, batchOf("epoch 0"))
	r.apply(&metadata.PartitionChangeRecord{TopicId: id, Leader: 1, LeaderRecoveryState: metadata.NoRecoveryChange})
	r.produce(12, 1, "a", 0, batchOf("epoch 1"))
	req := fetchRequest(12, fetchAsk{topic: "a", offset: 2})
	req.ReplicaID, req.MaxWaitMillis = 2, 60_000
	req.Topics[0].Partitions[0].LastFetchedEpoch = 0
	p := r.fetch(req).Topics[0].Partitions[0]
	require.Zero(t, p.ErrorCode)
	require.EqualValues(t, 0, p.DivergingEpoch.Epoch)
	require.EqualValues(t, 1, p.DivergingEpoch.EndOffset)
	require.Empty(t, p.RecordBatches)
	require.EqualValues(t, -1, r.partition("a", 0).Followers()[0].LogEnd, "a follower that diverged has told nothing")
}

func TestFetchIsBoundedByTheHighWatermark(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1, 1, 2)
	r.produce(12, 1, "a", 0, batchOf("x"))
	r.produce(12, 1, "a", 0, batchOf("y"))
	consumer := func() kmsg.FetchResponseTopicPartition {
		return r.fetch(fetchRequest(12, fetchAsk{topic: "a"})).Topics[0].Partitions[0]
	}
	require.Empty(t, consumer().RecordBatches)
	got := r.followerFetch(2, "a", 0, 0).Topics[0].Partitions[0]
	require.Equal(t, []string{"x", "y"}, r.values(got), "followers read to the end")
	require.Empty(t, consumer().RecordBatches)
	r.followerFetch(2, "a", 0, 1)
	require.Equal(t, []string{"x"}, r.values(consumer()))
	r.followerFetch(2, "a", 0, 2)
	require.Equal(t, []string{"x", "y"}, r.values(consumer()))
	require.EqualValues(t, 2, consumer().HighWatermark)
}

func TestFetchOfARestartedFollowerWithItsOldEpochIsRefused(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1, 1, 2)
	req := fetchRequest(15, fetchAsk{topic: "a"})
	req.ReplicaState.ID, req.ReplicaState.Epoch = 2, 199 // it is registered with 200
	require.Equal(t, kerr.NotLeaderForPartition.Code, r.fetch(req).Topics[0].Partitions[0].ErrorCode)
}

func TestFetchWaits(t *testing.T) {
	cases := []struct {
		name     string
		session  bool
		minBytes int32
		do       func(r *dataRig)
		after    time.Duration
		values   []string
		code     int16
	}{
		{"for the deadline", false, 1, func(*dataRig) {}, 500 * time.Millisecond, nil, 0},
		{"for a record", false, 1, func(r *dataRig) { r.mustProduce("a", 1, "x") }, 100 * time.Millisecond, []string{"x"}, 0},
		{"in a session", true, 1, func(r *dataRig) { r.mustProduce("a", 1, "x") }, 100 * time.Millisecond, []string{"x"}, 0},
		{"for enough of them", false, 100, func(r *dataRig) {
			r.mustProduce("a", 1, "x")
			time.Sleep(100 * time.Millisecond)
			r.mustProduce("a", 1, "y")
		}, 200 * time.Millisecond, []string{"x", "y"}, 0},
		{"for enough of them in a session", true, 100, func(r *dataRig) {
			r.mustProduce("a", 1, "x")
			time.Sleep(100 * time.Millisecond)
			r.mustProduce("a", 1, "y")
		}, 200 * time.Millisecond, []string{"x", "y"}, 0},
		{"and takes what there is at the deadline", false, 1000, func(r *dataRig) { r.mustProduce("a", 1, "x") }, 500 * time.Millisecond, []string{"x"}, 0},
		{"and takes what there is at the deadline in a session", true, 1000, func(r *dataRig) { r.mustProduce("a", 1, "x") }, 500 * time.Millisecond, []string{"x"}, 0},
		{"until the leader changes", false, 1, func(r *dataRig) {
			r.apply(&metadata.PartitionChangeRecord{PartitionId: 1, TopicId: topicID("a"), Leader: 2, Replicas: []int32{1, 2}, Isr: []int32{1, 2}, LeaderRecoveryState: metadata.NoRecoveryChange})
		}, 100 * time.Millisecond, nil, 74},
		{"until the topic is deleted", true, 1, func(r *dataRig) { r.apply(&metadata.RemoveTopicRecord{TopicId: topicID("a")}) }, 100 * time.Millisecond, nil, 3},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := memRig(t)
				r.topic("a", 2)
				req := fetchRequest(12, fetchAsk{topic: "a"}, fetchAsk{topic: "a", index: 1})
				if c.session {
					req.SessionEpoch = 0
					req.SessionID, req.SessionEpoch = r.fetch(req).SessionID, 1
					require.NotZero(t, req.SessionID)
					req.Topics = nil
				} else {
					req.Topics[0].Partitions[1].CurrentLeaderEpoch = 0
				}
				req.MinBytes, req.MaxWaitMillis = c.minBytes, 500
				start := time.Now()
				done := make(chan *kmsg.FetchResponse)
				go func() { done <- r.fetch(req) }()
				time.Sleep(100 * time.Millisecond)
				c.do(r)
				resp := <-done
				require.Equal(t, c.after, time.Since(start))
				var values []string
				var code int16
				for _, topic := range resp.Topics {
					for _, p := range topic.Partitions {
						values = append(values, r.values(p)...)
						code = max(code, p.ErrorCode)
					}
				}
				require.Equal(t, c.values, values)
				require.Equal(t, c.code, code)
				require.Zero(t, armed(r, c.session), "no watch is left behind")
			})
		})
	}
}

// armed counts the watches that a fetch without a session left.
func armed(r *dataRig, session bool) (n int) {
	if session {
		return 0
	}
	for p := range r.m.View().Hosted {
		n += p.Watched()
	}
	return n
}

func TestFetchUnknownTopicsDoNotEndTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := memRig(t)
		r.topic("a", 1)
		req := fetchRequest(12, fetchAsk{topic: "nope"}, fetchAsk{topic: "a"})
		req.MaxWaitMillis = 500
		start := time.Now()
		resp := r.fetch(req)
		require.Equal(t, 500*time.Millisecond, time.Since(start))
		require.Equal(t, "a", resp.Topics[0].Topic, "they come last")
		require.Equal(t, kerr.UnknownTopicOrPartition.Code, resp.Topics[1].Partitions[0].ErrorCode)

		req = fetchRequest(12, fetchAsk{topic: "nope"})
		req.MaxWaitMillis = 60_000
		r.fetch(req) // at once: nothing could come
		require.Equal(t, 500*time.Millisecond, time.Since(start))
	})
}

// poll is the next poll of a session.
func (r *dataRig) poll(version int16, id, epoch int32, asks ...fetchAsk) *kmsg.FetchResponse {
	req := fetchRequest(version, asks...)
	req.SessionID, req.SessionEpoch = id, epoch
	return r.fetch(req)
}

func answered(resp *kmsg.FetchResponse) (out []string) {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			out = append(out, fmt.Sprintf("%d:%d/%d", p.Partition, p.ErrorCode, len(p.RecordBatches)))
		}
	}
	return out
}

func TestFetchSessionTellsOnlyNews(t *testing.T) {
	for _, version := range []int16{7, 12, 13, 18} {
		t.Run(fmt.Sprint("v", version), func(t *testing.T) {
			r := memRig(t)
			r.topic("a", 3)
			size := len(batchOf("x"))
			first := r.poll(version, 0, 0, fetchAsk{topic: "a"}, fetchAsk{topic: "a", index: 1}, fetchAsk{topic: "a", index: 2})
			id := first.SessionID
			require.NotZero(t, id)
			require.Equal(t, []string{"0:0/0", "1:0/0", "2:0/0"}, answered(first), "a full fetch answers all")

			require.Empty(t, answered(r.poll(version, id, 1)))
			r.mustProduce("a", 1, "x")
			require.Equal(t, []string{fmt.Sprint("1:0/", size)}, answered(r.poll(version, id, 2)))
			require.Equal(t, []string{fmt.Sprint("1:0/", size)}, answered(r.poll(version, id, 3)), "the client has not moved on")
			require.Empty(t, answered(r.poll(version, id, 4, fetchAsk{topic: "a", index: 1, offset: 1})))

			// Partitions that got records come last the next time.
			for i := range int32(3) {
				r.mustProduce("a", i, "x")
			}
			require.Equal(t, []string{fmt.Sprint("0:0/", size), fmt.Sprint("2:0/", size), fmt.Sprint("1:0/", size)}, answered(r.poll(version, id, 5)))

			// A log start that moved is news.
			_, err := r.partition("a", 0).DeleteRecords(1)
			require.NoError(t, err)
			got := r.poll(version, id, 6, fetchAsk{topic: "a", index: 0, offset: 1}, fetchAsk{topic: "a", index: 1, offset: 2}, fetchAsk{topic: "a", index: 2, offset: 1})
			require.Equal(t, []string{"0:0/0"}, answered(got))
			_, err = r.partition("a", 2).DeleteRecords(1)
			require.NoError(t, err)
			require.Equal(t, []string{"2:0/0"}, answered(r.poll(version, id, 7)), "also of a partition that nobody looked at")
			require.Empty(t, answered(r.poll(version, id, 8)))

			require.Equal(t, kerr.InvalidFetchSessionEpoch.Code, r.poll(version, id, 8).ErrorCode)
			require.Equal(t, kerr.FetchSessionIDNotFound.Code, r.poll(version, id+1, 9).ErrorCode)

			// Epoch 0 closes the session and opens another (robustness F12).
			again := r.poll(version, id, 0, fetchAsk{topic: "a"})
			require.NotZero(t, again.SessionID)
			require.NotEqual(t, id, again.SessionID)
			require.Equal(t, kerr.FetchSessionIDNotFound.Code, r.poll(version, id, 9).ErrorCode)
			require.Equal(t, 1, r.h.Data.Sessions.Len())

			// Epoch -1 closes it and opens none.
			last := r.poll(version, again.SessionID, -1, fetchAsk{topic: "a", offset: 1})
			require.Zero(t, last.SessionID)
			require.Zero(t, r.h.Data.Sessions.Len())
			n := 0
			for p := range r.m.View().Hosted {
				n += p.Watched()
			}
			require.Zero(t, n, "closed sessions watch nothing")
		})
	}
}

func TestFetchSessionErrorIsToldAgainUntilItIsGone(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1)
	first := r.poll(13, 0, 0, fetchAsk{topic: "a"}, fetchAsk{topic: "late"})
	require.Equal(t, []string{"0:0/0", "0:100/0"}, answered(first))
	for epoch := int32(1); epoch < 3; epoch++ {
		require.Equal(t, []string{"0:100/0"}, answered(r.poll(13, first.SessionID, epoch)))
	}
	r.topic("late", 1)
	require.Equal(t, []string{"0:0/0"}, answered(r.poll(13, first.SessionID, 3)), "the id is resolved once the topic is known (KAFKA-13111)")
	require.Empty(t, answered(r.poll(13, first.SessionID, 4)))
}

func TestFetchSessionSurvivesARecreatedTopic(t *testing.T) {
	r := memRig(t)
	id := r.topic("a", 1)
	r.mustProduce("a", 0, "old")
	first := r.poll(12, 0, 0, fetchAsk{topic: "a", offset: 1})
	r.apply(&metadata.RemoveTopicRecord{TopicId: id})
	require.Equal(t, []string{"0:3/0"}, answered(r.poll(12, first.SessionID, 1)))
	other := topicID("another id")
	r.apply(&metadata.TopicRecord{Name: "a", TopicId: other}, &metadata.PartitionRecord{TopicId: other, Replicas: []int32{1}, Isr: []int32{1}, Leader: 1, Directories: make([]protocol.UUID, 1)})
	r.mustProduce("a", 0, "new")
	resp := r.poll(12, first.SessionID, 2, fetchAsk{topic: "a", offset: 0})
	require.Equal(t, []string{"new"}, r.values(resp.Topics[0].Partitions[0]))
}

func TestFetchSessionTakenOverByALaterPollAnswersInvalidEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := memRig(t)
		r.topic("a", 1)
		id := r.poll(12, 0, 0, fetchAsk{topic: "a"}).SessionID
		req := fetchRequest(12)
		req.SessionID, req.SessionEpoch, req.MaxWaitMillis = id, 1, 10_000
		c := r.ctx()
		c.Conn = &server.ConnState{ID: 2}
		done := make(chan *kmsg.FetchResponse)
		go func() { done <- r.fetchAs(c, req) }()
		synctest.Wait()
		start := time.Now()
		require.Zero(t, r.poll(12, id, 2).ErrorCode)
		resp := <-done
		require.Equal(t, kerr.InvalidFetchSessionEpoch.Code, resp.ErrorCode)
		require.Equal(t, id, resp.SessionID)
		require.Zero(t, time.Since(start))
	})
}

func TestFetchSessionIdlePollDoesNotAllocatePerPartition(t *testing.T) {
	r := memRig(t)
	r.topic("a", 500)
	var asks []fetchAsk
	for i := range int32(500) {
		asks = append(asks, fetchAsk{topic: "a", index: i})
	}
	id, epoch := r.poll(13, 0, 0, asks...).SessionID, int32(0)
	c := r.ctx()
	allocs := testing.AllocsPerRun(20, func() {
		epoch++
		req := kmsg.FetchRequest{Version: 13, SessionID: id, SessionEpoch: epoch, MaxBytes: 1 << 20, ReplicaID: -1}
		req.ReplicaState.ID = -1
		r.h.fetch(c, &req)
	})
	require.Less(t, allocs, 20.0)
}

func TestFetchOfFollowersKeepsThemInSyncWhileIdle(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1, 1, 2)
	req := fetchRequest(15, fetchAsk{topic: "a"})
	req.ReplicaState.ID, req.ReplicaState.Epoch, req.SessionEpoch = 2, 200, 0
	id := r.fetch(req).SessionID
	req.SessionID, req.Topics = id, nil
	for epoch := int32(1); epoch < 4; epoch++ {
		req.SessionEpoch = epoch
		require.Zero(t, r.fetch(req).ErrorCode)
		require.EqualValues(t, 0, r.partition("a", 0).Followers()[0].LogEnd)
	}
	require.Equal(t, replica.RoleLeader, r.partition("a", 0).State().Role)
}

func TestFetchBeyondTheHighWatermarkWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := memRig(t)
		r.topic("a", 1, 1, 2)
		r.produce(12, 1, "a", 0, batchOf("x"))
		r.produce(12, 1, "a", 0, batchOf("y"))
		req := fetchRequest(12, fetchAsk{topic: "a", offset: 1}) // the high watermark is 0
		req.MaxWaitMillis = 500
		start := time.Now()
		p := r.fetch(req).Topics[0].Partitions[0]
		require.Zero(t, p.ErrorCode)
		require.Equal(t, 500*time.Millisecond, time.Since(start))
		done := make(chan *kmsg.FetchResponse)
		go func() { done <- r.fetch(req) }()
		synctest.Wait()
		c := r.ctx()
		c.Conn = nil
		for offset := int64(1); offset <= 2; offset++ {
			follower := fetchRequest(15, fetchAsk{topic: "a", offset: offset})
			follower.ReplicaState.ID, follower.ReplicaState.Epoch = 2, 200
			r.fetchAs(c, follower)
		}
		require.Equal(t, []string{"y"}, r.values((<-done).Topics[0].Partitions[0]))
		require.Equal(t, 500*time.Millisecond, time.Since(start))
	})
}

func TestFetchNegativeLimitsCountAsZero(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1)
	r.mustProduce("a", 0, "x")
	req := fetchRequest(12, fetchAsk{topic: "a", max: -1})
	req.MaxBytes, req.MinBytes, req.MaxWaitMillis = -5, -5, -5
	require.Equal(t, []string{"x"}, r.values(r.fetch(req).Topics[0].Partitions[0]))
}
