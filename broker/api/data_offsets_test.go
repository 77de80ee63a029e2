package api

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol/record"
)

func listRequest(version int16, topic string, timestamps ...int64) *kmsg.ListOffsetsRequest {
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID = version, -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for i, ts := range timestamps {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = int32(i), ts
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return req
}

func (r *dataRig) list(req *kmsg.ListOffsetsRequest) kmsg.ListOffsetsResponseTopicPartition {
	return r.h.listOffsets(r.ctx(), req).Topics[0].Partitions[0]
}

func TestListOffsetsSpecialTimestampsByVersion(t *testing.T) {
	r := memRig(t)
	id := r.topic("a", 1)
	base := time.Now().UnixMilli() - 10_000
	for i, ts := range []int64{base, base + 500, base + 100} {
		require.Zero(t, r.produce(12, 1, "a", 0, batchWith(record.NewOptions(), ts, "x", "y")).ErrorCode, i)
	}
	r.apply(&metadata.PartitionChangeRecord{TopicId: id, Leader: 1, LeaderRecoveryState: metadata.NoRecoveryChange})
	epoch := r.partition("a", 0).State().LeaderEpoch

	type answer struct {
		offset, timestamp int64
		epoch             int32
	}
	cases := []struct {
		timestamp int64
		since     int16
		want      answer
	}{
		{-1, 1, answer{6, -1, epoch}},
		{-2, 1, answer{0, -1, 0}},
		{-3, 7, answer{2, base + 500, 0}},
		{-4, 8, answer{0, -1, 0}},
		{-5, 9, answer{-1, -1, -1}},
		{-6, 11, answer{-1, -1, -1}},
		{-7, 99, answer{}},
		{-1 << 62, 99, answer{}},
		{base + 100, 1, answer{2, base + 500, 0}},
		{base + 501, 1, answer{-1, -1, -1}},
		{0, 1, answer{0, base, 0}},
	}
	for _, c := range cases {
		for version := int16(1); version <= 11; version++ {
			got := r.list(listRequest(version, "a", c.timestamp))
			if version < c.since {
				require.Equal(t, kerr.UnsupportedVersion.Code, got.ErrorCode, "%d v%d", c.timestamp, version)
				require.EqualValues(t, -1, got.Offset)
				continue
			}
			require.Zero(t, got.ErrorCode, "%d v%d", c.timestamp, version)
			require.Equal(t, c.want, answer{got.Offset, got.Timestamp, got.LeaderEpoch}, "%d v%d", c.timestamp, version)
		}
	}
}

func TestListOffsetsErrors(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1)
	r.topic("other", 1, 2)
	req := listRequest(7, "a", -1)
	req.Topics[0].Partitions[0].CurrentLeaderEpoch = 5
	require.Equal(t, kerr.UnknownLeaderEpoch.Code, r.list(req).ErrorCode)
	require.Equal(t, kerr.UnknownTopicOrPartition.Code, r.list(listRequest(7, "nope", -1)).ErrorCode)
	require.Equal(t, kerr.NotLeaderForPartition.Code, r.list(listRequest(7, "other", -1)).ErrorCode)

	twice := listRequest(7, "a", -1)
	twice.Topics[0].Partitions = append(twice.Topics[0].Partitions, twice.Topics[0].Partitions[0])
	resp := r.h.listOffsets(r.ctx(), twice)
	require.Len(t, resp.Topics[0].Partitions, 1)
	require.Equal(t, kerr.InvalidRequest.Code, resp.Topics[0].Partitions[0].ErrorCode)
}

func TestListOffsetsOfANewLeaderThatKnowsNoHighWatermark(t *testing.T) {
	r := memRig(t)
	id := r.topic("a", 1, 1, 2)
	r.produce(12, 1, "a", 0, batchOf("x"))
	r.apply(&metadata.PartitionChangeRecord{TopicId: id, Leader: 1, LeaderRecoveryState: metadata.NoRecoveryChange})
	require.Equal(t, kerr.OffsetNotAvailable.Code, r.list(listRequest(5, "a", -1)).ErrorCode)
	require.Equal(t, kerr.LeaderNotAvailable.Code, r.list(listRequest(4, "a", -1)).ErrorCode)
	require.Equal(t, kerr.OffsetNotAvailable.Code, r.list(listRequest(5, "a", 0)).ErrorCode, "a record beyond the watermark")
	require.Zero(t, r.list(listRequest(5, "a", -2)).ErrorCode)
	replica := listRequest(5, "a", -1)
	replica.ReplicaID = 2
	require.EqualValues(t, 1, r.list(replica).Offset, "replicas see the log end")
	r.followerFetch(2, "a", 0, 1)
	require.EqualValues(t, 1, r.list(listRequest(5, "a", -1)).Offset)
}

func deleteRequest(topic string, offsets ...int64) *kmsg.DeleteRecordsRequest {
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Version, req.TimeoutMillis = 2, 1000
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic = topic
	for i, offset := range offsets {
		p := kmsg.NewDeleteRecordsRequestTopicPartition()
		p.Partition, p.Offset = int32(i), offset
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return req
}

func (r *dataRig) delete(topic string, offset int64) kmsg.DeleteRecordsResponseTopicPartition {
	return r.h.deleteRecords(r.ctx(), deleteRequest(topic, offset)).Topics[0].Partitions[0]
}

func TestDeleteRecords(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1)
	r.topic("other", 1, 2)
	r.topic("__consumer_offsets", 1)
	r.topic("compacted", 1)
	r.config("compacted", "cleanup.policy", "compact")
	for range 5 {
		r.mustProduce("a", 0, "x")
	}
	got := r.delete("a", 2)
	require.Zero(t, got.ErrorCode)
	require.EqualValues(t, 2, got.LowWatermark)
	require.Equal(t, kerr.OffsetOutOfRange.Code, r.fetch(fetchRequest(12, fetchAsk{topic: "a", offset: 1})).Topics[0].Partitions[0].ErrorCode)
	require.EqualValues(t, 2, r.fetch(fetchRequest(12, fetchAsk{topic: "a", offset: 2})).Topics[0].Partitions[0].LogStartOffset)
	require.EqualValues(t, 2, r.delete("a", 1).LowWatermark, "it never falls")

	for _, c := range []struct {
		topic  string
		offset int64
		want   *kerr.Error
	}{
		{"a", 6, kerr.OffsetOutOfRange}, {"a", -2, kerr.OffsetOutOfRange}, {"nope", 0, kerr.UnknownTopicOrPartition},
		{"other", 0, kerr.NotLeaderForPartition}, {"compacted", 0, kerr.PolicyViolation}, {"__consumer_offsets", 0, kerr.InvalidTopicException},
	} {
		got := r.delete(c.topic, c.offset)
		require.Equal(t, c.want.Code, got.ErrorCode, "%s %d", c.topic, c.offset)
		require.EqualValues(t, -1, got.LowWatermark)
	}
	twice := deleteRequest("a", 4)
	twice.Topics = append(twice.Topics, deleteRequest("a", 3).Topics...)
	resp := r.h.deleteRecords(r.ctx(), twice)
	require.Len(t, resp.Topics, 1)
	require.EqualValues(t, 3, resp.Topics[0].Partitions[0].LowWatermark, "the last word counts")
	require.EqualValues(t, 5, r.delete("a", -1).LowWatermark, "-1 is the high watermark")
	require.EqualValues(t, 5, r.mustProduce("a", 0, "next"))
}

func TestDeleteRecordsWaitsForTheFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := memRig(t)
		r.topic("a", 1, 1, 2)
		r.produce(12, 1, "a", 0, batchOf("x"))
		r.followerFetch(2, "a", 0, 1)
		start := time.Now()
		got := r.delete("a", 1)
		require.Equal(t, kerr.RequestTimedOut.Code, got.ErrorCode)
		require.Equal(t, time.Second, time.Since(start))

		done := make(chan kmsg.DeleteRecordsResponseTopicPartition)
		go func() { done <- r.delete("a", 1) }()
		synctest.Wait()
		req := fetchRequest(15, fetchAsk{topic: "a", offset: 1})
		req.ReplicaState.ID, req.ReplicaState.Epoch = 2, 200
		req.Topics[0].Partitions[0].LogStartOffset = 1
		c := r.ctx()
		c.Conn = nil
		r.fetchAs(c, req)
		got = <-done
		require.Zero(t, got.ErrorCode)
		require.EqualValues(t, 1, got.LowWatermark)
		require.Equal(t, time.Second, time.Since(start))
	})
}

func TestInitProducerID(t *testing.T) {
	r := memRig(t)
	tx, none := "tx", ""
	cases := []struct {
		name    string
		txn     *string
		version int16
		id      int64
		epoch   int16
		timeout int32
		want    *kerr.Error
	}{
		{"plain", nil, 0, -1, -1, 0, nil},
		{"resumes", nil, 3, 5, 2, 0, nil},
		{"half an identity", nil, 3, 5, -1, 0, kerr.InvalidRequest},
		{"the other half", nil, 4, -1, 1, 0, kerr.InvalidRequest},
		{"empty id", &none, 4, -1, -1, 1000, kerr.InvalidRequest},
		{"timeout too long", &tx, 4, -1, -1, 900_001, kerr.InvalidTransactionTimeout},
		{"no timeout", &tx, 4, -1, -1, 0, kerr.InvalidTransactionTimeout},
		{"transactions are not served", &tx, 4, -1, -1, 1000, kerr.NotCoordinator},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			req := kmsg.NewPtrInitProducerIDRequest()
			req.Version, req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.TransactionTimeoutMillis = c.version, c.txn, c.id, c.epoch, c.timeout
			resp := r.h.initProducerID(r.ctx(), req)
			if c.want != nil {
				require.Equal(t, c.want.Code, resp.ErrorCode)
				require.EqualValues(t, -1, resp.ProducerID)
				return
			}
			require.Zero(t, resp.ErrorCode)
			require.GreaterOrEqual(t, resp.ProducerID, int64(1000))
			require.Zero(t, resp.ProducerEpoch)
		})
	}
}

func TestIDBlocksAskForABlockAtATime(t *testing.T) {
	asked := 0
	fail := error(nil)
	b := NewIDBlocks(1, func() int64 { return 7 }, func(_ context.Context, req kmsg.Request) (kmsg.Response, error) {
		ask := req.(*kmsg.AllocateProducerIDsRequest)
		if ask.BrokerID != 1 || ask.BrokerEpoch != 7 {
			return nil, errors.New("who are you")
		}
		if fail != nil {
			return nil, fail
		}
		resp := kmsg.NewPtrAllocateProducerIDsResponse()
		resp.ProducerIDStart, resp.ProducerIDLen = int64(asked)*3, 3
		asked++
		return resp, nil
	})
	for i := range int64(7) {
		id, err := b.Next(context.Background())
		require.NoError(t, err)
		require.Equal(t, i, id)
	}
	require.Equal(t, 3, asked)
	for range 2 {
		_, err := b.Next(context.Background())
		require.NoError(t, err)
	}
	fail = errors.New("no controller")
	_, err := b.Next(context.Background())
	require.ErrorIs(t, err, fail)
	fail = nil
	id, err := b.Next(context.Background())
	require.NoError(t, err)
	require.EqualValues(t, 9, id)
}

func TestOffsetForLeaderEpoch(t *testing.T) {
	r := memRig(t)
	id := r.topic("a", 1)
	r.topic("other", 1, 2)
	r.mustProduce("a", 0, "epoch 0")
	r.apply(&metadata.PartitionChangeRecord{TopicId: id, Leader: 1, LeaderRecoveryState: metadata.NoRecoveryChange})
	r.mustProduce("a", 0, "epoch 1")
	r.mustProduce("a", 0, "epoch 1")
	cases := []struct {
		topic          string
		epoch, current int32
		want           *kerr.Error
		gotEpoch       int32
		end            int64
	}{
		{"a", 0, -1, nil, 0, 1},
		{"a", 1, 1, nil, 1, 3},
		{"a", 7, -1, nil, -1, -1},
		{"a", 1, 0, kerr.FencedLeaderEpoch, -1, -1},
		{"a", 1, 2, kerr.UnknownLeaderEpoch, -1, -1},
		{"other", 0, -1, kerr.NotLeaderForPartition, -1, -1},
		{"nope", 0, -1, kerr.UnknownTopicOrPartition, -1, -1},
	}
	for _, c := range cases {
		req := kmsg.NewPtrOffsetForLeaderEpochRequest()
		req.Version = 4
		topic := kmsg.NewOffsetForLeaderEpochRequestTopic()
		p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		p.LeaderEpoch, p.CurrentLeaderEpoch = c.epoch, c.current
		topic.Topic, topic.Partitions = c.topic, append(topic.Partitions, p)
		req.Topics = append(req.Topics, topic)
		got := r.h.offsetForLeaderEpoch(r.ctx(), req).Topics[0].Partitions[0]
		if c.want != nil {
			require.Equal(t, c.want.Code, got.ErrorCode)
		} else {
			require.Zero(t, got.ErrorCode)
		}
		require.Equal(t, c.gotEpoch, got.LeaderEpoch, "%+v", c)
		require.Equal(t, c.end, got.EndOffset, "%+v", c)
	}
}

func TestDescribeProducers(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1)
	now := time.Now().UnixMilli()
	require.Zero(t, r.produce(12, -1, "a", 0, batchWith(idempotent(9, 2, 0), now, "x", "y")).ErrorCode)
	describe := func(topic string, index int32) kmsg.DescribeProducersResponseTopicPartition {
		req := kmsg.NewPtrDescribeProducersRequest()
		tp := kmsg.NewDescribeProducersRequestTopic()
		tp.Topic, tp.Partitions = topic, []int32{index}
		req.Topics = append(req.Topics, tp)
		return r.h.describeProducers(r.ctx(), req).Topics[0].Partitions[0]
	}
	got := describe("a", 0)
	require.Zero(t, got.ErrorCode)
	require.Len(t, got.ActiveProducers, 1)
	p := got.ActiveProducers[0]
	require.EqualValues(t, 9, p.ProducerID)
	require.EqualValues(t, 2, p.ProducerEpoch)
	require.EqualValues(t, 1, p.LastSequence)
	require.Equal(t, now, p.LastTimestamp)
	require.EqualValues(t, -1, p.CurrentTxnStartOffset)

	require.Equal(t, kerr.UnknownTopicOrPartition.Code, describe("a", 1).ErrorCode)
	unknown := describe("nope", 0)
	require.Equal(t, kerr.UnknownTopicOrPartition.Code, unknown.ErrorCode)
	require.NotNil(t, unknown.ErrorMessage)
	invalid := describe("no/pe", 0)
	require.Equal(t, kerr.InvalidTopicException.Code, invalid.ErrorCode)
	require.Contains(t, *invalid.ErrorMessage, "Topic name is invalid: 'no/pe'")
}
