package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// OffsetCommit, v2-10. Stores how far a group has read.
//
// Versions:  2-4 retention of this request · 6 leader epoch · 7 group.instance.id (KIP-345) · 8 flexible · 9 member epochs
// (KIP-848), GROUP_ID_NOT_FOUND, STALE_MEMBER_EPOCH · 10 topic ids (KIP-848)
// Errors:    per partition UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, OFFSET_METADATA_TOO_LARGE, and the group's:
// COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID,
// REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID, GROUP_ID_NOT_FOUND, STALE_MEMBER_EPOCH
// Needs:     READ on GROUP, READ on TOPIC
// Differs from Kafka: nothing known.
var offsetCommit = define(2, 10, OnBroker, (*Handlers).offsetCommit)

func (h *Handlers) offsetCommit(c *server.Ctx, req *kmsg.OffsetCommitRequest) *kmsg.OffsetCommitResponse {
	img := h.Images.Image()
	var refused refusedCommits
	known := req.Topics[:0] // filtered in place: the request is ours
	for i := range req.Topics {
		t := req.Topics[i]
		topic := topicOfCommit(img, req.Version, &t)
		switch {
		case topic == nil && req.Version >= 10:
			refused.add(&t, kerr.UnknownTopicID.Code)
			continue
		case topic == nil:
			refused.add(&t, kerr.UnknownTopicOrPartition.Code)
			continue
		}
		t.Topic, t.TopicID = topic.Name, topic.ID
		partitions := t.Partitions[:0]
		for _, p := range t.Partitions {
			if topic.Partition(p.Partition) == nil {
				refused.partition(&t, p.Partition, kerr.UnknownTopicOrPartition.Code)
				continue
			}
			partitions = append(partitions, p)
		}
		if len(partitions) > 0 {
			t.Partitions = partitions
			known = append(known, t)
		}
	}
	if len(known) == 0 {
		resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
		resp.Topics = refused.topics
		return resp
	}
	req.Topics = known
	resp := askGroups(c, req, h.Groups.OffsetCommit)
	resp.Topics = refused.merge(resp.Topics)
	return resp
}

func topicOfCommit(img *metadata.Image, version int16, t *kmsg.OffsetCommitRequestTopic) *metadata.Topic {
	if version >= 10 {
		return img.Topics.ByID(t.TopicID)
	}
	return img.Topics.ByName(t.Topic)
}

// refusedCommits collects the partitions that the coordinator is not asked for. As in Kafka they come first, and the
// coordinator's answer is merged into the topics that are there.
type refusedCommits struct {
	topics []kmsg.OffsetCommitResponseTopic
	index  map[committedTopic]int
}

type committedTopic struct {
	name string
	id   protocol.UUID
}

func (a *refusedCommits) add(t *kmsg.OffsetCommitRequestTopic, code int16) {
	a.topic(t.Topic, t.TopicID) // also when it has no partitions
	for _, p := range t.Partitions {
		a.partition(t, p.Partition, code)
	}
}

func (a *refusedCommits) partition(t *kmsg.OffsetCommitRequestTopic, partition int32, code int16) {
	out := a.topic(t.Topic, t.TopicID)
	out.Partitions = append(out.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: partition, ErrorCode: code})
}

// topic is the answer's topic of that name and id, made when it is not there.
func (a *refusedCommits) topic(name string, id protocol.UUID) *kmsg.OffsetCommitResponseTopic {
	key := committedTopic{name, id}
	i, ok := a.index[key]
	if !ok {
		if a.index == nil {
			a.index = map[committedTopic]int{}
		}
		i = len(a.topics)
		a.index[key] = i
		a.topics = append(a.topics, kmsg.OffsetCommitResponseTopic{Topic: name, TopicID: id})
	}
	return &a.topics[i]
}

func (a *refusedCommits) merge(answer []kmsg.OffsetCommitResponseTopic) []kmsg.OffsetCommitResponseTopic {
	if len(a.topics) == 0 {
		return answer
	}
	for _, t := range answer {
		out := a.topic(t.Topic, t.TopicID)
		out.Partitions = append(out.Partitions, t.Partitions...)
	}
	return a.topics
}
