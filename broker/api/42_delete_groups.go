package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
)

// DeleteGroups, v0-3. Deletes empty groups with their offsets (KIP-229).
//
// Versions:  2 flexible · 3 message, which nothing here fills
// Errors:    NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS
// Needs:     DELETE on GROUP
// Differs from Kafka: groups come in the order asked.
var deleteGroups = define(0, 3, OnBroker, (*Handlers).deleteGroups)

func (h *Handlers) deleteGroups(c *server.Ctx, req *kmsg.DeleteGroupsRequest) *kmsg.DeleteGroupsResponse {
	return askGroups(c, req, h.Groups.DeleteGroups)
}
