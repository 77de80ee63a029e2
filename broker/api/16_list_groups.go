package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
)

// ListGroups, v0-5. The groups that this broker coordinates.
//
// Versions:  3 flexible · 4 states and a filter (KIP-518) · 5 types and a filter (KIP-848)
// Errors:    COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE
// Needs:     DESCRIBE on CLUSTER, or on each GROUP to see it
// Differs from Kafka: groups come by partition and name.
var listGroups = define(0, 5, OnBroker, (*Handlers).listGroups)

func (h *Handlers) listGroups(c *server.Ctx, req *kmsg.ListGroupsRequest) *kmsg.ListGroupsResponse {
	return askGroups(c, req, h.Groups.ListGroups)
}
