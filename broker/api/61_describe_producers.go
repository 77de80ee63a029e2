package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/protocol"
)

// DescribeProducers, v0. The producers that wrote to a partition lately (KIP-664).
//
// Errors:    INVALID_TOPIC_EXCEPTION, UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR
// Needs:     READ on TOPIC
// Differs from Kafka: nothing known. Any replica answers, as there.
var describeProducers = define(0, 0, OnBroker, (*Handlers).describeProducers)

func (h *Handlers) describeProducers(c *server.Ctx, req *kmsg.DescribeProducersRequest) *kmsg.DescribeProducersResponse {
	resp := kmsg.NewPtrDescribeProducersResponse()
	resp.Version = req.Version
	view := h.Data.Replicas.View()
	for i := range req.Topics {
		t := &req.Topics[i]
		topic := view.ByName(t.Topic)
		refused := validTopic(t.Topic)
		if refused == nil && topic == nil {
			refused = kerr.UnknownTopicOrPartition
		}
		out := kmsg.NewDescribeProducersResponseTopic()
		out.Topic = t.Topic
		for _, index := range t.Partitions {
			part := kmsg.NewDescribeProducersResponseTopicPartition()
			part.Partition = index
			if refused != nil {
				part.ErrorCode, part.ErrorMessage = protocol.CodeOf(refused), protocol.MessageOf(refused)
			} else {
				part.ErrorCode = h.producersOf(topic, index, &part)
			}
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

func (h *Handlers) producersOf(topic *replica.Topic, index int32, part *kmsg.DescribeProducersResponseTopicPartition) int16 {
	p, err := topic.Partition(index)
	if err != nil {
		return protocol.CodeOf(err)
	}
	if st := p.State(); st.Role == replica.RoleGone {
		return protocol.CodeOf(st.Err)
	}
	for _, s := range p.Log().ActiveProducers() {
		out := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		out.ProducerID, out.ProducerEpoch, out.LastSequence = s.ProducerID, int32(s.ProducerEpoch), s.LastSequence
		out.LastTimestamp, out.CoordinatorEpoch, out.CurrentTxnStartOffset = s.LastTimestamp, s.CoordinatorEpoch, s.CurrentTxnStartOffset
		part.ActiveProducers = append(part.ActiveProducers, out)
	}
	return 0
}
