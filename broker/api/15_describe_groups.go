package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
)

// DescribeGroups, v0-6. Classic groups: state, protocol and members.
//
// Versions:  3 authorised operations · 4 group.instance.id · 5 flexible · 6 GROUP_ID_NOT_FOUND with a message, where older
// versions show a group that does not exist as Dead (KIP-1043)
// Errors:    COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, GROUP_ID_NOT_FOUND, INVALID_REQUEST
// Needs:     DESCRIBE on GROUP
// Differs from Kafka: groups come in the order asked; those beyond 128 MiB of answer are INVALID_REQUEST.
var describeGroups = define(0, 6, OnBroker, (*Handlers).describeGroups)

func (h *Handlers) describeGroups(c *server.Ctx, req *kmsg.DescribeGroupsRequest) *kmsg.DescribeGroupsResponse {
	resp := askGroups(c, req, h.Groups.DescribeGroups)
	if req.Version >= 3 && req.IncludeAuthorizedOperations {
		for i := range resp.Groups {
			if g := &resp.Groups[i]; g.ErrorCode == 0 {
				g.AuthorizedOperations = groupOperations
			}
		}
	}
	return resp
}
