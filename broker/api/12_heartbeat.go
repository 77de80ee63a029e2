package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
)

// Heartbeat, v0-4. Keeps a member of a classic group alive.
//
// Versions:  1 throttle time · 3 group.instance.id (KIP-345) · 4 flexible
// Errors:    COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, INVALID_GROUP_ID, UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION,
// REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID
// Needs:     READ on GROUP
// Differs from Kafka: nothing known.
var heartbeat = define(0, 4, OnBroker, (*Handlers).heartbeat)

func (h *Handlers) heartbeat(c *server.Ctx, req *kmsg.HeartbeatRequest) *kmsg.HeartbeatResponse {
	return askGroups(c, req, h.Groups.Heartbeat)
}
