package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
)

// Classic members of consumer groups: until they are served here they are told that they are not members.

func (s *State) joinConsumer(t coordinator.Turn, _ Caller, req *kmsg.JoinGroupRequest, _ *consumerGroup) coordinator.Result {
	resp := joinRefusal("", kerr.InconsistentGroupProtocol.Code)
	resp.Version = req.Version
	return t.Answer(resp)
}

func (s *State) syncConsumer(t coordinator.Turn, _ Caller, req *kmsg.SyncGroupRequest, _ *consumerGroup) coordinator.Result {
	return t.Answer(&kmsg.SyncGroupResponse{Version: req.Version, ErrorCode: kerr.UnknownMemberID.Code})
}

func (s *State) heartbeatConsumer(t coordinator.Turn, _ Caller, req *kmsg.HeartbeatRequest, _ *consumerGroup) coordinator.Result {
	return t.Answer(&kmsg.HeartbeatResponse{Version: req.Version, ErrorCode: kerr.UnknownMemberID.Code})
}

func (s *State) leaveConsumer(t coordinator.Turn, _ Caller, req *kmsg.LeaveGroupRequest, _ *consumerGroup) coordinator.Result {
	answers := make([]kmsg.LeaveGroupResponseMember, 0, len(leavers(req)))
	for _, l := range leavers(req) {
		answers = append(answers, kmsg.LeaveGroupResponseMember{MemberID: l.MemberID, InstanceID: l.InstanceID, ErrorCode: kerr.UnknownMemberID.Code})
	}
	return t.Answer(leaveResponse(req.Version, answers))
}
