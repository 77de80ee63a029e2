package api

import (
	"bytes"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
)

// SyncGroup, v0-5. The leader of a classic group hands in assignments, members wait for theirs.
//
// Versions:  1 throttle time · 3 group.instance.id (KIP-345) · 4 flexible · 5 protocol type and name, which must be there
// (KIP-559)
// Errors:    COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, INVALID_GROUP_ID, UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION,
// REBALANCE_IN_PROGRESS, INCONSISTENT_GROUP_PROTOCOL, FENCED_INSTANCE_ID
// Needs:     READ on GROUP
// Differs from Kafka: nothing known.
var syncGroup = define(0, 5, OnBroker, (*Handlers).syncGroup)

func (h *Handlers) syncGroup(c *server.Ctx, req *kmsg.SyncGroupRequest) *kmsg.SyncGroupResponse {
	if req.Version >= 5 && (req.ProtocolType == nil || req.Protocol == nil) {
		resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
		resp.ErrorCode, resp.MemberAssignment = kerr.InconsistentGroupProtocol.Code, []byte{}
		return resp
	}
	for i := range req.GroupAssignment {
		req.GroupAssignment[i].MemberAssignment = bytes.Clone(req.GroupAssignment[i].MemberAssignment)
	}
	return askGroups(c, req, h.Groups.SyncGroup)
}
