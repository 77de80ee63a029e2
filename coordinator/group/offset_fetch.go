package group

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/protocol"
)

// OffsetFetch answers key 9, v1-10, in the form of v8 and later whatever the version: one answer per group of req.Groups.
// In v10 topics have their names beside the ids; the API handler has seen to that.
//
// Every answer waits until what it shows is committed, require-stable or not; the flag adds that offsets which a
// transaction has written and not yet committed are UNSTABLE_OFFSET_COMMIT.
func (c *Coordinator) OffsetFetch(ctx context.Context, _ Caller, req *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	resp.Groups = make([]kmsg.OffsetFetchResponseGroup, 0, len(req.Groups))
	room := answerRoom(maxAnswer)
	for i := range req.Groups {
		g := &req.Groups[i]
		refuse := func(code int16) *kmsg.OffsetFetchResponse {
			if code == kerr.CoordinatorNotAvailable.Code { // clients before 3.9 don't retry on it
				code = kerr.NotCoordinator.Code
			}
			return &kmsg.OffsetFetchResponse{Groups: []kmsg.OffsetFetchResponseGroup{fetchError(req.Version, g, code)}}
		}
		one := ask(ctx, c, g.Group, refuse, func(s *State, t coordinator.Turn) coordinator.Result {
			answer := s.offsetFetch(req.Version, req.RequireStable, g, &room)
			return t.Answer(&kmsg.OffsetFetchResponse{Groups: []kmsg.OffsetFetchResponseGroup{answer}})
		})
		resp.Groups = append(resp.Groups, one.Groups[0])
	}
	return resp
}

// fetchError fails a group: at its top, in v1 on each partition.
func fetchError(version int16, g *kmsg.OffsetFetchRequestGroup, code int16) kmsg.OffsetFetchResponseGroup {
	out := kmsg.OffsetFetchResponseGroup{Group: g.Group}
	if version >= 2 {
		out.ErrorCode = code
		return out
	}
	for i := range g.Topics {
		t := kmsg.OffsetFetchResponseGroupTopic{Topic: g.Topics[i].Topic}
		for _, p := range g.Topics[i].Partitions {
			t.Partitions = append(t.Partitions, noOffset(p, code))
		}
		out.Topics = append(out.Topics, t)
	}
	return out
}

func noOffset(partition int32, code int16) kmsg.OffsetFetchResponseGroupTopicPartition {
	return kmsg.OffsetFetchResponseGroupTopicPartition{Partition: partition, Offset: -1, LeaderEpoch: -1, Metadata: new(string), ErrorCode: code}
}

func (s *State) offsetFetch(version int16, stable bool, g *kmsg.OffsetFetchRequestGroup, room *answerRoom) kmsg.OffsetFetchResponseGroup {
	out := kmsg.OffsetFetchResponseGroup{Group: g.Group, Topics: []kmsg.OffsetFetchResponseGroupTopic{}}
	group, committed := s.groups[g.Group], s.offsets.committed[g.Group]
	if group == nil {
		committed = nil
	} else if err := group.CheckFetch(g.MemberID, g.MemberEpoch); err != nil {
		if code := protocol.CodeOf(err); code != kerr.GroupIDNotFound.Code { // a dead group: as one that does not exist
			return fetchError(version, g, code)
		}
		committed = nil
	}
	if g.Topics == nil {
		for _, name := range sortedKeys(committed) {
			list := committed[name].list
			t := kmsg.OffsetFetchResponseGroupTopic{Topic: name, Partitions: make([]kmsg.OffsetFetchResponseGroupTopicPartition, 0, len(list))}
			for i := range list {
				t.Partitions = append(t.Partitions, s.fetched(stable, g.Group, name, protocol.UUID{}, list[i].Partition, &list[i]))
			}
			if !room.take(fetchedSize(&t)) {
				return fetchError(version, g, kerr.InvalidRequest.Code)
			}
			out.Topics = append(out.Topics, t)
		}
		return out
	}
	for i := range g.Topics {
		asked := &g.Topics[i]
		have := committed[asked.Topic]
		t := kmsg.OffsetFetchResponseGroupTopic{Topic: asked.Topic, TopicID: asked.TopicID, Partitions: make([]kmsg.OffsetFetchResponseGroupTopicPartition, 0, len(asked.Partitions))}
		for _, p := range asked.Partitions {
			t.Partitions = append(t.Partitions, s.fetched(stable, g.Group, asked.Topic, asked.TopicID, p, have.get(p)))
		}
		if !room.take(fetchedSize(&t)) {
			return fetchError(version, g, kerr.InvalidRequest.Code)
		}
		out.Topics = append(out.Topics, t)
	}
	return out
}

// fetched shows an offset. One that was committed under another topic id is of a topic that is gone.
func (s *State) fetched(stable bool, group, topic string, id protocol.UUID, partition int32, o *offset) kmsg.OffsetFetchResponseGroupTopicPartition {
	switch {
	case stable && s.offsets.isOpen(group, topic, partition):
		return noOffset(partition, kerr.UnstableOffsetCommit.Code)
	case o == nil, !o.TopicID.IsZero() && !id.IsZero() && o.TopicID != id:
		return noOffset(partition, 0)
	}
	return kmsg.OffsetFetchResponseGroupTopicPartition{Partition: partition, Offset: o.Offset, LeaderEpoch: o.LeaderEpoch, Metadata: &o.Metadata}
}
