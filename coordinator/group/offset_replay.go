package group

import (
	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/record"
	"github.com/dohle-io/dohle/protocol"
)

// replayCommit is replayOffset for the record that is nearly all of every log: without making strings of names that the
// state has already. It leaves everything else, and what can't be read, to others.
func (s *State) replayCommit(r coordinator.Record, at coordinator.Position) bool {
	k := protocol.NewReader(r.Key)
	if k.Int16() != commitType || r.Value == nil {
		return false
	}
	group := k.Span(int(k.Int16()))
	topic := k.Span(int(k.Int16()))
	partition := k.Int32()
	v := protocol.NewReader(r.Value)
	version := v.Int16()
	if k.Err() != nil || v.Err() != nil || s.offsets.value.ReadFrom(v.Rest(), version) != nil {
		return false
	}
	o := offsetOf(partition, &s.offsets.value, at)
	if at.ProducerID >= 0 {
		s.storeOffset(string(group), string(topic), o, at)
		return true
	}
	if list := s.offsets.committed[string(group)][string(topic)]; list != nil {
		list.put(o)
		return true
	}
	var name string
	if t := s.image.Topics.ByName(string(topic)); t != nil {
		name = t.Name // shared by all groups
	} else {
		name = string(topic)
	}
	s.storeOffset(string(group), name, o, at)
	return true
}

// commitType is the record type of OffsetCommitKey.
const commitType = 1

func offsetOf(partition int32, v *record.OffsetCommitValue, at coordinator.Position) offset {
	return offset{
		Partition: partition, Offset: v.Offset, LeaderEpoch: v.LeaderEpoch, Metadata: v.Metadata, CommitTimestamp: v.CommitTimestamp,
		ExpireTimestamp: v.ExpireTimestamp, TopicID: v.TopicId, RecordOffset: at.Offset,
	}
}

// replayOffset applies a commit, or a tombstone of one. A group that commits without members comes into being with its
// first offset.
func (s *State) replayOffset(k *record.OffsetCommitKey, v *record.OffsetCommitValue, at coordinator.Position) {
	if v == nil {
		s.removeOffset(k.Group, k.Topic, k.Partition)
		return
	}
	s.storeOffset(k.Group, k.Topic, offsetOf(k.Partition, v, at), at)
}

// replayLegacyOffset applies a record of type 0: a commit whose value is of version 0, as Kafka 0.8 wrote it.
func (s *State) replayLegacyOffset(k *record.LegacyOffsetCommitKey, v *record.LegacyOffsetCommitValue, at coordinator.Position) {
	if v == nil {
		s.removeOffset(k.Group, k.Topic, k.Partition)
		return
	}
	s.storeOffset(k.Group, k.Topic, offset{
		Partition: k.Partition, Offset: v.Offset, LeaderEpoch: -1, Metadata: v.Metadata, CommitTimestamp: v.CommitTimestamp,
		ExpireTimestamp: -1, RecordOffset: at.Offset,
	}, at)
}

func (s *State) storeOffset(group, topic string, o offset, at coordinator.Position) {
	if s.groups[group] == nil {
		s.groups[group] = s.newSimpleGroup(group)
	}
	if at.ProducerID < 0 {
		s.offsets.committed.put(group, topic, o)
		return
	}
	pending := s.offsets.pending[at.ProducerID]
	if pending == nil {
		pending = offsetStore{}
		s.offsets.pending[at.ProducerID] = pending
	}
	pending.put(group, topic, o)
	s.offsets.addOpen(group, topic, o.Partition, at.ProducerID)
}

func (s *State) removeOffset(group, topic string, partition int32) {
	s.offsets.committed.remove(group, topic, partition)
	key := partitionOf{topic, partition}
	for _, producer := range s.offsets.open[group][key] {
		if pending := s.offsets.pending[producer]; pending != nil {
			pending.remove(group, topic, partition)
		}
	}
	s.offsets.clearOpen(group, key)
}

// EndTransaction implements coordinator.Machine. A committed offset does not replace one that was written after it: without
// that rule compaction, which may have removed either, could change which of the two counts.
func (s *State) EndTransaction(producerID int64, committed bool, _ coordinator.Position) {
	pending, ok := s.offsets.pending[producerID]
	if !ok {
		return
	}
	delete(s.offsets.pending, producerID)
	for group, topics := range pending { // the order does not show: every partition is there once
		for topic, list := range topics {
			for _, o := range list.list {
				s.offsets.removeOpen(group, topic, o.Partition, producerID)
				if !committed {
					continue
				}
				if have := s.offsets.committed.get(group, topic, o.Partition); have == nil || o.RecordOffset > have.RecordOffset {
					s.offsets.committed.put(group, topic, o)
				}
			}
		}
	}
}
