package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator/group/assign"
	"github.com/dohle-io/dohle/coordinator/group/record"
	"github.com/dohle-io/dohle/protocol"
)

// The protocol that consumers embed in the classic one: what a member says of itself (a subscription, in JoinGroup) and what
// it is told (an assignment, in SyncGroup). A consumer group has to read what a classic group only carries. Both come from
// clients, who may send anything: lists are no longer than those of requests and records may be, or they could be written
// and not be read again.

// embeddedVersions are those of the embedded protocol that there are: a client of a later one is answered in the last.
const embeddedVersions = 3

// embeddedSubscription is what a classic consumer says of itself. What follows its last field is not looked at.
type embeddedSubscription struct {
	topics []string
	owned  []namedPartitions // from version 1 on: what it has
	rack   *string           // from version 3 on; nil = none
}

// namedPartitions is partitions of a topic by its name.
type namedPartitions struct {
	topic      string
	partitions []int32
}

// embeddedAssignment is what the leader of a classic group gave a member.
type embeddedAssignment struct {
	topics      []namedPartitions
	hasUserData bool // of an assignor that no consumer group has
}

func readSubscription(b []byte) (s embeddedSubscription, err error) {
	r := protocol.NewReader(b)
	version := r.Int16()
	for n := r.Count(false, false, 2); n > 0 && r.Err() == nil; n-- {
		s.topics = append(s.topics, r.Text(false))
	}
	r.Span(int(max(r.Int32(), 0))) // user data
	if version >= 1 {
		s.owned = readNamedPartitions(&r)
	}
	if version >= 2 {
		r.Int32() // generation
	}
	if version >= 3 {
		s.rack = r.NullableText(false)
	}
	if r.Err() != nil || version < 0 {
		return embeddedSubscription{}, kerr.UnknownServerError
	}
	return s, nil
}

func readAssignment(b []byte) (a embeddedAssignment, err error) {
	r := protocol.NewReader(b)
	version := r.Int16()
	a.topics = readNamedPartitions(&r)
	a.hasUserData = len(r.Span(int(max(r.Int32(), 0)))) > 0
	if r.Err() != nil || version < 0 {
		return embeddedAssignment{}, kerr.UnknownServerError
	}
	return a, nil
}

func readNamedPartitions(r *protocol.Reader) (list []namedPartitions) {
	for n := r.Count(false, false, 6); n > 0 && r.Err() == nil; n-- {
		t := namedPartitions{topic: r.Text(false)}
		t.partitions = make([]int32, r.Count(false, false, 4))
		for i := range t.partitions {
			t.partitions[i] = r.Int32()
		}
		list = append(list, t)
	}
	return list
}

// assignmentFor is an assignment in the version that a member's subscription has.
func (s *State) assignmentFor(a assign.Assignment, subscription []byte) []byte {
	r := protocol.NewReader(subscription)
	v := &kmsg.ConsumerMemberAssignment{Version: min(max(r.Int16(), 0), embeddedVersions)}
	for _, t := range a {
		if topic := s.image.Topics.ByID(t.Topic); topic != nil {
			v.Topics = append(v.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: topic.Name, Partitions: t.Partitions})
		}
	}
	return v.AppendTo(nil)
}

// assignmentByNames is the partitions of topics that exist. Of a topic that is named twice the last one counts.
func (s *State) assignmentByNames(topics []namedPartitions) assign.Assignment {
	last := map[protocol.UUID][]int32{}
	for _, t := range topics {
		if topic := s.image.Topics.ByName(t.topic); topic != nil {
			last[topic.ID] = t.partitions
		}
	}
	var list []record.ConsumerGroupTargetAssignmentMemberValueTopicPartition
	for id, partitions := range last { // sorted below
		list = append(list, record.ConsumerGroupTargetAssignmentMemberValueTopicPartition{TopicId: id, Partitions: partitions})
	}
	return assignmentByRecord(list)
}

// ownedByNames is what a member says that it has, as a heartbeat says it; topics that do not exist are left out.
func (s *State) ownedByNames(list []namedPartitions) []kmsg.ConsumerGroupHeartbeatRequestTopic {
	var owned []kmsg.ConsumerGroupHeartbeatRequestTopic
	for _, t := range list {
		if topic := s.image.Topics.ByName(t.topic); topic != nil {
			owned = append(owned, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: topic.ID, Partitions: t.partitions})
		}
	}
	return owned
}

func nonEmpty(s *string) *string {
	if s == nil || *s == "" {
		return nil
	}
	return s
}
