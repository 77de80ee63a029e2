package group

import (
	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/record"
)

// classicGroup is a group of the classic protocol: members choose a protocol and one of them assigns. A group that has
// only offsets is one too, with nothing written about it.
type classicGroup struct {
	id string

	// written is the newest record of the group; nil = none. It is hard state, and all of it.
	written *record.GroupMetadataValue

	// soft is the round that the members are in. It starts from what is written and runs ahead of it until the leader's
	// assignment is written. Nil = nobody asked since the group was replayed.
	soft *classicRound
}

// newSimpleGroup makes the group of a consumer that commits without being a member: an empty classic group without a
// protocol.
func (s *State) newSimpleGroup(id string) Group { return &classicGroup{id: id} }

// round is the round of the group, made from what is written when there is none.
func (g *classicGroup) round() *classicRound {
	if g.soft == nil {
		g.soft = roundOf(g.id, g.written)
	}
	return g.soft
}

// rest lets go of a round that says no more than what is written: empty groups are kept for days.
func (g *classicGroup) rest() {
	r, v := g.soft, g.written
	if r != nil && v != nil && r.state == stateEmpty && len(r.pending) == 0 &&
		r.generation == v.Generation && r.protocolType == v.ProtocolType && r.since == v.CurrentStateTimestamp {
		g.soft = nil
	}
}

// replayClassicGroup applies a group's record. What the members do meanwhile is not touched: a record that was written
// now says what the round has come to.
func (s *State) replayClassicGroup(k *record.GroupMetadataKey, v *record.GroupMetadataValue, _ coordinator.Position) error {
	g, ok := s.groups[k.Group].(*classicGroup)
	switch {
	case v == nil && ok:
		delete(s.groups, k.Group)
	case v == nil: // a group of another kind has ended this one
	case ok:
		g.written = v
	default: // a group of another kind gives way, as for replayedConsumer
		if before := s.consumer(k.Group); before != nil {
			before.drop()
		}
		s.groups[k.Group] = &classicGroup{id: k.Group, written: v}
	}
	return nil
}

// metadataRecord is the group as it is written. assignment gives what each member was assigned.
func (g *classicRound) metadataRecord(assignment func(*classicMember) []byte) coordinator.Record {
	v := record.NewGroupMetadataValue()
	v.ProtocolType, v.Generation, v.Protocol, v.CurrentStateTimestamp = g.protocolType, g.generation, g.protocol, g.since
	if g.leader != "" {
		v.Leader = &g.leader
	}
	v.Members = make([]record.GroupMetadataValueMemberMetadata, len(g.members))
	for i, m := range g.members {
		v.Members[i] = record.GroupMetadataValueMemberMetadata{
			MemberId: m.id, GroupInstanceId: m.instance, ClientId: m.clientID, ClientHost: m.host,
			RebalanceTimeout: m.rebalanceMillis, SessionTimeout: m.sessionMillis,
			Subscription: m.metadata(g.protocol), Assignment: assignment(m),
		}
	}
	return encode(&record.GroupMetadataKey{Group: g.id}, v)
}

// foundingRecord says that a group exists, before its first generation.
func (g *classicRound) foundingRecord() coordinator.Record {
	v := record.NewGroupMetadataValue()
	v.CurrentStateTimestamp = g.since
	return encode(&record.GroupMetadataKey{Group: g.id}, v)
}
