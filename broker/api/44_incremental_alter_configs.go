package api

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// IncrementalAlterConfigs, v0-1. Sets, deletes, appends, subtracts (KIP-339). This node's own configs and those of all
// brokers are checked here; what passes is forwarded to the active controller.
//
// Versions:  1 flexible
// Errors:    INVALID_REQUEST (another node's id, a key that cannot change, a value that does not fit, a resource or key
// twice), INVALID_CONFIG (APPEND and SUBTRACT to no list), the controller's
// Needs:     ALTER_CONFIGS on TOPIC, GROUP or CLUSTER
// Differs from Kafka: levels of loggers cannot be set, INVALID_REQUEST.
var incrementalAlterConfigs = defineAnswer(0, 1, OnBroker, (*Handlers).incrementalAlterConfigs).onControllerListener(decide).forwardable()

func (h *Handlers) incrementalAlterConfigs(c *server.Ctx, req *kmsg.IncrementalAlterConfigsRequest) server.Answer {
	asks := make([]configAsk, len(req.Resources))
	for i, r := range req.Resources {
		asks[i] = configAsk{kind: int8(r.ResourceType), name: r.ResourceName, ops: r.Configs}
	}
	verdicts := h.checkConfigAsks(asks)
	rest := *req
	rest.Resources = nil
	for i, err := range verdicts {
		if err == nil {
			rest.Resources = append(rest.Resources, req.Resources[i])
		}
	}
	decided := map[metadata.ConfigResource]kmsg.IncrementalAlterConfigsResponseResource{}
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	if len(rest.Resources) > 0 {
		answer, err := h.envelope(c.Context, c, &rest, forwardTimeout)
		if errors.Is(err, errEnvelopeVersion) {
			return server.Close(err)
		}
		if err != nil {
			answer = errorResponse(&rest, err)
		}
		resp.ThrottleMillis = answer.(*kmsg.IncrementalAlterConfigsResponse).ThrottleMillis
		for _, r := range answer.(*kmsg.IncrementalAlterConfigsResponse).Resources {
			decided[metadata.ConfigResource{Type: int8(r.ResourceType), Name: r.ResourceName}] = r
		}
	}
	for i, a := range asks {
		out, ok := decided[a.resource()]
		if err := verdicts[i]; err != nil || !ok {
			if err == nil {
				err = kerr.UnknownServerError // the controller has left it out
			}
			out = kmsg.NewIncrementalAlterConfigsResponseResource()
			out.ResourceType, out.ResourceName = kmsg.ConfigResourceType(a.kind), a.name
			out.ErrorCode, out.ErrorMessage = protocol.CodeOf(err), protocol.MessageOf(err)
		}
		resp.Resources = append(resp.Resources, out)
	}
	return server.Reply(resp)
}
