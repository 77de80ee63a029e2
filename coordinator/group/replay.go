package group

import (
	"cmp"
	"maps"
	"slices"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/record"
)

// Replay implements coordinator.Machine. Records of kinds that are not served here are left to who does.
func (s *State) Replay(r coordinator.Record, at coordinator.Position) error {
	if s.replayCommit(r, at) {
		return nil
	}
	rec, err := record.Decode(r.Key, r.Value)
	if err != nil {
		return err
	}
	switch k := rec.Key.(type) {
	case *record.OffsetCommitKey:
		s.replayOffset(k, valueOf[*record.OffsetCommitValue](rec), at)
	case *record.LegacyOffsetCommitKey:
		s.replayLegacyOffset(k, valueOf[*record.LegacyOffsetCommitValue](rec), at)
	case *record.GroupMetadataKey:
		return s.replayClassicGroup(k, valueOf[*record.GroupMetadataValue](rec), at)
	case *record.ConsumerGroupMetadataKey:
		return s.replayConsumerGroup(k, valueOf[*record.ConsumerGroupMetadataValue](rec))
	case *record.ConsumerGroupPartitionMetadataKey:
		return s.replayConsumerPartitions(k, valueOf[*record.ConsumerGroupPartitionMetadataValue](rec))
	case *record.ConsumerGroupMemberMetadataKey:
		return s.replayConsumerMember(k, valueOf[*record.ConsumerGroupMemberMetadataValue](rec))
	case *record.ConsumerGroupTargetAssignmentMetadataKey:
		return s.replayConsumerTargetEpoch(k, valueOf[*record.ConsumerGroupTargetAssignmentMetadataValue](rec))
	case *record.ConsumerGroupTargetAssignmentMemberKey:
		return s.replayConsumerTarget(k, valueOf[*record.ConsumerGroupTargetAssignmentMemberValue](rec))
	case *record.ConsumerGroupCurrentMemberAssignmentKey:
		return s.replayConsumerCurrent(k, valueOf[*record.ConsumerGroupCurrentMemberAssignmentValue](rec))
	case *record.ConsumerGroupRegularExpressionKey:
		return s.replayConsumerRegex(k, valueOf[*record.ConsumerGroupRegularExpressionValue](rec))
	}
	return nil
}

// valueOf is the record's value; nil is a tombstone.
func valueOf[V record.Value](r record.Record) (v V) {
	if r.Value != nil {
		v = r.Value.(V)
	}
	return v
}

// encode makes a record for the log; a nil value is a tombstone.
func encode(k record.Key, v record.Value) coordinator.Record {
	key, value := record.Encode(k, v)
	return coordinator.Record{Key: key, Value: value}
}

// sortedKeys is for walks whose order shows.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
