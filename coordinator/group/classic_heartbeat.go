package group

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/protocol"
)

// Heartbeat answers key 12, v0-4. While the group is being loaded it is answered blindly.
//
// Versions:  3 static members
func (c *Coordinator) Heartbeat(ctx context.Context, by Caller, req *kmsg.HeartbeatRequest) *kmsg.HeartbeatResponse {
	refuse := func(code int16) *kmsg.HeartbeatResponse {
		if code == kerr.CoordinatorLoadInProgress.Code {
			code = 0
		}
		return &kmsg.HeartbeatResponse{Version: req.Version, ErrorCode: code}
	}
	if req.Group == "" {
		return refuse(kerr.InvalidGroupID.Code)
	}
	return ask(ctx, c, req.Group, refuse, func(s *State, t coordinator.Turn) coordinator.Result {
		return s.heartbeat(t, by, req)
	})
}

func (s *State) heartbeat(t coordinator.Turn, by Caller, req *kmsg.HeartbeatRequest) coordinator.Result {
	resp := &kmsg.HeartbeatResponse{Version: req.Version}
	var g *classicRound
	switch group := s.groups[req.Group].(type) {
	case *classicGroup:
		g = group.round()
	case *consumerGroup:
		return s.heartbeatConsumer(t, by, req, group)
	default:
		resp.ErrorCode = kerr.UnknownMemberID.Code
		return t.Answer(resp)
	}
	err := g.checkMember(req.MemberID, req.InstanceID)
	switch {
	case err != nil:
		resp.ErrorCode = protocol.CodeOf(err)
		return t.Answer(resp)
	case req.Generation != g.generation:
		resp.ErrorCode = kerr.IllegalGeneration.Code
		return t.Answer(resp)
	case g.state == statePreparing:
		resp.ErrorCode = kerr.RebalanceInProgress.Code
	}
	p := s.classicStep(g, t.Now)
	p.keepAlive(g.byID[req.MemberID])
	p.answer(t.Token, resp)
	return p.out
}
