package group

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/assign"
)

// ConsumerGroupDescribe answers key 69, v0-1: consumer groups with their members, what each has and what it should have.
// Groups of other kinds do not exist for it.
func (c *Coordinator) ConsumerGroupDescribe(ctx context.Context, _ Caller, req *kmsg.ConsumerGroupDescribeRequest) *kmsg.ConsumerGroupDescribeResponse {
	resp := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
	resp.Groups = make([]kmsg.ConsumerGroupDescribeResponseGroup, len(req.Groups))
	room := answerRoom(maxAnswer)
	fail := func(id string, code int16) kmsg.ConsumerGroupDescribeResponseGroup {
		g := kmsg.NewConsumerGroupDescribeResponseGroup()
		g.Group, g.ErrorCode = id, code
		return g
	}
	for partition, indexes := range c.byPartition(req.Groups) {
		refuse := func(e *kerr.Error) kmsg.Response {
			part := &kmsg.ConsumerGroupDescribeResponse{}
			for _, i := range indexes {
				part.Groups = append(part.Groups, fail(req.Groups[i], e.Code))
			}
			return part
		}
		part := c.shards.Ask(ctx, partition, refuse, func(s *State, t coordinator.Turn) coordinator.Result {
			part := &kmsg.ConsumerGroupDescribeResponse{}
			for _, i := range indexes {
				g := s.describeConsumer(req.Groups[i])
				if !room.take(describedConsumerSize(&g)) {
					g = fail(req.Groups[i], kerr.InvalidRequest.Code)
				}
				part.Groups = append(part.Groups, g)
			}
			return t.Answer(part)
		}).(*kmsg.ConsumerGroupDescribeResponse)
		for n, i := range indexes {
			resp.Groups[i] = part.Groups[n]
		}
	}
	for i, id := range req.Groups {
		if id == "" {
			resp.Groups[i] = fail("", kerr.InvalidGroupID.Code)
		}
	}
	return resp
}

func (s *State) describeConsumer(id string) kmsg.ConsumerGroupDescribeResponseGroup {
	out := kmsg.NewConsumerGroupDescribeResponseGroup()
	out.Group = id
	g := s.consumer(id)
	if g == nil {
		text := fmt.Sprintf("Group %s not found.", id)
		if s.groups[id] != nil {
			text = fmt.Sprintf("Group %s is not a consumer group.", id)
		}
		out.ErrorCode, out.ErrorMessage = kerr.GroupIDNotFound.Code, &text
		return out
	}
	out.State, out.Epoch, out.AssignmentEpoch = g.StateName(), g.epoch, g.targetEpoch
	out.AssignorName = s.assignorOr(preferredAssignor(g.assignors))
	for _, id := range sortedKeys(g.members) {
		m := g.members[id]
		v := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		v.MemberID, v.InstanceID, v.RackID, v.MemberEpoch, v.ClientID, v.ClientHost = id, m.instance, m.rack, m.epoch, m.client, m.host
		v.SubscribedTopics, v.SubscribedTopicRegex = slices.Clone(m.topics), m.regex
		v.Assignment = s.describeAssignment(assignmentOf(m.assigned.merge(m.revoking)))
		v.TargetAssignment = s.describeAssignment(g.target[id])
		v.MemberType = 1
		if m.classic != nil {
			v.MemberType = 0
		}
		out.Members = append(out.Members, v)
	}
	return out
}

// assignmentOf is the partitions of h without their epochs.
func assignmentOf(h holding) (a assign.Assignment) {
	for _, t := range h {
		a = append(a, assign.TopicPartitions{Topic: t.topic, Partitions: t.partitions})
	}
	return a
}

// describeAssignment names topics; those that are gone are left out.
func (s *State) describeAssignment(a assign.Assignment) kmsg.Assignment {
	out := kmsg.Assignment{TopicPartitions: []kmsg.AssignmentTopicPartition{}}
	for _, t := range a {
		if topic := s.image.Topics.ByID(t.Topic); topic != nil {
			out.TopicPartitions = append(out.TopicPartitions, kmsg.AssignmentTopicPartition{TopicID: t.Topic, Topic: topic.Name, Partitions: t.Partitions})
		}
	}
	return out
}
