package compat

import (
	"context"
	"hash/crc32"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// rpc sends single requests to one broker, in the versions of Kafka 3.7: topics go by name there.
type rpc struct {
	t      *testing.T
	client *kgo.Client
	node   int
}

func newRPC(t *testing.T, n *node, id int) rpc {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(n.bootstrap), kgo.MaxVersions(kversion.V3_7_0()))
	must(t, err)
	t.Cleanup(client.Close)
	return rpc{t, client, id}
}

// call fails the test when no answer comes; error codes in it are the caller's.
func call[Resp kmsg.Response](r rpc, req kmsg.Request) Resp {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	resp, err := r.client.Broker(r.node).RetriableRequest(ctx, req)
	must(r.t, err)
	return resp.(Resp)
}

// create makes a topic of one partition; configs are key, value, key, value.
func (r rpc) create(name string, configs ...string) {
	r.t.Helper()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 1, 1
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		topic.Configs = append(topic.Configs, c)
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis, req.Topics = 30_000, []kmsg.CreateTopicsRequestTopic{topic}
	must(r.t, kerr.ErrorForCode(call[*kmsg.CreateTopicsResponse](r, req).Topics[0].ErrorCode))
	r.awaitLeader(name)
}

// awaitLeader is for Apache Kafka, which answers clients before its image has caught up.
func (r rpc) awaitLeader(topic string) {
	r.t.Helper()
	eventually(r.t, patience, "the leader of "+topic+" answers", func() bool {
		_, code := r.offset(topic, -1)
		return code == 0
	})
}

func (r rpc) remove(name string) {
	r.t.Helper()
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis, req.Topics, req.TopicNames = 30_000, []kmsg.DeleteTopicsRequestTopic{topic}, []string{name}
	must(r.t, kerr.ErrorForCode(call[*kmsg.DeleteTopicsResponse](r, req).Topics[0].ErrorCode))
}

// alter sets configs of a topic; an empty value takes the key away.
func (r rpc) alter(topic string, configs ...string) {
	r.t.Helper()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		if configs[i+1] == "" {
			c.Op, c.Value = kmsg.IncrementalAlterConfigOpDelete, nil
		}
		res.Configs = append(res.Configs, c)
	}
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = append(req.Resources, res)
	must(r.t, kerr.ErrorForCode(call[*kmsg.IncrementalAlterConfigsResponse](r, req).Resources[0].ErrorCode))
	eventually(r.t, patience, "the configs of "+topic+" are seen", func() bool {
		now := r.configs(topic)
		for i := 0; i < len(configs); i += 2 {
			if now[configs[i]] != configs[i+1] {
				return false
			}
		}
		return true
	})
}

// offset asks partition 0 for the offset at a timestamp or at one of the special values below zero.
func (r rpc) offset(topic string, timestamp int64) (offset int64, code int16) {
	r.t.Helper()
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = timestamp
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic, rt.Partitions = topic, []kmsg.ListOffsetsRequestTopicPartition{p}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.Topics = -1, []kmsg.ListOffsetsRequestTopic{rt}
	got := call[*kmsg.ListOffsetsResponse](r, req).Topics[0].Partitions[0]
	return got.Offset, got.ErrorCode
}

// truncateBefore deletes the records of partition 0 below offset.
func (r rpc) truncateBefore(topic string, offset int64) {
	r.t.Helper()
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Offset = offset
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic, rt.Partitions = topic, []kmsg.DeleteRecordsRequestTopicPartition{p}
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis, req.Topics = 30_000, []kmsg.DeleteRecordsRequestTopic{rt}
	got := call[*kmsg.DeleteRecordsResponse](r, req).Topics[0].Partitions[0]
	must(r.t, kerr.ErrorForCode(got.ErrorCode))
	if got.LowWatermark != offset {
		r.t.Fatalf("DeleteRecords answers low watermark %d, want %d", got.LowWatermark, offset)
	}
}

func (r rpc) producerID() (id int64, epoch int16) {
	r.t.Helper()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.ProducerID, req.ProducerEpoch = -1, -1
	for range int(patience / (50 * time.Millisecond)) {
		got := call[*kmsg.InitProducerIDResponse](r, req)
		if got.ErrorCode == kerr.CoordinatorLoadInProgress.Code { // Apache Kafka, while it fetches its first block
			time.Sleep(50 * time.Millisecond)
			continue
		}
		must(r.t, kerr.ErrorForCode(got.ErrorCode))
		return got.ProducerID, got.ProducerEpoch
	}
	r.t.Fatalf("no producer id within %v", patience)
	return 0, 0
}

// append produces one batch to partition 0 with acks=all and returns its base offset.
func (r rpc) append(topic string, batch []byte) (base int64, code int16) {
	r.t.Helper()
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = batch
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic, rt.Partitions = topic, []kmsg.ProduceRequestTopicPartition{p}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis, req.Topics = -1, 30_000, []kmsg.ProduceRequestTopic{rt}
	got := call[*kmsg.ProduceResponse](r, req).Topics[0].Partitions[0]
	return got.BaseOffset, got.ErrorCode
}

func (r rpc) topics() (names []string) {
	r.t.Helper()
	for _, topic := range call[*kmsg.MetadataResponse](r, kmsg.NewPtrMetadataRequest()).Topics {
		names = append(names, *topic.Topic)
	}
	return names
}

// configs are the settings of a topic that somebody made, by name.
func (r rpc) configs(topic string) map[string]string {
	r.t.Helper()
	res := kmsg.NewDescribeConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = append(req.Resources, res)
	got := call[*kmsg.DescribeConfigsResponse](r, req).Resources[0]
	must(r.t, kerr.ErrorForCode(got.ErrorCode))
	set := map[string]string{}
	for _, c := range got.Configs {
		if c.Source == kmsg.ConfigSourceDynamicTopicConfig {
			set[c.Name] = *c.Value
		}
	}
	return set
}

// batchOf is an uncompressed record batch of a producer with these values. Its time is now: a producer whose last batch
// is older than producer.id.expiration.ms is forgotten at the next start.
func batchOf(producer int64, epoch int16, sequence int32, values ...string) []byte {
	now := time.Now().UnixMilli()
	b := kmsg.RecordBatch{PartitionLeaderEpoch: -1, Magic: 2, LastOffsetDelta: int32(len(values) - 1), FirstTimestamp: now, MaxTimestamp: now,
		ProducerID: producer, ProducerEpoch: epoch, FirstSequence: sequence, NumRecords: int32(len(values))}
	for i, v := range values {
		rec := kmsg.Record{OffsetDelta: int32(i), Value: []byte(v)}
		rec.Length = int32(len(rec.AppendTo(nil)) - 1) // a zero length takes one byte
		b.Records = rec.AppendTo(b.Records)
	}
	raw := b.AppendTo(nil)
	out := kbin.AppendInt32(raw[:8:8], int32(len(raw)-12))
	out = append(out, raw[12:17]...)
	out = kbin.AppendUint32(out, crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return append(out, raw[21:]...)
}
