package group

import (
	"time"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/record"
	"github.com/dohle-io/dohle/metadata"
)

// consumerGroup is a group of KIP-848: the coordinator assigns, members reconcile by member epoch.
type consumerGroup struct{ Group }

func (s *State) loadedConsumer(*consumerGroup, time.Time) coordinator.Result {
	return coordinator.Result{}
}
func (s *State) expiredConsumer(coordinator.Timer, time.Time) coordinator.Result {
	return coordinator.Result{}
}
func (s *State) imageForConsumers(*metadata.Delta, time.Time) coordinator.Result {
	return coordinator.Result{}
}
func (s *State) replayConsumerGroup(*record.ConsumerGroupMetadataKey, *record.ConsumerGroupMetadataValue) error {
	return nil
}
func (s *State) replayConsumerPartitions(*record.ConsumerGroupPartitionMetadataKey, *record.ConsumerGroupPartitionMetadataValue) error {
	return nil
}
func (s *State) replayConsumerMember(*record.ConsumerGroupMemberMetadataKey, *record.ConsumerGroupMemberMetadataValue) error {
	return nil
}
func (s *State) replayConsumerTargetEpoch(*record.ConsumerGroupTargetAssignmentMetadataKey, *record.ConsumerGroupTargetAssignmentMetadataValue) error {
	return nil
}
func (s *State) replayConsumerTarget(*record.ConsumerGroupTargetAssignmentMemberKey, *record.ConsumerGroupTargetAssignmentMemberValue) error {
	return nil
}
func (s *State) replayConsumerCurrent(*record.ConsumerGroupCurrentMemberAssignmentKey, *record.ConsumerGroupCurrentMemberAssignmentValue) error {
	return nil
}
func (s *State) replayConsumerRegex(*record.ConsumerGroupRegularExpressionKey, *record.ConsumerGroupRegularExpressionValue) error {
	return nil
}
