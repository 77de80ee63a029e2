package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
)

// ConsumerGroupHeartbeat, v0-1. Members of consumer groups join, stay, learn their assignment and leave (KIP-848).
//
// Versions:  1 subscribed regular expression (KIP-848), the member makes its own id (KIP-1082)
// Errors:    UNSUPPORTED_VERSION, INVALID_REQUEST, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS,
// UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, UNRELEASED_INSTANCE_ID, FENCED_INSTANCE_ID, UNSUPPORTED_ASSIGNOR,
// GROUP_MAX_SIZE_REACHED, GROUP_ID_NOT_FOUND, INVALID_REGULAR_EXPRESSION
// Needs:     READ on GROUP, DESCRIBE on TOPIC
// Differs from Kafka: nothing known.
var consumerGroupHeartbeat = define(0, 1, OnBroker, (*Handlers).consumerGroupHeartbeat)

func (h *Handlers) consumerGroupHeartbeat(c *server.Ctx, req *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
	if !h.servesConsumerGroups() {
		resp := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		return resp
	}
	return askGroups(c, req, h.Groups.ConsumerGroupHeartbeat)
}

// servesConsumerGroups says whether the protocol of KIP-848 is configured, and finalized in the cluster.
func (h *Handlers) servesConsumerGroups() bool {
	return slices.Contains(config.GroupCoordinatorRebalanceProtocols.Get(h.Config), "consumer") &&
		h.Images.Image().Features.Of(metadata.FeatureGroupVersion) > 0
}
