package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/protocol"
)

// OffsetForLeaderEpoch, v2-4. Where a leader epoch ends: clients and followers find out whether their log diverged.
//
// Versions:  2 current leader epoch (KIP-320) · 3 replica id · 4 flexible
// Errors:    UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH,
// KAFKA_STORAGE_ERROR
// Needs:     DESCRIBE on TOPIC, or CLUSTER_ACTION
// Differs from Kafka: nothing known.
var offsetForLeaderEpoch = define(2, 4, OnBroker, (*Handlers).offsetForLeaderEpoch)

func (h *Handlers) offsetForLeaderEpoch(c *server.Ctx, req *kmsg.OffsetForLeaderEpochRequest) *kmsg.OffsetForLeaderEpochResponse {
	resp := kmsg.NewPtrOffsetForLeaderEpochResponse()
	resp.Version = req.Version
	view := h.Data.Replicas.View()
	for i := range req.Topics {
		t := &req.Topics[i]
		topic := view.ByName(t.Topic)
		out := kmsg.NewOffsetForLeaderEpochResponseTopic()
		out.Topic = t.Topic
		for j := range t.Partitions {
			r := &t.Partitions[j]
			end := replica.EpochEnd{Epoch: -1, End: -1}
			p, err := topic.Partition(r.Partition)
			if err == nil {
				end, err = p.EndOfEpoch(r.LeaderEpoch, r.CurrentLeaderEpoch, true)
			}
			part := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			part.Partition, part.LeaderEpoch, part.EndOffset = r.Partition, end.Epoch, end.End
			part.ErrorCode = h.codeOf(err, "finding an epoch's end failed", protocol.TopicPartition{Topic: t.Topic, Partition: r.Partition})
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
