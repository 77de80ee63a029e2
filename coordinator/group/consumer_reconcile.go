package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator/group/assign"
	"github.com/dohle-io/dohle/protocol"
)

// reconciliation moves one member towards its target assignment (KIP-848). What keeps a partition from being read twice:
// a member gives up in its old epoch and has the partitions until it says that it has not; only what nobody has is given.
type reconciliation struct {
	member      *consumerMember
	targetEpoch int32
	target      assign.Assignment
	owned       []kmsg.ConsumerGroupHeartbeatRequestTopic // what the member says that it has
	ownedKnown  bool                                      // it said so

	subscriptionChanged bool
	subscribesNothing   bool
	subscribed          func(topic protocol.UUID) bool                   // by the member, as far as known
	owner               func(topic protocol.UUID, partition int32) int32 // epoch under which somebody has it, -1 = free
}

// next is the member after this step; the member itself when nothing changes.
func (r *reconciliation) next() (*consumerMember, error) {
	m := r.member
	switch m.state {
	case memberStable:
		switch {
		case m.epoch != r.targetEpoch:
			return r.advance(m.epoch), nil
		case r.subscriptionChanged:
			return r.shrink(), nil
		}
		return m, nil
	case memberUnrevoked:
		switch {
		case !r.owns(m.revoking):
			return r.advance(m.epoch), nil
		case r.subscriptionChanged:
			return r.shrink(), nil
		}
		return m, nil
	case memberUnreleased:
		return r.advance(m.epoch), nil
	}
	if !r.ownedKnown || len(r.owned) > 0 {
		return nil, refusal{kerr.FencedMemberEpoch, "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin."}
	}
	return r.advance(r.targetEpoch), nil
}

// owns says whether the member still has any of these. It may have all when it does not say.
func (r *reconciliation) owns(h holding) bool {
	if !r.ownedKnown {
		return true
	}
	for _, t := range r.owned {
		for _, p := range t.Partitions {
			if h.has(t.TopicID, p) {
				return true
			}
		}
	}
	return false
}

// shrink takes partitions of topics away that the member is not subscribed to any more; there is nothing else to do.
func (r *reconciliation) shrink() *consumerMember {
	m := r.member
	assigned, gone := m.assigned.split(func(topic protocol.UUID, _ int32) bool { return r.subscribed(topic) })
	switch {
	case len(gone) > 0:
	case r.subscribesNothing && len(m.revoking) == 0:
		return m.moved(m.epoch, m.state, assigned, nil) // Kafka takes the step without having anything to do
	default:
		return m
	}
	if revoking := m.revoking.merge(gone); r.owns(revoking) {
		return m.moved(m.epoch, memberUnrevoked, assigned, revoking)
	}
	return m.moved(m.epoch, m.state, assigned, m.revoking)
}

// advance goes as far towards the target as others let it. epoch is the one that the member stays in while it revokes.
func (r *reconciliation) advance(epoch int32) *consumerMember {
	m := r.member
	wanted := func(topic protocol.UUID, p int32) bool {
		return assignmentHas(r.target, topic, p) && r.subscribed(topic)
	}
	assigned, revoking := m.assigned.split(wanted)
	if len(revoking) > 0 && r.owns(revoking) {
		return m.moved(epoch, memberUnrevoked, assigned, revoking)
	}
	state := memberStable
	var free holding
	for _, t := range r.target {
		if !r.subscribed(t.Topic) {
			continue
		}
		for _, p := range t.Partitions {
			switch {
			case assigned.has(t.Topic, p):
			case r.owner(t.Topic, p) != -1 && !m.revoking.has(t.Topic, p):
				state = memberUnreleased
			default:
				free = free.add(t.Topic, p, r.targetEpoch)
			}
		}
	}
	return m.moved(r.targetEpoch, state, assigned.merge(free), nil)
}
