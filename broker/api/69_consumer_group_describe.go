package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
)

// ConsumerGroupDescribe, v0-1. Consumer groups with their members, subscriptions and assignments (KIP-848).
//
// Versions:  1 whether a member uses the classic protocol
// Errors:    UNSUPPORTED_VERSION, INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR,
// COORDINATOR_LOAD_IN_PROGRESS, INVALID_REQUEST
// Needs:     DESCRIBE on GROUP, DESCRIBE on TOPIC
// Differs from Kafka: groups come in the order asked; those beyond 128 MiB of answer are INVALID_REQUEST.
var consumerGroupDescribe = define(0, 1, OnBroker, (*Handlers).consumerGroupDescribe)

func (h *Handlers) consumerGroupDescribe(c *server.Ctx, req *kmsg.ConsumerGroupDescribeRequest) *kmsg.ConsumerGroupDescribeResponse {
	if !h.servesConsumerGroups() {
		resp := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
		for _, id := range req.Groups {
			g := kmsg.NewConsumerGroupDescribeResponseGroup()
			g.Group, g.ErrorCode = id, kerr.UnsupportedVersion.Code
			resp.Groups = append(resp.Groups, g)
		}
		return resp
	}
	resp := askGroups(c, req, h.Groups.ConsumerGroupDescribe)
	if req.IncludeAuthorizedOperations {
		for i := range resp.Groups {
			if g := &resp.Groups[i]; g.ErrorCode == 0 {
				g.AuthorizedOperations = groupOperations
			}
		}
	}
	return resp
}
