package group

import (
	"slices"

	"github.com/dohle-io/dohle/coordinator/group/record"
)

// Replaying records of consumer groups. A compacted log may have lost what stood before a tombstone, and the order of what
// is left need not be the order in which a group writes: a tombstone of something that is not there is ignored, and a
// record of a group is enough to make it (KAFKA-15763, KAFKA-16030, KAFKA-19862).

// consumer is the consumer group of an id, nil if there is none or it is of another kind.
func (s *State) consumer(id string) *consumerGroup {
	g, _ := s.groups[id].(*consumerGroup)
	return g
}

// replayedConsumer is the group that a record is about, made if need be. A group of another kind gives way: either it only
// held offsets, or its own tombstone was compacted away.
func (s *State) replayedConsumer(id string) *consumerGroup {
	if g := s.consumer(id); g != nil {
		return g
	}
	g := newConsumerGroup(id, s.topicIndex)
	s.groups[id] = g
	return g
}

func (s *State) replayConsumerGroup(k *record.ConsumerGroupMetadataKey, v *record.ConsumerGroupMetadataValue) error {
	if v == nil {
		if g := s.consumer(k.GroupId); g != nil {
			g.drop()
			delete(s.groups, k.GroupId)
		}
		return nil
	}
	g := s.replayedConsumer(k.GroupId)
	g.epoch, g.metadataHash = v.Epoch, v.MetadataHash
	return nil
}

func (s *State) replayConsumerPartitions(k *record.ConsumerGroupPartitionMetadataKey, v *record.ConsumerGroupPartitionMetadataValue) error {
	if v != nil {
		s.replayedConsumer(k.GroupId).oldMetadata = true
	} else if g := s.consumer(k.GroupId); g != nil {
		g.oldMetadata = false
	}
	return nil
}

func (s *State) replayConsumerMember(k *record.ConsumerGroupMemberMetadataKey, v *record.ConsumerGroupMemberMetadataValue) error {
	if v == nil {
		if g := s.consumer(k.GroupId); g != nil {
			g.remove(k.MemberId)
		}
		return nil
	}
	g := s.replayedConsumer(k.GroupId)
	m := *g.memberOrNew(k.MemberId)
	m.instance, m.rack, m.client, m.host = v.InstanceId, v.RackId, v.ClientId, v.ClientHost
	m.topics, m.regex = distinctTopics(v.SubscribedTopicNames), v.SubscribedTopicRegex
	m.rebalanceMs, m.assignor, m.classic = v.RebalanceTimeoutMs, v.ServerAssignor, v.ClassicMemberMetadata
	g.put(&m)
	return nil
}

// memberOrNew is the member of an id, or one before its first record.
func (g *consumerGroup) memberOrNew(id string) *consumerMember {
	if m := g.members[id]; m != nil {
		return m
	}
	return newConsumerMember(id)
}

func (s *State) replayConsumerTargetEpoch(k *record.ConsumerGroupTargetAssignmentMetadataKey, v *record.ConsumerGroupTargetAssignmentMetadataValue) error {
	if v != nil {
		g := s.replayedConsumer(k.GroupId)
		g.targetEpoch, g.targetAt = v.AssignmentEpoch, v.AssignmentTimestamp
	} else if g := s.consumer(k.GroupId); g != nil {
		g.targetEpoch, g.targetAt = -1, 0
	}
	return nil
}

func (s *State) replayConsumerTarget(k *record.ConsumerGroupTargetAssignmentMemberKey, v *record.ConsumerGroupTargetAssignmentMemberValue) error {
	if v != nil {
		s.replayedConsumer(k.GroupId).target[k.MemberId] = assignmentByRecord(v.TopicPartitions)
	} else if g := s.consumer(k.GroupId); g != nil {
		delete(g.target, k.MemberId)
	}
	return nil
}

func (s *State) replayConsumerCurrent(k *record.ConsumerGroupCurrentMemberAssignmentKey, v *record.ConsumerGroupCurrentMemberAssignmentValue) error {
	if v != nil {
		g := s.replayedConsumer(k.GroupId)
		m := *g.memberOrNew(k.MemberId)
		m.epoch, m.previous, m.state = v.MemberEpoch, v.PreviousMemberEpoch, stateOf(v.State)
		m.assigned, m.revoking = heldByRecord(v.AssignedPartitions, v.MemberEpoch), heldByRecord(v.PartitionsPendingRevocation, v.MemberEpoch)
		g.put(&m)
		return nil
	}
	g := s.consumer(k.GroupId)
	if g == nil || g.members[k.MemberId] == nil {
		return nil
	}
	m := *g.members[k.MemberId]
	m.epoch, m.previous, m.assigned, m.revoking = epochLeave, epochLeave, nil, nil
	g.put(&m)
	return nil
}

// stateOf is the state of a number; one that this release does not know is memberUnknown.
func stateOf(n int8) memberState {
	switch s := memberState(n); s {
	case memberStable, memberUnrevoked, memberUnreleased:
		return s
	}
	return memberUnknown
}

func (s *State) replayConsumerRegex(k *record.ConsumerGroupRegularExpressionKey, v *record.ConsumerGroupRegularExpressionValue) error {
	if v != nil {
		topics := slices.Clone(v.Topics)
		slices.Sort(topics)
		s.replayedConsumer(k.GroupId).resolve(k.RegularExpression, &resolvedRegex{topics: slices.Compact(topics), version: v.Version, timestamp: v.Timestamp})
	} else if g := s.consumer(k.GroupId); g != nil {
		g.resolve(k.RegularExpression, nil)
	}
	return nil
}
