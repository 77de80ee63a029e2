package group

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/protocol"
)

// LeaveGroup answers key 13, v0-5.
//
// Versions:  3 many members, also by instance id alone (KIP-345) · 5 reason (KIP-800)
func (c *Coordinator) LeaveGroup(ctx context.Context, by Caller, req *kmsg.LeaveGroupRequest) *kmsg.LeaveGroupResponse {
	refuse := func(code int16) *kmsg.LeaveGroupResponse {
		return &kmsg.LeaveGroupResponse{Version: req.Version, ErrorCode: code}
	}
	if req.Group == "" {
		return refuse(kerr.InvalidGroupID.Code)
	}
	return ask(ctx, c, req.Group, refuse, func(s *State, t coordinator.Turn) coordinator.Result {
		return s.leave(t, by, req)
	})
}

// leavers are the members that leave: before version 3 there is one.
func leavers(req *kmsg.LeaveGroupRequest) []kmsg.LeaveGroupRequestMember {
	if req.Version < 3 {
		return []kmsg.LeaveGroupRequestMember{{MemberID: req.MemberID}}
	}
	return req.Members
}

// leaveResponse says what became of each of the leavers; before version 3 there is one, whose code is the answer's.
func leaveResponse(version int16, members []kmsg.LeaveGroupResponseMember) *kmsg.LeaveGroupResponse {
	resp := &kmsg.LeaveGroupResponse{Version: version}
	if version < 3 {
		resp.ErrorCode = members[0].ErrorCode
	} else {
		resp.Members = members
	}
	return resp
}

func (s *State) leave(t coordinator.Turn, by Caller, req *kmsg.LeaveGroupRequest) coordinator.Result {
	list := leavers(req)
	answers := make([]kmsg.LeaveGroupResponseMember, len(list))
	for i, l := range list {
		answers[i] = kmsg.LeaveGroupResponseMember{MemberID: l.MemberID, InstanceID: l.InstanceID, ErrorCode: kerr.UnknownMemberID.Code}
	}
	var g *classicRound
	switch group := s.groups[req.Group].(type) {
	case *classicGroup:
		g = group.round()
	case *consumerGroup:
		return s.leaveConsumer(t, by, req, group)
	default:
		return t.Answer(leaveResponse(req.Version, answers))
	}
	p := s.classicStep(g, t.Now)
	var left []string
	for i, l := range list {
		err := p.leave(l)
		answers[i].ErrorCode = protocol.CodeOf(err)
		if err == nil {
			left = append(left, l.MemberID)
		}
	}
	if len(left) > 0 && g.state != stateEmpty {
		p.rebalance(fmt.Sprintf("%q left", left))
	}
	p.answer(t.Token, leaveResponse(req.Version, answers))
	return p.result(t.Token, func(code int16) kmsg.Response {
		return &kmsg.LeaveGroupResponse{Version: req.Version, ErrorCode: code}
	})
}

// leave takes one member out: by its id, or as an administrator does by its instance id alone.
func (p *classicStep) leave(l kmsg.LeaveGroupRequestMember) error {
	g := p.g
	reason := "not provided"
	if l.Reason != nil {
		reason = *l.Reason
	}
	var m *classicMember
	if l.MemberID == "" {
		if l.InstanceID != nil {
			m = g.static[*l.InstanceID]
		}
		if m == nil {
			return kerr.UnknownMemberID
		}
	} else if _, ok := g.pending[l.MemberID]; ok {
		p.stop(timerPendingMember, l.MemberID)
		delete(g.pending, l.MemberID)
	} else if err := g.checkMember(l.MemberID, l.InstanceID); err != nil {
		return err
	} else {
		m = g.byID[l.MemberID]
	}
	p.s.logger().Info().Str("group", g.id).Str("member", l.MemberID).Str("reason", brief(reason)).Msg("member left")
	if m != nil {
		p.dropMember(m)
	}
	return nil
}
