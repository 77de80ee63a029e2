package dohletest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/dohletest"
)

// client is stock franz-go on the network of b.
func client(t testing.TB, b *dohletest.Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.Bootstrap()), kgo.AllowAutoTopicCreation(), kgo.Dialer(b.Dial))...)
	require.NoError(t, err)
	return c
}

// write appends n records with a producer of its own, which is closed.
func write(t testing.TB, b *dohletest.Broker, topic string, n int, opts ...kgo.Opt) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	producer := client(t, b, opts...)
	defer producer.Close()
	for i := range n {
		require.NoError(t, producer.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "value %d", i)}).FirstErr())
	}
}

// read consumes the first n records of a topic of one partition and checks that they are what write wrote.
func read(t testing.TB, b *dohletest.Broker, topic string, n int, opts ...kgo.Opt) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	consumer := client(t, b, append(opts, kgo.ConsumeTopics(topic))...)
	defer consumer.Close()
	for got := 0; got < n; {
		fetches := consumer.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			require.Equal(t, fmt.Sprintf("value %d", got), string(r.Value))
			require.EqualValues(t, got, r.Offset)
			got++
		})
	}
}

func roundTrip(t testing.TB, b *dohletest.Broker, topic string, n int, opts ...kgo.Opt) {
	t.Helper()
	write(t, b, topic, n, opts...)
	read(t, b, topic, n, opts...)
}

// ask sends one request and expects an answer of type R.
func ask[R kmsg.Response](t testing.TB, b *dohletest.Broker, req kmsg.Request) R {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	resp, err := b.Request(ctx, req)
	require.NoError(t, err)
	require.IsType(t, *new(R), resp)
	return resp.(R)
}

func createTopic(t testing.TB, b *dohletest.Broker, name string, partitions int32, configs ...string) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 10_000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, 1
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		topic.Configs = append(topic.Configs, c)
	}
	req.Topics = append(req.Topics, topic)
	require.NoError(t, kerr.ErrorForCode(ask[*kmsg.CreateTopicsResponse](t, b, req).Topics[0].ErrorCode))
}

const (
	latest   = -1
	earliest = -2
)

func startOffset(t testing.TB, b *dohletest.Broker, topic string) int64 {
	t.Helper()
	return offset(t, b, topic, earliest)
}

func endOffset(t testing.TB, b *dohletest.Broker, topic string) int64 {
	t.Helper()
	return offset(t, b, topic, latest)
}

// offset is what ListOffsets says of partition 0.
func offset(t testing.TB, b *dohletest.Broker, topic string, timestamp int64) int64 {
	t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = timestamp
	rt.Partitions = append(rt.Partitions, p)
	req.Topics = append(req.Topics, rt)
	got := ask[*kmsg.ListOffsetsResponse](t, b, req).Topics[0].Partitions[0]
	require.NoError(t, kerr.ErrorForCode(got.ErrorCode))
	return got.Offset
}

// producers are those that partition 0 remembers.
func producers(t testing.TB, b *dohletest.Broker, topic string) []kmsg.DescribeProducersResponseTopicPartitionActiveProducer {
	t.Helper()
	req := kmsg.NewPtrDescribeProducersRequest()
	rt := kmsg.NewDescribeProducersRequestTopic()
	rt.Topic, rt.Partitions = topic, []int32{0}
	req.Topics = append(req.Topics, rt)
	got := ask[*kmsg.DescribeProducersResponse](t, b, req).Topics[0].Partitions[0]
	require.NoError(t, kerr.ErrorForCode(got.ErrorCode))
	return got.ActiveProducers
}

// topicIDs are the ids of all topics by name.
func topicIDs(t testing.TB, b *dohletest.Broker) map[string][16]byte {
	t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = nil
	ids := map[string][16]byte{}
	for _, topic := range ask[*kmsg.MetadataResponse](t, b, req).Topics {
		ids[*topic.Topic] = topic.TopicID
	}
	return ids
}
