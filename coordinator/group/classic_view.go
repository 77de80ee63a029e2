package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/record"
)

var _ Group = (*classicGroup)(nil)

func (g *classicGroup) ID() string           { return g.id }
func (g *classicGroup) Kind() Kind           { return KindClassic }
func (g *classicGroup) StateName() string    { return string(g.look().state) }
func (g *classicGroup) ProtocolType() string { return g.look().protocolType }
func (g *classicGroup) Empty() bool          { return g.look().state == stateEmpty }
func (g *classicGroup) Vanishes() bool       { return true }

// look is the round for whoever only reads it: of a group that has only offsets none is kept, there may be very many.
func (g *classicGroup) look() *classicRound {
	if g.soft == nil && g.written == nil {
		return &nobody
	}
	return g.round()
}

// nobody is the round of every group without members and record. It is never written.
var nobody = classicRound{state: stateEmpty, since: -1}

// SubscribedTo is true for every topic as long as the subscriptions of consumers are not known.
func (g *classicGroup) SubscribedTo(topic string) bool {
	r := g.look()
	if r.topics == nil {
		return r.protocolType == consumerProtocolType
	}
	_, ok := r.topics[topic]
	return ok
}

// CheckCommit: members commit in their generation but not between join and sync; others only to an empty group.
func (g *classicGroup) CheckCommit(c OffsetSender) error {
	r := g.look()
	if c.Generation < 0 && r.state == stateEmpty {
		return nil
	}
	if c.Generation >= 0 || c.MemberID != "" || c.InstanceID != nil {
		if err := r.checkMember(c.MemberID, c.InstanceID); err != nil {
			return err
		}
		if c.Generation != r.generation {
			return kerr.IllegalGeneration
		}
	} else if !c.Transactional && r.state != stateEmpty {
		return kerr.UnknownMemberID
	}
	if !c.Transactional && r.state == stateCompleting {
		return kerr.RebalanceInProgress
	}
	return nil
}

func (g *classicGroup) CheckFetch(*string, int32) error { return nil }

// CheckOffsetDelete: offsets of topics that nobody subscribes to may be deleted while there are members, if it can be known.
func (g *classicGroup) CheckOffsetDelete() error {
	if r := g.look(); r.state != stateEmpty && r.protocolType != consumerProtocolType {
		return kerr.NonEmptyGroup
	}
	return nil
}

func (g *classicGroup) CheckDelete() error {
	if g.look().state != stateEmpty {
		return kerr.NonEmptyGroup
	}
	return nil
}

func (g *classicGroup) Tombstones() []coordinator.Record {
	return []coordinator.Record{encode(&record.GroupMetadataKey{Group: g.id}, nil)}
}

// ExpireFrom: retention counts from the moment that the group became empty (KIP-211); from the commit when nobody was ever
// a member, when that moment is not known, or when a stable group does not read the topic.
func (g *classicGroup) ExpireFrom(o *offset) (int64, bool) {
	r := g.look()
	switch {
	case r.protocolType == "":
		return o.CommitTimestamp, true
	case r.state == stateEmpty && r.since != -1:
		return r.since, true
	case r.state == stateEmpty, r.state == stateStable && r.protocolType == consumerProtocolType && r.topics != nil:
		return o.CommitTimestamp, true
	}
	return 0, false
}

// Describe implements describer: subscriptions are told only of a stable group.
func (g *classicGroup) Describe() kmsg.DescribeGroupsResponseGroup {
	r := g.look()
	out := kmsg.NewDescribeGroupsResponseGroup()
	out.State, out.ProtocolType = string(r.state), r.protocolType
	stable := r.state == stateStable
	if stable && r.protocol != nil {
		out.Protocol = *r.protocol
	}
	out.Members = make([]kmsg.DescribeGroupsResponseGroupMember, len(r.members))
	for i, m := range r.members {
		out.Members[i] = kmsg.DescribeGroupsResponseGroupMember{MemberID: m.id, InstanceID: m.instance, ClientID: m.clientID, ClientHost: m.host, MemberAssignment: m.assignment}
		if stable {
			out.Members[i].ProtocolMetadata = m.metadata(r.protocol)
		}
	}
	return out
}

// checkMember says whether a request comes from a member, and under its own instance id (KIP-345).
func (g *classicRound) checkMember(id string, instance *string) error {
	if instance != nil {
		switch m := g.static[*instance]; {
		case m == nil:
			return kerr.UnknownMemberID
		case m.id != id:
			return kerr.FencedInstanceID
		}
	}
	if g.byID[id] == nil {
		return kerr.UnknownMemberID
	}
	return nil
}

// KeepSession: a commit keeps its sender alive, as a heartbeat does, but not between join and sync.
func (g *classicGroup) KeepSession(memberID string, t coordinator.Turn) []coordinator.Set {
	r := g.look()
	m := r.byID[memberID]
	if m == nil || r.state != stateStable && r.state != statePreparing {
		return nil
	}
	p := classicStep{g: r, now: t.Now}
	p.keepAlive(m)
	return p.out.Timers
}
