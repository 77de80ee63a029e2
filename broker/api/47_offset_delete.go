package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
)

// OffsetDelete, v0. Deletes offsets of topics that a group is not subscribed to (KIP-496).
//
// Errors:    INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR,
// COORDINATOR_LOAD_IN_PROGRESS; per partition UNKNOWN_TOPIC_OR_PARTITION, GROUP_SUBSCRIBED_TO_TOPIC
// Needs:     DELETE on GROUP, READ on TOPIC
// Differs from Kafka: nothing known.
var offsetDelete = define(0, 0, OnBroker, (*Handlers).offsetDelete)

func (h *Handlers) offsetDelete(c *server.Ctx, req *kmsg.OffsetDeleteRequest) *kmsg.OffsetDeleteResponse {
	img := h.Images.Image()
	var refused []kmsg.OffsetDeleteResponseTopic
	refusedAt := map[string]int{}
	known := req.Topics[:0]
	for _, t := range uniqueTopics(req.Topics) {
		topic := img.Topics.ByName(t.Topic)
		out := kmsg.OffsetDeleteResponseTopic{Topic: t.Topic}
		partitions := t.Partitions[:0]
		for _, p := range t.Partitions {
			if topic == nil || topic.Partition(p.Partition) == nil {
				out.Partitions = append(out.Partitions, kmsg.OffsetDeleteResponseTopicPartition{Partition: p.Partition, ErrorCode: kerr.UnknownTopicOrPartition.Code})
				continue
			}
			partitions = append(partitions, p)
		}
		if topic == nil || len(out.Partitions) > 0 {
			refusedAt[t.Topic] = len(refused)
			refused = append(refused, out)
		}
		if len(partitions) > 0 {
			t.Partitions = partitions
			known = append(known, t)
		}
	}
	req.Topics = known
	resp := askGroups(c, req, h.Groups.OffsetDelete)
	if resp.ErrorCode != 0 || len(refused) == 0 {
		return resp
	}
	for _, t := range resp.Topics {
		if i, ok := refusedAt[t.Topic]; ok {
			refused[i].Partitions = append(refused[i].Partitions, t.Partitions...)
			continue
		}
		refused = append(refused, t)
	}
	resp.Topics = refused
	return resp
}

// uniqueTopics leaves out topics that are named again: Kafka keeps them in a set.
func uniqueTopics(topics []kmsg.OffsetDeleteRequestTopic) []kmsg.OffsetDeleteRequestTopic {
	seen := make(map[string]bool, min(len(topics), 1024))
	return slices.DeleteFunc(topics, func(t kmsg.OffsetDeleteRequestTopic) bool {
		again := seen[t.Topic]
		seen[t.Topic] = true
		return again
	})
}
