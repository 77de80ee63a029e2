package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
)

// LeaveGroup, v0-5. Members leave a classic group at once.
//
// Versions:  1 throttle time · 3 many members, by instance id too (KIP-345) · 4 flexible · 5 reason (KIP-800)
// Errors:    COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, INVALID_GROUP_ID, and from v3 on each
// member, below at the top: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID
// Needs:     READ on GROUP
// Differs from Kafka: nothing known.
var leaveGroup = define(0, 5, OnBroker, (*Handlers).leaveGroup)

func (h *Handlers) leaveGroup(c *server.Ctx, req *kmsg.LeaveGroupRequest) *kmsg.LeaveGroupResponse {
	return askGroups(c, req, h.Groups.LeaveGroup)
}
