package group

import (
	"bytes"
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/protocol"
)

// SyncGroup answers key 14, v0-5. The answer waits for the leader's assignment.
//
// Versions:  3 static members · 5 protocol type and name, which must be there (KIP-559)
func (c *Coordinator) SyncGroup(ctx context.Context, by Caller, req *kmsg.SyncGroupRequest) *kmsg.SyncGroupResponse {
	refuse := func(code int16) *kmsg.SyncGroupResponse {
		return &kmsg.SyncGroupResponse{Version: req.Version, ErrorCode: code}
	}
	if req.Version >= 5 && (req.ProtocolType == nil || req.Protocol == nil) {
		return refuse(kerr.InconsistentGroupProtocol.Code)
	}
	if req.Group == "" {
		return refuse(kerr.InvalidGroupID.Code)
	}
	return ask(ctx, c, req.Group, refuse, func(s *State, t coordinator.Turn) coordinator.Result {
		return s.sync(t, by, req)
	})
}

func (s *State) sync(t coordinator.Turn, by Caller, req *kmsg.SyncGroupRequest) coordinator.Result {
	answer := func(e *kerr.Error) coordinator.Result {
		return t.Answer(&kmsg.SyncGroupResponse{Version: req.Version, ErrorCode: e.Code})
	}
	group := s.groups[req.Group]
	if group == nil || group.Empty() {
		return answer(kerr.UnknownMemberID)
	}
	var g *classicRound
	switch group := group.(type) {
	case *classicGroup:
		g = group.round()
	case *consumerGroup:
		return s.syncConsumer(t, by, req, group)
	default:
		return answer(kerr.UnknownMemberID)
	}
	if err := g.checkMember(req.MemberID, req.InstanceID); err != nil {
		return t.Answer(&kmsg.SyncGroupResponse{Version: req.Version, ErrorCode: protocol.CodeOf(err)})
	}
	if req.Generation != g.generation {
		return answer(kerr.IllegalGeneration)
	}
	if req.ProtocolType != nil && g.protocolType != "" && *req.ProtocolType != g.protocolType ||
		req.Protocol != nil && g.protocol != nil && *req.Protocol != *g.protocol {
		return answer(kerr.InconsistentGroupProtocol)
	}
	m := g.byID[req.MemberID]
	p := s.classicStep(g, t.Now)
	switch g.state {
	case statePreparing:
		return answer(kerr.RebalanceInProgress)
	case stateCompleting:
		p.answerSync(m, &kmsg.SyncGroupResponse{ErrorCode: kerr.UnknownMemberID.Code}) // of another connection: nobody else would answer it
		m.sync = parked{t.Token, req.Version}
		p.synced(m)
		if m.id == g.leader {
			p.assign(req.GroupAssignment)
		}
	case stateStable:
		p.synced(m)
		p.answer(t.Token, g.assigned(m, req.Version))
	}
	return p.out
}

// assigned is the answer to a sync of a stable group.
func (g *classicRound) assigned(m *classicMember, version int16) *kmsg.SyncGroupResponse {
	resp := &kmsg.SyncGroupResponse{Version: version, Protocol: g.protocol, MemberAssignment: m.assignment}
	if g.protocolType != "" {
		resp.ProtocolType = &g.protocolType
	}
	return resp
}

// assign writes the leader's assignment and then gives it out; members that it leaves out get an empty one. A refused
// record is told to everybody who waits, and the members join again.
func (p *classicStep) assign(list []kmsg.SyncGroupRequestGroupAssignment) {
	g, s, now := p.g, p.s, p.now
	to := make(map[string][]byte, len(g.members))
	for i := range list {
		if g.byID[list[i].MemberID] != nil {
			to[list[i].MemberID] = list[i].MemberAssignment
		}
	}
	p.out.Records = append(p.out.Records, g.metadataRecord(func(m *classicMember) []byte { return to[m.id] }))
	p.out.Then = func() coordinator.Result {
		after := s.classicStep(g, now)
		for _, m := range g.members {
			m.assignment = bytes.Clone(to[m.id])
		}
		for _, m := range g.members {
			if after.answerSync(m, g.assigned(m, m.sync.version)) {
				after.keepAlive(m)
			}
		}
		g.moveTo(stateStable, now)
		s.logger().Info().Str("group", g.id).Int32("generation", g.generation).Int("members", len(g.members)).Msg("group is stable")
		return after.out
	}
	p.out.Refused = func(err error) coordinator.Result {
		after := s.classicStep(g, now)
		after.out.Timers = p.out.Timers
		after.forgetAssignment(protocol.CodeOf(err))
		after.rebalance("the assignment could not be written: " + err.Error())
		return after.result(0, nil)
	}
}

// forgetAssignment tells code to everybody who waits for an assignment.
func (p *classicStep) forgetAssignment(code int16) {
	for _, m := range p.g.members {
		m.assignment = nil
		if p.answerSync(m, &kmsg.SyncGroupResponse{ErrorCode: code}) {
			p.keepAlive(m)
		}
	}
}
