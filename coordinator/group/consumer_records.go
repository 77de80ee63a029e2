package group

import (
	"slices"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/assign"
	"github.com/dohle-io/dohle/coordinator/group/record"
	"github.com/dohle-io/dohle/protocol"
)

// The records of a consumer group. A member has three: what it said of itself, what it should have, what it has.

func memberRecord(group string, m *consumerMember) coordinator.Record {
	v := record.NewConsumerGroupMemberMetadataValue()
	v.InstanceId, v.RackId, v.ClientId, v.ClientHost = m.instance, m.rack, m.client, m.host
	v.SubscribedTopicNames, v.SubscribedTopicRegex = m.topics, m.regex
	v.RebalanceTimeoutMs, v.ServerAssignor, v.ClassicMemberMetadata = m.rebalanceMs, m.assignor, m.classic
	return encode(&record.ConsumerGroupMemberMetadataKey{GroupId: group, MemberId: m.id}, v)
}

func memberTombstone(group, member string) coordinator.Record {
	return encode(&record.ConsumerGroupMemberMetadataKey{GroupId: group, MemberId: member}, nil)
}

func groupEpochRecord(group string, epoch int32, metadataHash int64) coordinator.Record {
	return encode(&record.ConsumerGroupMetadataKey{GroupId: group}, &record.ConsumerGroupMetadataValue{Epoch: epoch, MetadataHash: metadataHash})
}

func targetRecord(group, member string, a assign.Assignment) coordinator.Record {
	v := &record.ConsumerGroupTargetAssignmentMemberValue{}
	for _, t := range a {
		v.TopicPartitions = append(v.TopicPartitions, record.ConsumerGroupTargetAssignmentMemberValueTopicPartition{TopicId: t.Topic, Partitions: t.Partitions})
	}
	return encode(&record.ConsumerGroupTargetAssignmentMemberKey{GroupId: group, MemberId: member}, v)
}

func targetTombstone(group, member string) coordinator.Record {
	return encode(&record.ConsumerGroupTargetAssignmentMemberKey{GroupId: group, MemberId: member}, nil)
}

func targetEpochRecord(group string, epoch int32, millis int64) coordinator.Record {
	return encode(&record.ConsumerGroupTargetAssignmentMetadataKey{GroupId: group},
		&record.ConsumerGroupTargetAssignmentMetadataValue{AssignmentEpoch: epoch, AssignmentTimestamp: millis})
}

func currentRecord(group string, m *consumerMember) coordinator.Record {
	v := &record.ConsumerGroupCurrentMemberAssignmentValue{MemberEpoch: m.epoch, PreviousMemberEpoch: m.previous, State: int8(m.state)}
	v.AssignedPartitions, v.PartitionsPendingRevocation = recordHolding(m.assigned), recordHolding(m.revoking)
	return encode(&record.ConsumerGroupCurrentMemberAssignmentKey{GroupId: group, MemberId: m.id}, v)
}

func currentTombstone(group, member string) coordinator.Record {
	return encode(&record.ConsumerGroupCurrentMemberAssignmentKey{GroupId: group, MemberId: member}, nil)
}

func regexRecord(group, pattern string, to *resolvedRegex) coordinator.Record {
	return encode(&record.ConsumerGroupRegularExpressionKey{GroupId: group, RegularExpression: pattern},
		&record.ConsumerGroupRegularExpressionValue{Topics: to.topics, Version: to.version, Timestamp: to.timestamp})
}

func regexTombstone(group, pattern string) coordinator.Record {
	return encode(&record.ConsumerGroupRegularExpressionKey{GroupId: group, RegularExpression: pattern}, nil)
}

func oldMetadataTombstone(group string) coordinator.Record {
	return encode(&record.ConsumerGroupPartitionMetadataKey{GroupId: group}, nil)
}

func recordHolding(h holding) (list []record.ConsumerGroupCurrentMemberAssignmentValueTopicPartitions) {
	for _, t := range h {
		list = append(list, record.ConsumerGroupCurrentMemberAssignmentValueTopicPartitions{TopicId: t.topic, Partitions: t.partitions, AssignmentEpochs: t.epochs})
	}
	return list
}

// heldByRecord is the partitions of a record. Before 4.4 records had no epochs: the member's stands for them, or 0 when
// that is not an epoch.
func heldByRecord(list []record.ConsumerGroupCurrentMemberAssignmentValueTopicPartitions, memberEpoch int32) holding {
	epochs := map[protocol.UUID]map[int32]int32{}
	for _, t := range list {
		if epochs[t.TopicId] == nil {
			epochs[t.TopicId] = map[int32]int32{}
		}
		for i, p := range t.Partitions {
			epochs[t.TopicId][p] = max(memberEpoch, 0)
			if len(t.AssignmentEpochs) == len(t.Partitions) {
				epochs[t.TopicId][p] = t.AssignmentEpochs[i]
			}
		}
	}
	return holdingOf(epochs)
}

// assignmentByRecord is a target assignment in the form that package assign promises.
func assignmentByRecord(list []record.ConsumerGroupTargetAssignmentMemberValueTopicPartition) assign.Assignment {
	var a assign.Assignment
	for _, t := range list {
		if len(t.Partitions) > 0 {
			p := slices.Clone(t.Partitions)
			slices.Sort(p)
			a = append(a, assign.TopicPartitions{Topic: t.TopicId, Partitions: slices.Compact(p)})
		}
	}
	slices.SortStableFunc(a, func(t, u assign.TopicPartitions) int { return t.Topic.Compare(u.Topic) })
	return a
}

// removal is the records that remove a member.
func removal(group, member string) []coordinator.Record {
	return []coordinator.Record{currentTombstone(group, member), targetTombstone(group, member), memberTombstone(group, member)}
}

// tombstones are the records that remove the whole group. renamed says under which id a member's records are by now.
func (g *consumerGroup) tombstones(renamed func(id string) string) (list []coordinator.Record) {
	ids := sortedKeys(g.members)
	for _, id := range ids {
		list = append(list, currentTombstone(g.id, renamed(id)))
	}
	for _, id := range ids {
		list = append(list, targetTombstone(g.id, renamed(id)))
	}
	list = append(list, encode(&record.ConsumerGroupTargetAssignmentMetadataKey{GroupId: g.id}, nil))
	for _, id := range ids {
		list = append(list, memberTombstone(g.id, renamed(id)))
	}
	for _, pattern := range sortedKeys(g.resolved) {
		list = append(list, regexTombstone(g.id, pattern))
	}
	return append(list, oldMetadataTombstone(g.id), encode(&record.ConsumerGroupMetadataKey{GroupId: g.id}, nil))
}
