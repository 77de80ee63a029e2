package group

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// findOrMake sets d.g to the consumer group of an id. With create it is made, or a classic group of the id is converted
// (KIP-848, online upgrade); else there has to be one.
func (d *consumerDecision) findOrMake(id string, create bool) error {
	notFound := func(format string) error { return refusal{kerr.GroupIDNotFound, fmt.Sprintf(format, id)} }
	have := d.s.groups[id]
	if g, ok := have.(*consumerGroup); ok {
		d.g = g
		return nil
	}
	switch {
	case have == nil && !create:
		return notFound("Consumer group %s not found.")
	case !create:
		return notFound("Group %s is not a consumer group.")
	}
	d.g = newConsumerGroup(id, topicIndex{})
	switch {
	case have == nil:
	case have.Empty():
		d.replaces(have)
	default:
		return d.upgrade(have)
	}
	return nil
}

// joiner is who asks to be a member, or says to be one.
type joiner struct {
	id         string
	instance   *string
	create     bool
	classic    bool // speaks the classic protocol: its epoch is not looked at here
	epoch      int32
	owned      []kmsg.ConsumerGroupHeartbeatRequestTopic
	ownedKnown bool
}

// memberFor is the member that the joiner is, before anything that its request changes. A static member that comes back
// with a new member id replaces the old one, with records of its own.
func (d *consumerDecision) memberFor(j joiner) (*consumerMember, error) {
	g := d.g
	if j.instance == nil {
		m := g.members[j.id]
		if m == nil {
			if !j.create {
				return nil, refusal{kerr.UnknownMemberID, fmt.Sprintf("Member %s is not a member of group %s.", j.id, g.id)}
			}
			m = newConsumerMember(j.id)
		}
		if !j.classic {
			if err := checkMemberEpoch(m, j); err != nil {
				return nil, err
			}
		}
		return m, nil
	}
	have := g.static(j.instance)
	if !j.create {
		if err := checkInstance(have, j.id, *j.instance); err != nil {
			return nil, err
		}
		if !j.classic {
			if err := checkMemberEpoch(have, j); err != nil {
				return nil, err
			}
		}
		return have, nil
	}
	if have == nil {
		return g.memberOrNew(j.id), nil
	}
	if !j.classic && have.classic == nil && have.epoch != epochLeaveStatic {
		return nil, refusal{kerr.UnreleasedInstanceID, fmt.Sprintf("Static member %s with instance id %s cannot join the group because the instance id is owned by %s member.", j.id, *j.instance, have.id)}
	}
	next := *have
	next.id, next.epoch, next.previous = j.id, 0, 0
	d.write(removal(g.id, have.id)...)
	d.write(memberRecord(g.id, &next), targetRecord(g.id, next.id, g.target[have.id]), currentRecord(g.id, &next))
	return &next, nil
}

// checkInstance says whether a request that names an instance id comes from the member that has it.
func checkInstance(have *consumerMember, member, instance string) error {
	if have == nil {
		return refusal{kerr.UnknownMemberID, fmt.Sprintf("Instance id %s is unknown.", instance)}
	}
	return checkFenced(have, member, instance)
}

func checkFenced(have *consumerMember, member, instance string) error {
	if have.id != member {
		return refusal{kerr.FencedInstanceID, fmt.Sprintf("Static member %s with instance id %s was fenced by member %s.", member, instance, have.id)}
	}
	return nil
}

// checkMemberEpoch: 0 joins (again). The epoch before the present one passes when the member has nothing that it must not
// have: the answer that moved it was lost.
func checkMemberEpoch(m *consumerMember, j joiner) error {
	side := ""
	switch {
	case j.epoch == 0 || j.epoch == m.epoch:
		return nil
	case j.epoch > m.epoch:
		side = "greater"
	case j.epoch == m.previous && onlyHas(j, m.assigned):
		return nil
	default:
		side = "smaller"
	}
	return refusal{kerr.FencedMemberEpoch, fmt.Sprintf("The consumer group member has a %s member epoch (%d) than the one known by the group coordinator (%d). "+
		"The member must abandon all its partitions and rejoin.", side, j.epoch, m.epoch)}
}

// onlyHas says whether the member told what it has, and has nothing besides h.
func onlyHas(j joiner, h holding) bool {
	if !j.ownedKnown {
		return false
	}
	for _, t := range j.owned {
		if h.topic(t.TopicID) == nil {
			return false
		}
		for _, p := range t.Partitions {
			if !h.has(t.TopicID, p) {
				return false
			}
		}
	}
	return true
}
