package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
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
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	part := func(places []int) kmsg.Request {
		some := *req
		some.Resources = at(req.Resources, places)
		return &some
	}
	replies := func(answer kmsg.Response) []configReply {
		a := answer.(*kmsg.IncrementalAlterConfigsResponse)
		resp.ThrottleMillis = a.ThrottleMillis
		return a.Resources
	}
	var err error
	if resp.Resources, err = h.replyToConfigAsks(c, asks, part, replies); err != nil {
		return server.Close(err)
	}
	return server.Reply(resp)
}
