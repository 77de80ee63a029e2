package group

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/protocol"
)

// OffsetDelete answers key 47, v0. Topics and partitions exist: the API handler has seen to that.
func (c *Coordinator) OffsetDelete(ctx context.Context, _ Caller, req *kmsg.OffsetDeleteRequest) *kmsg.OffsetDeleteResponse {
	refuse := func(code int16) *kmsg.OffsetDeleteResponse {
		resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
		resp.ErrorCode = code
		return resp
	}
	if req.Group == "" {
		return refuse(kerr.InvalidGroupID.Code)
	}
	return ask(ctx, c, req.Group, refuse, func(s *State, t coordinator.Turn) coordinator.Result { return s.deleteOffsets(t, req) })
}

func (s *State) deleteOffsets(t coordinator.Turn, req *kmsg.OffsetDeleteRequest) coordinator.Result {
	resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
	g := s.groups[req.Group]
	if g == nil {
		resp.ErrorCode = kerr.GroupIDNotFound.Code
		return t.Answer(resp)
	}
	if err := g.CheckOffsetDelete(); err != nil {
		resp.ErrorCode = protocol.CodeOf(err)
		return t.Answer(resp)
	}
	var records []coordinator.Record
	for i := range req.Topics {
		in := &req.Topics[i]
		out := kmsg.OffsetDeleteResponseTopic{Topic: in.Topic}
		subscribed := g.SubscribedTo(in.Topic)
		have := s.offsets.committed[req.Group][in.Topic]
		for _, p := range in.Partitions {
			answer := kmsg.OffsetDeleteResponseTopicPartition{Partition: p.Partition}
			switch {
			case subscribed:
				answer.ErrorCode = kerr.GroupSubscribedToTopic.Code
			case have.get(p.Partition) != nil || s.offsets.isOpen(req.Group, in.Topic, p.Partition):
				records = append(records, offsetTombstone(req.Group, in.Topic, p.Partition))
			}
			out.Partitions = append(out.Partitions, answer)
		}
		resp.Topics = append(resp.Topics, out)
	}
	r := t.Answer(resp)
	r.Records = records
	return r
}

// offsetTombstones delete all offsets of a group, also those of transactions that have not ended.
func (s *State) offsetTombstones(group string) []coordinator.Record {
	var records []coordinator.Record
	committed := s.offsets.committed[group]
	for _, topic := range sortedKeys(committed) {
		for _, o := range committed[topic].list {
			records = append(records, offsetTombstone(group, topic, o.Partition))
		}
	}
	for _, open := range s.offsets.openPartitions(group) {
		if committed[open.topic].get(open.partition) == nil {
			records = append(records, offsetTombstone(group, open.topic, open.partition))
		}
	}
	return records
}
