package api

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

func TestProduceAnswersOffsetsByNameAndByID(t *testing.T) {
	r := memRig(t)
	r.topic("a", 2)
	for i, version := range []int16{3, 5, 7, 8, 9, 10, 11, 12, 13} {
		for _, acks := range []int16{1, -1} {
			out := r.produce(version, acks, "a", 1, batchOf("x", "y"))
			require.Zero(t, out.ErrorCode, "v%d", version)
			want := int64(i * 4)
			if acks == -1 {
				want += 2
			}
			require.Equal(t, want, out.BaseOffset)
			require.EqualValues(t, -1, out.LogAppendTime)
			require.Zero(t, out.LogStartOffset)
		}
	}
	p := r.partition("a", 1)
	require.Equal(t, p.Log().LogEndOffset(), p.Log().HighWatermark(), "one replica: the high watermark moves in the append")
}

func TestProduceErrors(t *testing.T) {
	transactional := idempotent(5, 0, 0)
	transactional.Transactional = true
	zstd := record.NewOptions()
	zstd.Codec, zstd.Codecs = compress.Zstd, compress.NewCodecs()
	corrupt := batchOf("x")
	corrupt[len(corrupt)-1]++
	oldMagic, newMagic, short := batchOf("x"), batchOf("x"), batchOf("x")
	oldMagic[16], newMagic[16] = 1, 3
	short[11] = 5 // the batch says that it has 5 bytes
	now := time.Now().UnixMilli()
	id := "tx"

	cases := []struct {
		name    string
		version int16
		acks    int16
		topic   string
		index   int32
		records []byte
		txn     *string
		want    *kerr.Error
		message bool
	}{
		{"unknown topic", 12, 1, "nope", 0, batchOf("x"), nil, kerr.UnknownTopicOrPartition, false},
		{"unknown partition", 12, 1, "a", 9, batchOf("x"), nil, kerr.UnknownTopicOrPartition, false},
		{"unknown id", 13, 1, "nope", 0, batchOf("x"), nil, kerr.UnknownTopicID, false},
		{"led elsewhere", 9, 1, "other", 0, batchOf("x"), nil, kerr.NotLeaderForPartition, false},
		{"acks of a kind that is not", 9, 2, "a", 0, batchOf("x"), nil, kerr.InvalidRequiredAcks, false},
		{"acks are looked at after the records", 9, 2, "a", 0, nil, nil, kerr.InvalidRecord, false},
		{"no records", 9, 1, "a", 0, []byte{}, nil, kerr.InvalidRecord, false},
		{"half a batch", 9, 1, "a", 0, batchOf("x")[:40], nil, kerr.InvalidRecord, false},
		{"two batches", 9, 1, "a", 0, append(batchOf("x"), batchOf("y")...), nil, kerr.InvalidRecord, false},
		{"old magic", 9, 1, "a", 0, oldMagic, nil, kerr.InvalidRecord, false},
		{"magic of the future", 9, 1, "a", 0, newMagic, nil, kerr.CorruptMessage, true},
		{"impossible size", 9, 1, "a", 0, short, nil, kerr.CorruptMessage, true},
		{"null", 9, 1, "a", 0, nil, nil, kerr.InvalidRecord, false},
		{"bad CRC", 9, 1, "a", 0, corrupt, nil, kerr.CorruptMessage, false},
		{"zstd before v7", 6, 1, "a", 0, batchWith(zstd, now, "x"), nil, kerr.UnsupportedCompressionType, false},
		{"too large", 9, 1, "small", 0, batchOf(string(make([]byte, 2000))), nil, kerr.MessageTooLarge, false},
		{"null key on a compacted topic", 9, 1, "compacted", 0, nullKey(), nil, kerr.InvalidRecord, true},
		{"timestamp of the future", 9, 1, "a", 0, batchWith(record.NewOptions(), now+7_200_000, "x"), nil, kerr.InvalidTimestamp, true},
		{"internal topic", 9, 1, "__consumer_offsets", 0, batchOf("x"), nil, kerr.InvalidTopicException, false},
		{"gap in the sequence", 9, 1, "a", 0, batchWith(idempotent(77, 0, 3), now, "x"), nil, nil, false},
		{"transactional without an id", 9, 1, "a", 0, batchWith(transactional, now, "x"), nil, kerr.TransactionalIDAuthorizationFailed, false},
		{"transactional, old client", 9, 1, "a", 0, batchWith(transactional, now, "x"), &id, kerr.InvalidProducerIDMapping, false},
		{"transactional, v11", 11, 1, "a", 0, batchWith(transactional, now, "x"), &id, kerr.InvalidProducerIDMapping, false},
		{"transactional, v12", 12, 1, "a", 0, batchWith(transactional, now, "x"), &id, kerr.InvalidProducerIDMapping, false},
		{"an id, but plain records", 12, 1, "a", 0, batchOf("x"), &id, nil, false},
		{"bytes behind the batch", 12, 1, "a", 0, append(batchOf("x"), 1, 2, 3), nil, nil, false},
		{"zeros behind the batch", 12, 1, "a", 0, append(batchOf("x"), make([]byte, 20)...), nil, kerr.CorruptMessage, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := memRig(t)
			r.topic("a", 1)
			r.topic("other", 1, 2)
			r.topic("__consumer_offsets", 1)
			r.topic("small", 1)
			r.config("small", "max.message.bytes", "1000")
			r.topic("compacted", 1)
			r.config("compacted", "cleanup.policy", "compact")
			req := produceRequest(c.version, c.acks, c.topic, map[int32][]byte{c.index: c.records})
			req.TransactionID = c.txn
			out := r.produced(r.h.produce(r.ctx(), req))
			if c.want == nil {
				require.Zero(t, out.ErrorCode)
				require.Zero(t, out.BaseOffset)
				return
			}
			require.Equal(t, c.want.Message, kerr.TypedErrorForCode(out.ErrorCode).Message)
			require.EqualValues(t, -1, out.BaseOffset)
			require.EqualValues(t, -1, out.LogAppendTime)
			require.Equal(t, c.message, out.ErrorMessage != nil, "%v", out.ErrorMessage)
		})
	}
}

func nullKey() []byte {
	w := record.NewBuilder(record.NewOptions())
	w.Add(time.Now().UnixMilli(), []byte("k"), []byte("fine"))
	w.Add(time.Now().UnixMilli(), nil, []byte("bad"))
	b, _ := w.Build()
	return b
}

func TestProduceNamesTheBadRecords(t *testing.T) {
	r := memRig(t)
	r.topic("compacted", 1)
	r.config("compacted", "cleanup.policy", "compact")
	out := r.produce(8, -1, "compacted", 0, nullKey())
	require.Equal(t, kerr.InvalidRecord.Code, out.ErrorCode)
	require.Len(t, out.ErrorRecords, 1)
	require.EqualValues(t, 1, out.ErrorRecords[0].RelativeOffset)
	require.NotEmpty(t, *out.ErrorRecords[0].ErrorMessage)
	require.Zero(t, out.LogStartOffset, "a validation failure tells the log start")
	require.Zero(t, r.partition("compacted", 0).Log().LogEndOffset())
}

func TestProduceTellsTheLeader(t *testing.T) {
	r := memRig(t)
	r.topic("other", 1, 2)
	resp := r.h.produce(r.ctx(), produceRequest(12, 1, "other", map[int32][]byte{0: batchOf("x")})).Response().(*kmsg.ProduceResponse)
	p := resp.Topics[0].Partitions[0]
	require.Equal(t, kerr.NotLeaderForPartition.Code, p.ErrorCode)
	require.EqualValues(t, 2, p.CurrentLeader.LeaderID)
	require.Len(t, resp.Brokers, 1)
	require.Equal(t, "host", resp.Brokers[0].Host)
	require.EqualValues(t, 9002, resp.Brokers[0].Port)

	resp = r.h.produce(r.ctx(), produceRequest(9, 1, "other", map[int32][]byte{0: batchOf("x")})).Response().(*kmsg.ProduceResponse)
	require.Empty(t, resp.Brokers, "v9 has no room for it")
}

func TestProduceLastEntryOfAPartitionCounts(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1)
	req := produceRequest(12, -1, "a", map[int32][]byte{0: batchOf("first")})
	again := produceRequest(12, -1, "a", map[int32][]byte{0: batchOf("second")})
	req.Topics = append(req.Topics, again.Topics...)
	out := r.produced(r.h.produce(r.ctx(), req))
	require.Zero(t, out.ErrorCode)
	resp := r.fetch(fetchRequest(12, fetchAsk{topic: "a"}))
	require.Equal(t, []string{"second"}, r.values(resp.Topics[0].Partitions[0]))
}

func TestProduceOnePartitionsErrorLeavesTheOthers(t *testing.T) {
	r := memRig(t)
	r.topic("a", 3)
	req := produceRequest(12, -1, "a", map[int32][]byte{0: batchOf("x"), 1: nil, 2: batchOf("y"), 3: batchOf("z")})
	resp := r.h.produce(r.ctx(), req).Response().(*kmsg.ProduceResponse)
	var codes []int16
	for _, p := range resp.Topics[0].Partitions {
		codes = append(codes, p.ErrorCode)
	}
	require.Equal(t, []int16{0, kerr.InvalidRecord.Code, 0, kerr.UnknownTopicOrPartition.Code}, codes)
}

func TestProduceWithoutAcksAnswersNothingOrCloses(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1)
	answer := r.h.produce(r.ctx(), produceRequest(9, 0, "a", map[int32][]byte{0: batchOf("x")}))
	require.True(t, answer.IsNone())
	require.EqualValues(t, 1, r.partition("a", 0).Log().LogEndOffset())
	answer = r.h.produce(r.ctx(), produceRequest(9, 0, "nope", map[int32][]byte{0: batchOf("x")}))
	require.ErrorIs(t, answer.Err(), kerr.UnknownTopicOrPartition)
}

func TestProduceRetryIsAnsweredAsTheFirst(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1)
	now := time.Now().UnixMilli()
	first := r.produce(12, -1, "a", 0, batchWith(idempotent(9, 0, 0), now, "x", "y"))
	require.Zero(t, first.ErrorCode)
	r.mustProduce("a", 0, "between")
	again := r.produce(12, -1, "a", 0, batchWith(idempotent(9, 0, 0), now, "x", "y"))
	require.Zero(t, again.ErrorCode)
	require.Equal(t, first.BaseOffset, again.BaseOffset)
	require.EqualValues(t, 3, r.partition("a", 0).Log().LogEndOffset())

	gap := r.produce(12, -1, "a", 0, batchWith(idempotent(9, 0, 5), now, "z"))
	require.Equal(t, kerr.OutOfOrderSequenceNumber.Code, gap.ErrorCode)
	r.produce(12, -1, "a", 0, batchWith(idempotent(9, 3, 0), now, "new epoch"))
	fenced := r.produce(12, -1, "a", 0, batchWith(idempotent(9, 2, 0), now, "z"))
	require.Equal(t, kerr.InvalidProducerEpoch.Code, fenced.ErrorCode)
}

func TestProduceLogAppendTimeIsAnswered(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1)
	r.config("a", "message.timestamp.type", "LogAppendTime")
	out := r.produce(12, 1, "a", 0, batchWith(record.NewOptions(), 5, "x"))
	require.Zero(t, out.ErrorCode)
	require.InDelta(t, time.Now().UnixMilli(), out.LogAppendTime, 60_000)
}

func TestProduceNeedsTheISR(t *testing.T) {
	r := memRig(t)
	id := r.topic("a", 1, 1, 2, 3)
	r.config("a", "min.insync.replicas", "2")
	r.apply(&metadata.PartitionChangeRecord{PartitionId: 0, TopicId: id, Isr: []int32{1}, Leader: metadata.NoLeaderChange, LeaderRecoveryState: metadata.NoRecoveryChange})
	out := r.produce(12, -1, "a", 0, batchOf("x"))
	require.Equal(t, kerr.NotEnoughReplicas.Code, out.ErrorCode)
	require.Zero(t, r.partition("a", 0).Log().LogEndOffset(), "nothing was written")
	require.Zero(t, r.produce(12, 1, "a", 0, batchOf("x")).ErrorCode, "acks=1 does not ask")
	require.Zero(t, r.partition("a", 0).Log().HighWatermark(), "but the high watermark stands still (KIP-966)")
}

func TestProduceAcksAllWaitsForTheFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := memRig(t)
		r.topic("a", 1, 1, 2)
		answer := r.h.produce(r.ctx(), produceRequest(12, -1, "a", map[int32][]byte{0: batchOf("x")}))
		require.True(t, answer.IsLater())
		done := make(chan kmsg.ProduceResponseTopicPartition)
		go func() { done <- r.produced(answer) }()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("answered before the follower had it")
		default:
		}
		// The follower's next fetch says that it has the record.
		r.followerFetch(2, "a", 0, 1)
		out := <-done
		require.Zero(t, out.ErrorCode)
		require.Zero(t, out.BaseOffset)
	})
}

func TestProduceAcksAllEnds(t *testing.T) {
	cases := []struct {
		name string
		do   func(r *dataRig, id protocol.UUID)
		want *kerr.Error
	}{
		{"timeout", func(*dataRig, protocol.UUID) { time.Sleep(time.Second) }, kerr.RequestTimedOut},
		{"leadership lost", func(r *dataRig, id protocol.UUID) {
			r.apply(&metadata.PartitionChangeRecord{TopicId: id, Leader: 2, LeaderRecoveryState: metadata.NoRecoveryChange})
		}, kerr.NotLeaderForPartition},
		{"leadership lost and back", func(r *dataRig, id protocol.UUID) {
			r.apply(&metadata.PartitionChangeRecord{TopicId: id, Leader: 2, LeaderRecoveryState: metadata.NoRecoveryChange})
			r.apply(&metadata.PartitionChangeRecord{TopicId: id, Leader: 1, LeaderRecoveryState: metadata.NoRecoveryChange})
		}, kerr.NotLeaderForPartition},
		{"topic deleted", func(r *dataRig, id protocol.UUID) { r.apply(&metadata.RemoveTopicRecord{TopicId: id}) }, kerr.UnknownTopicOrPartition},
		{"ISR below the minimum after the append", func(r *dataRig, id protocol.UUID) {
			r.followerFetch(2, "a", 0, 1)
			r.config("a", "min.insync.replicas", "2")
			r.apply(&metadata.PartitionChangeRecord{TopicId: id, Isr: []int32{1}, Leader: metadata.NoLeaderChange, LeaderRecoveryState: metadata.NoRecoveryChange})
		}, kerr.NotEnoughReplicasAfterAppend},
		{"the other member leaves the ISR", func(r *dataRig, id protocol.UUID) {
			r.apply(&metadata.PartitionChangeRecord{TopicId: id, Isr: []int32{1}, Leader: metadata.NoLeaderChange, LeaderRecoveryState: metadata.NoRecoveryChange})
		}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := memRig(t)
				id := r.topic("a", 1, 1, 2)
				answer := r.h.produce(r.ctx(), produceRequest(12, -1, "a", map[int32][]byte{0: batchOf("x")}))
				require.True(t, answer.IsLater())
				c.do(r, id)
				out := r.produced(answer)
				if c.want == nil {
					require.Zero(t, out.ErrorCode)
					return
				}
				require.Equal(t, c.want.Code, out.ErrorCode)
				require.Zero(t, out.BaseOffset, "the record was written, and the offset is told")
			})
		})
	}
}

func TestProduceWithoutATimeoutDoesNotWait(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1, 1, 2)
	req := produceRequest(12, -1, "a", map[int32][]byte{0: batchOf("x")})
	req.TimeoutMillis = 0
	answer := r.h.produce(r.ctx(), req)
	require.False(t, answer.IsLater())
	require.Equal(t, kerr.RequestTimedOut.Code, r.produced(answer).ErrorCode)
}

func TestProduceStopsWaitingWithTheServer(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1, 1, 2)
	answer := r.h.produce(r.ctx(), produceRequest(12, -1, "a", map[int32][]byte{0: batchOf("x")}))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	resp := answer.Resolve(ctx).Response().(*kmsg.ProduceResponse)
	require.Equal(t, kerr.RequestTimedOut.Code, resp.Topics[0].Partitions[0].ErrorCode)
}

// followerFetch is a follower's fetch at an offset, which tells that its log ends there.
func (r *dataRig) followerFetch(broker int32, topic string, index int32, offset int64) *kmsg.FetchResponse {
	r.t.Helper()
	req := fetchRequest(15, fetchAsk{topic: topic, index: index, offset: offset})
	req.ReplicaState.ID, req.ReplicaState.Epoch = broker, int64(broker)*100
	req.Topics[0].Partitions[0].LogStartOffset = 0
	return r.fetch(req)
}
