package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/metadata"
)

// OffsetFetch, v1-10. How far groups have read.
//
// Versions:  2 all topics (null), errors at the top · 3 throttle time · 5 leader epoch · 6 flexible · 7 only stable offsets
// (KIP-447) · 8 many groups (KIP-709) · 9 member id and epoch (KIP-848) · 10 topic ids (KIP-848)
// Errors:    COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, UNKNOWN_MEMBER_ID,
// STALE_MEMBER_EPOCH, GROUP_ID_NOT_FOUND, INVALID_REQUEST; per partition UNSTABLE_OFFSET_COMMIT, UNKNOWN_TOPIC_ID
// Needs:     DESCRIBE on GROUP, DESCRIBE on TOPIC
// Differs from Kafka: groups beyond 128 MiB of answer are INVALID_REQUEST.
var offsetFetch = define(1, 10, OnBroker, (*Handlers).offsetFetch)

// offsetFetch asks the coordinator in the form of v8+, where every group has its own answer.
func (h *Handlers) offsetFetch(c *server.Ctx, req *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse {
	img := h.Images.Image()
	if req.Version < 8 {
		req.Groups = []kmsg.OffsetFetchRequestGroup{singleGroup(req)}
	}
	unknown := make([][]kmsg.OffsetFetchResponseGroupTopic, len(req.Groups)) // topic ids that nobody knows, by group
	if req.Version >= 10 {
		for i := range req.Groups {
			unknown[i] = nameTopics(img, &req.Groups[i])
		}
	}
	all := make([]bool, len(req.Groups))
	for i := range req.Groups {
		all[i] = req.Groups[i].Topics == nil
	}
	resp := askGroups(c, req, h.Groups.OffsetFetch)
	for i := range resp.Groups {
		if g := &resp.Groups[i]; g.ErrorCode == 0 && req.Version >= 10 {
			if all[i] {
				g.Topics = withIDs(img, g.Topics)
			}
			g.Topics = append(g.Topics, unknown[i]...)
		}
	}
	if req.Version < 8 {
		flatten(resp)
	}
	return resp
}

// singleGroup is the request of v1-7.
func singleGroup(req *kmsg.OffsetFetchRequest) kmsg.OffsetFetchRequestGroup {
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = req.Group
	if req.Topics != nil {
		g.Topics = make([]kmsg.OffsetFetchRequestGroupTopic, 0, len(req.Topics))
	}
	for _, t := range req.Topics {
		g.Topics = append(g.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: t.Topic, Partitions: t.Partitions})
	}
	return g
}

// nameTopics gives the topics that were asked for by id their names, and takes out those that are not known.
func nameTopics(img *metadata.Image, g *kmsg.OffsetFetchRequestGroup) (unknown []kmsg.OffsetFetchResponseGroupTopic) {
	known := g.Topics[:0]
	for _, t := range g.Topics {
		if topic := img.Topics.ByID(t.TopicID); topic != nil {
			t.Topic = topic.Name
			known = append(known, t)
			continue
		}
		out := kmsg.OffsetFetchResponseGroupTopic{TopicID: t.TopicID}
		for _, p := range t.Partitions {
			out.Partitions = append(out.Partitions, kmsg.OffsetFetchResponseGroupTopicPartition{
				Partition: p, Offset: -1, LeaderEpoch: -1, Metadata: new(string), ErrorCode: kerr.UnknownTopicID.Code})
		}
		unknown = append(unknown, out)
	}
	g.Topics = known
	return unknown
}

// withIDs fills in the ids of topics. Those that are gone can't be shown.
func withIDs(img *metadata.Image, topics []kmsg.OffsetFetchResponseGroupTopic) []kmsg.OffsetFetchResponseGroupTopic {
	shown := topics[:0]
	for _, t := range topics {
		if topic := img.Topics.ByName(t.Topic); topic != nil {
			t.TopicID = topic.ID
			shown = append(shown, t)
		}
	}
	return shown
}

// flatten turns the answer into the form of v1-7. v1 has no error at the top: its partitions carry it.
func flatten(resp *kmsg.OffsetFetchResponse) {
	g := resp.Groups[0]
	resp.Groups, resp.ErrorCode = nil, g.ErrorCode
	for _, t := range g.Topics {
		out := kmsg.OffsetFetchResponseTopic{Topic: t.Topic, Partitions: make([]kmsg.OffsetFetchResponseTopicPartition, 0, len(t.Partitions))}
		for _, p := range t.Partitions {
			out.Partitions = append(out.Partitions, kmsg.OffsetFetchResponseTopicPartition{
				Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: p.Metadata, ErrorCode: p.ErrorCode})
		}
		resp.Topics = append(resp.Topics, out)
	}
}
