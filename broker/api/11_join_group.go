package api

import (
	"bytes"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
)

// JoinGroup, v0-9. A member of a classic group joins or joins again, and waits for the others.
//
// Versions:  1 rebalance timeout · 2 throttle time · 4 member id in two steps (KIP-394) · 5 group.instance.id (KIP-345) · 6
// flexible · 7 protocol type in the answer (KIP-559) · 8 reason (KIP-800) · 9 skip assignment (KIP-814)
// Errors:    COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, INVALID_GROUP_ID,
// INVALID_SESSION_TIMEOUT, MEMBER_ID_REQUIRED, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, INCONSISTENT_GROUP_PROTOCOL,
// GROUP_MAX_SIZE_REACHED
// Needs:     READ on GROUP
// Differs from Kafka: nothing known.
var joinGroup = define(0, 9, OnBroker, (*Handlers).joinGroup)

func (h *Handlers) joinGroup(c *server.Ctx, req *kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse {
	for i := range req.Protocols {
		req.Protocols[i].Metadata = bytes.Clone(req.Protocols[i].Metadata) // the frame goes back while the member waits
	}
	resp := askGroups(c, req, h.Groups.JoinGroup)
	switch {
	case req.Version < 7 && resp.Protocol == nil:
		resp.Protocol = new(string)
	case req.Version >= 7 && resp.Protocol != nil && *resp.Protocol == "":
		resp.Protocol = nil
	}
	return resp
}
