package group

import (
	"bytes"
	"slices"

	"github.com/dohle-io/dohle/coordinator/group/assign"
	"github.com/dohle-io/dohle/coordinator/group/record"
	"github.com/dohle-io/dohle/protocol"
)

// memberState says how far a member has come with its target assignment; the numbers are those of the records.
//
//	stable      has what its epoch gives it
//	unrevoked   was told to give partitions up and has not confirmed it; it stays in its epoch until then
//	unreleased  is in the newest epoch, but some of its partitions are still with others
//	unknown     a later release wrote it; the member has to join again
type memberState int8

const (
	memberStable     memberState = 0
	memberUnrevoked  memberState = 1
	memberUnreleased memberState = 2
	memberUnknown    memberState = 127
)

// Member epochs that ask to leave, and that mark a static member that left for a while.
const (
	epochLeave       = -1
	epochLeaveStatic = -2
)

// consumerMember is one member of a consumer group. It is never changed: a new state is a new value.
type consumerMember struct {
	id              string
	epoch, previous int32
	state           memberState
	instance, rack  *string
	rebalanceMs     int32 // -1 = not known
	client, host    string
	topics          []string // subscribed by name: ascending, distinct
	regex           *string  // subscribed by pattern; nil or "" = none
	assignor        *string
	assigned        holding                                                       // what the member may read
	revoking        holding                                                       // what it still has and must give up
	classic         *record.ConsumerGroupMemberMetadataValueClassicMemberMetadata // nil = it speaks the consumer protocol
}

// newConsumerMember is a member before its first record.
func newConsumerMember(id string) *consumerMember {
	return &consumerMember{id: id, previous: -1, rebalanceMs: -1, regex: new(string)}
}

// pattern is the regular expression that the member subscribes to, "" = none.
func (m *consumerMember) pattern() string {
	if m == nil || m.regex == nil {
		return ""
	}
	return *m.regex
}

// reconciled says that the member has reached the target assignment of an epoch.
func (m *consumerMember) reconciled(epoch int32) bool {
	return m.state == memberStable && m.epoch == epoch
}

// moved is the member in an epoch, which may be the one that it is in, with these partitions.
func (m *consumerMember) moved(epoch int32, state memberState, assigned, revoking holding) *consumerMember {
	next := *m
	next.epoch, next.previous = epoch, m.epoch
	next.state, next.assigned, next.revoking = state, assigned, revoking
	return &next
}

// sameMetadata compares what the member record has.
func (m *consumerMember) sameMetadata(o *consumerMember) bool {
	return m.id == o.id && equalText(m.instance, o.instance) && equalText(m.rack, o.rack) && m.rebalanceMs == o.rebalanceMs &&
		m.client == o.client && m.host == o.host && slices.Equal(m.topics, o.topics) && equalText(m.regex, o.regex) &&
		equalText(m.assignor, o.assignor) && equalClassic(m.classic, o.classic)
}

// sameAssignment compares what the current assignment record has.
func (m *consumerMember) sameAssignment(o *consumerMember) bool {
	return m.epoch == o.epoch && m.previous == o.previous && m.state == o.state && m.assigned.equal(o.assigned) && m.revoking.equal(o.revoking)
}

func equalText(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

func equalClassic(a, b *record.ConsumerGroupMemberMetadataValueClassicMemberMetadata) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.SessionTimeoutMs == b.SessionTimeoutMs && slices.EqualFunc(a.SupportedProtocols, b.SupportedProtocols,
		func(p, q record.ConsumerGroupMemberMetadataValueClassicProtocol) bool {
			return p.Name == q.Name && bytes.Equal(p.Metadata, q.Metadata)
		})
}

// distinctTopics is names ascending and each once.
func distinctTopics(names []string) []string {
	out := slices.Clone(names)
	slices.Sort(out)
	return slices.Clip(slices.Compact(out))
}

// holding is partitions of a member, each with the epoch that it was assigned in: by topic id, partitions ascending, no
// topic without a partition.
type holding []heldTopic

type heldTopic struct {
	topic      protocol.UUID
	partitions []int32
	epochs     []int32 // as long as partitions
}

func (h holding) topic(id protocol.UUID) *heldTopic {
	i, ok := slices.BinarySearchFunc(h, id, func(t heldTopic, id protocol.UUID) int { return t.topic.Compare(id) })
	if !ok {
		return nil
	}
	return &h[i]
}

// epoch is the one that the partition was assigned in.
func (h holding) epoch(topic protocol.UUID, partition int32) (int32, bool) {
	t := h.topic(topic)
	if t == nil {
		return 0, false
	}
	i, ok := slices.BinarySearch(t.partitions, partition)
	if !ok {
		return 0, false
	}
	return t.epochs[i], true
}

func (h holding) has(topic protocol.UUID, partition int32) bool {
	_, ok := h.epoch(topic, partition)
	return ok
}

func (h holding) equal(o holding) bool {
	return slices.EqualFunc(h, o, func(a, b heldTopic) bool {
		return a.topic == b.topic && slices.Equal(a.partitions, b.partitions) && slices.Equal(a.epochs, b.epochs)
	})
}

// split is what keep wants of h, and the rest. Without a rest, in is h itself.
func (h holding) split(keep func(topic protocol.UUID, partition int32) bool) (in, out holding) {
	for _, t := range h {
		for i, p := range t.partitions {
			if keep(t.topic, p) {
				in = in.add(t.topic, p, t.epochs[i])
			} else {
				out = out.add(t.topic, p, t.epochs[i])
			}
		}
	}
	if out == nil {
		return h, nil
	}
	return in, out
}

// add appends a partition that stands behind all others.
func (h holding) add(topic protocol.UUID, partition, epoch int32) holding {
	if n := len(h); n == 0 || h[n-1].topic != topic {
		h = append(h, heldTopic{topic: topic})
	}
	t := &h[len(h)-1]
	t.partitions, t.epochs = append(t.partitions, partition), append(t.epochs, epoch)
	return h
}

// merge is the partitions of both; where both have one, o's epoch counts.
func (h holding) merge(o holding) holding {
	if len(h) == 0 {
		return o
	}
	if len(o) == 0 {
		return h
	}
	epochs := map[protocol.UUID]map[int32]int32{}
	for _, from := range []holding{h, o} {
		for _, t := range from {
			if epochs[t.topic] == nil {
				epochs[t.topic] = map[int32]int32{}
			}
			for i, p := range t.partitions {
				epochs[t.topic][p] = t.epochs[i]
			}
		}
	}
	return holdingOf(epochs)
}

func holdingOf(epochs map[protocol.UUID]map[int32]int32) (h holding) {
	topics := make([]protocol.UUID, 0, len(epochs))
	for id := range epochs {
		topics = append(topics, id)
	}
	slices.SortFunc(topics, protocol.UUID.Compare)
	for _, id := range topics {
		for _, p := range sortedKeys(epochs[id]) {
			h = h.add(id, p, epochs[id][p])
		}
	}
	return h
}

// withEpoch is the partitions of an assignment, all assigned in one epoch.
func withEpoch(a assign.Assignment, epoch int32) (h holding) {
	for _, t := range a {
		for _, p := range t.Partitions {
			h = h.add(t.Topic, p, epoch)
		}
	}
	return h
}

// assignmentHas says whether a target assignment has the partition.
func assignmentHas(a assign.Assignment, topic protocol.UUID, partition int32) bool {
	i, ok := slices.BinarySearchFunc(a, topic, func(t assign.TopicPartitions, id protocol.UUID) int { return t.Topic.Compare(id) })
	if !ok {
		return false
	}
	_, ok = slices.BinarySearch(a[i].Partitions, partition)
	return ok
}

func equalAssignment(a, b assign.Assignment) bool {
	return slices.EqualFunc(a, b, func(t, u assign.TopicPartitions) bool {
		return t.Topic == u.Topic && slices.Equal(t.Partitions, u.Partitions)
	})
}
