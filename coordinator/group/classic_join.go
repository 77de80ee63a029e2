package group

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/protocol"
)

// JoinGroup answers key 11, v0-9. The answer waits until the join phase ends.
//
// Versions:  1 rebalance timeout · 4 member ids are given out first (KIP-394) · 5 static members (KIP-345) ·
// 7 protocol type, null protocol · 8 reason (KIP-800) · 9 skip assignment (KIP-814)
func (c *Coordinator) JoinGroup(ctx context.Context, by Caller, req *kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse {
	refuse := func(member string, code int16) *kmsg.JoinGroupResponse {
		resp := joinRefusal(member, code)
		resp.Version = req.Version
		return resp
	}
	if req.Group == "" {
		return refuse(req.MemberID, kerr.InvalidGroupID.Code)
	}
	if session := time.Duration(req.SessionTimeoutMillis) * time.Millisecond; session < config.GroupMinSessionTimeoutMs.Get(c.env.Config) || session > config.GroupMaxSessionTimeoutMs.Get(c.env.Config) {
		return refuse(req.MemberID, kerr.InvalidSessionTimeout.Code)
	}
	return ask(ctx, c, req.Group, func(code int16) *kmsg.JoinGroupResponse { return refuse("", code) }, func(s *State, t coordinator.Turn) coordinator.Result {
		return s.join(t, by, req)
	})
}

// joinRefusal is the answer to a join that failed.
func joinRefusal(member string, code int16) *kmsg.JoinGroupResponse {
	return &kmsg.JoinGroupResponse{MemberID: member, ErrorCode: code, Generation: -1}
}

// join finds the group of a join, or founds it for somebody who has no member id yet.
func (s *State) join(t coordinator.Turn, by Caller, req *kmsg.JoinGroupRequest) coordinator.Result {
	refuse := func(member string, e *kerr.Error) coordinator.Result {
		resp := joinRefusal(member, e.Code)
		resp.Version = req.Version
		return t.Answer(resp)
	}
	var instead []coordinator.Record // what the founding of the group deletes
	switch g := s.groups[req.Group].(type) {
	case *classicGroup:
		p := classicJoin{classicStep: s.classicStep(g.round(), t.Now), t: t, by: by, req: req}
		p.decide()
		return p.result(t.Token, nil)
	case *consumerGroup:
		if !g.Empty() {
			return s.joinConsumer(t, by, req, g)
		}
		instead = g.Tombstones()
	case nil:
	default:
		return refuse("", kerr.InconsistentGroupProtocol)
	}
	if req.MemberID != "" {
		return refuse(req.MemberID, kerr.UnknownMemberID)
	}
	p := classicJoin{classicStep: s.classicStep(newRound(req.Group, t.Now), t.Now), t: t, by: by, req: req}
	p.decide()
	r := p.result(t.Token, nil)
	r.Records = append(instead, p.g.foundingRecord())
	r.Then = func() coordinator.Result {
		s.groups[req.Group].(*classicGroup).soft = p.g
		return coordinator.Result{}
	}
	r.Refused = func(err error) coordinator.Result {
		resp := joinRefusal("", protocol.CodeOf(err))
		resp.Version = req.Version
		return t.Answer(resp)
	}
	return r
}

// classicJoin is the decision about one join.
type classicJoin struct {
	*classicStep
	t   coordinator.Turn
	by  Caller
	req *kmsg.JoinGroupRequest
}

func (p *classicJoin) reply(resp *kmsg.JoinGroupResponse) {
	resp.Version = p.req.Version
	p.answer(p.t.Token, resp)
}

func (p *classicJoin) refuse(member string, e *kerr.Error) { p.reply(joinRefusal(member, e.Code)) }

func (p *classicJoin) decide() {
	g, req := p.g, p.req
	switch {
	case !p.accepts():
		g.remove(req.MemberID)
		p.refuse("", kerr.GroupMaxSizeReached)
	case !g.supports(req.ProtocolType, req.Protocols):
		p.refuse(req.MemberID, kerr.InconsistentGroupProtocol)
	case req.MemberID != "":
		p.known()
	case req.InstanceID != nil:
		p.newStatic()
	default:
		p.newDynamic()
	}
}

// accepts says whether group.max.size leaves room. While members join, those count that are waiting: the last to come are
// out, and the group may have been larger than is allowed now.
func (p *classicJoin) accepts() bool {
	g, limit := p.g, int(config.GroupMaxSize.Get(p.s.view))
	m := g.byID[p.req.MemberID]
	switch g.state {
	case statePreparing:
		return m != nil && m.join.token != 0 || g.awaiting < limit
	case stateCompleting, stateStable:
		return m != nil || len(g.members) < limit
	}
	return true
}

// known is a join under a member id: of a member, or the first one with an id that was given out.
func (p *classicJoin) known() {
	g, req := p.g, p.req
	if _, ok := g.pending[req.MemberID]; ok {
		if req.InstanceID != nil { // an id for a dynamic member only
			p.refuse("", kerr.UnknownServerError)
			return
		}
		p.stop(timerPendingMember, req.MemberID)
		p.addMember(req.MemberID)
		return
	}
	if err := g.checkMember(req.MemberID, req.InstanceID); err != nil {
		p.reply(joinRefusal(req.MemberID, protocol.CodeOf(err)))
		return
	}
	m := g.byID[req.MemberID]
	switch {
	case g.state == stateEmpty:
		p.refuse(req.MemberID, kerr.UnknownMemberID)
	case g.state != statePreparing && m.matches(req.Protocols) && (g.state == stateCompleting || m.id != g.leader):
		// The answer of this generation was lost, or nothing changed. A leader's join in a stable group always counts:
		// what it assigns may have changed without its subscription.
		p.reply(g.joined(m, m.id == g.leader))
	default:
		p.answerJoin(m, joinRefusal("", kerr.UnknownMemberID.Code)) // of another connection: nobody else would answer it
		g.update(m, keepProtocols(req.Protocols), p.rebalanceMillis(), req.SessionTimeoutMillis, p.parked())
		p.rebalance(fmt.Sprintf("member %s joins again: %s", m.id, p.reason()))
	}
}

// newDynamic gives out a member id, which joins next; before version 4 the member is in at once.
func (p *classicJoin) newDynamic() {
	id := p.s.newMemberID(p.by.ClientID)
	if p.req.Version < 4 {
		p.addMember(id)
		return
	}
	g := p.g
	if len(g.pending) >= maxPendingMembers {
		p.refuse("", kerr.GroupMaxSizeReached)
		return
	}
	if g.pending == nil {
		g.pending = map[string]time.Time{}
	}
	g.pending[id] = p.now.Add(millis(p.req.SessionTimeoutMillis))
	p.set(timerPendingMember, id, g.pending[id])
	p.refuse(id, kerr.MemberIDRequired)
}

// addMember takes a new member in and parks its join.
func (p *classicJoin) addMember(id string) {
	g, req := p.g, p.req
	m := &classicMember{
		id: id, instance: req.InstanceID, clientID: p.by.ClientID, host: p.by.Host,
		rebalanceMillis: p.rebalanceMillis(), sessionMillis: req.SessionTimeoutMillis,
		protocols: keepProtocols(req.Protocols), join: p.parked(), isNew: true,
	}
	if g.state == statePreparing && g.previous == stateEmpty {
		g.newcomer = true
	}
	if len(g.members) == 0 {
		g.protocolType = req.ProtocolType
	}
	g.add(m)
	p.expireIn(m, newMemberJoinTimeout)
	p.rebalance(fmt.Sprintf("new member %s: %s", id, p.reason()))
}

func (p *classicJoin) parked() parked { return parked{p.t.Token, p.req.Version} }

// rebalanceMillis: version 0 knows only the session timeout.
func (p *classicJoin) rebalanceMillis() int32 {
	if p.req.Version == 0 {
		return p.req.SessionTimeoutMillis
	}
	return p.req.RebalanceTimeoutMillis
}

// reason is what the client says about its join (KIP-800).
func (p *classicJoin) reason() string {
	if p.req.Reason == nil || *p.req.Reason == "" {
		return "not provided"
	}
	return *p.req.Reason
}
