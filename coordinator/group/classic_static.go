package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/protocol"
)

// newStatic is a static member (KIP-345) without a member id. It gets a new one in any case: whoever had its instance id
// is fenced.
func (p *classicJoin) newStatic() {
	id := p.s.newMemberID(*p.req.InstanceID)
	if old := p.g.static[*p.req.InstanceID]; old != nil {
		p.replace(old, id)
		return
	}
	p.addMember(id)
}

// replace gives the place of a static member to its new incarnation. In a stable group nobody else notices, unless another
// protocol would be chosen; then, or before the leader has assigned, there is a rebalance.
func (p *classicJoin) replace(old *classicMember, id string) {
	g, req := p.g, p.req
	before := *old
	leader := g.leader
	p.s.logger().Info().Str("group", g.id).Str("instance", *req.InstanceID).Str("old", old.id).Str("member", id).Str("state", string(g.state)).Msg("static member is back under a new member id")
	p.answerJoin(old, joinRefusal(old.id, kerr.FencedInstanceID.Code))
	p.answerSync(old, &kmsg.SyncGroupResponse{ErrorCode: kerr.FencedInstanceID.Code})
	p.stop(timerClassicSession, old.id)
	m := g.replaceStatic(old, id)
	p.keepAlive(m)
	g.update(m, keepProtocols(req.Protocols), p.rebalanceMillis(), req.SessionTimeoutMillis, p.parked())
	switch g.state {
	case stateStable:
		if name := g.selectProtocol(); g.protocol == nil || *g.protocol != name {
			p.rebalance("the protocol of static member " + id + " changes what is chosen: " + p.reason())
			return
		}
		p.persist(m, &before, leader)
	case stateCompleting:
		// The leader may have the old member id to assign to.
		p.prepareRebalance("static member " + id + " is back before the leader assigned: " + p.reason())
	default:
		p.maybeComplete()
	}
}

// persist writes the group with the member's new id, so that it outlives this coordinator, and then answers the join from
// the present generation. From version 9 a leader is told to assign nothing, and all members so that it can see changes of
// topics; before, it is told the leader that was, lest it assigns.
func (p *classicJoin) persist(m, before *classicMember, leader string) {
	g, s, now := p.g, p.s, p.now
	p.out.Records = append(p.out.Records, g.metadataRecord(func(m *classicMember) []byte { return m.assignment }))
	timers, replies := p.out.Timers, p.out.Replies // taken back when the record is refused
	p.out.Then = func() coordinator.Result {
		after := s.classicStep(g, now)
		resp := g.joined(m, false)
		if p.req.Version >= 9 {
			resp = g.joined(m, g.leader == m.id)
			resp.SkipAssignment = g.leader == m.id
		} else {
			resp.LeaderID = leader
		}
		after.answerJoin(m, resp)
		return after.out
	}
	p.out.Refused = func(err error) coordinator.Result {
		after := s.classicStep(g, now)
		resp := g.joined(m, false)
		resp.MemberID, resp.LeaderID, resp.ErrorCode = "", leader, protocol.CodeOf(err)
		after.out.Timers, after.out.Replies = timers, replies
		after.answerJoin(m, resp)
		after.stop(timerClassicSession, m.id)
		g.update(m, before.protocols, before.rebalanceMillis, before.sessionMillis, parked{})
		after.keepAlive(g.replaceStatic(m, before.id))
		return after.out
	}
}
