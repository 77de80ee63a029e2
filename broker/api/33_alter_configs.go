package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
)

// AlterConfigs, v0-2. Replaces all configs of a resource. This node's own configs and those of all brokers are checked
// here; what passes is forwarded to the active controller.
//
// Versions:  2 flexible
// Errors:    INVALID_REQUEST (another node's id, a key that cannot change, a value that does not fit, a resource or key
// twice), the controller's
// Needs:     ALTER_CONFIGS on TOPIC, GROUP or CLUSTER
// Differs from Kafka: nothing known.
var alterConfigs = defineAnswer(0, 2, OnBroker, (*Handlers).alterConfigs).onControllerListener(decide).forwardable()

func (h *Handlers) alterConfigs(c *server.Ctx, req *kmsg.AlterConfigsRequest) server.Answer {
	asks := make([]configAsk, len(req.Resources))
	for i, r := range req.Resources {
		asks[i] = configAsk{kind: int8(r.ResourceType), name: r.ResourceName, all: true}
		for _, k := range r.Configs {
			op := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
			op.Name, op.Value, op.Op = k.Name, k.Value, kmsg.IncrementalAlterConfigOpSet
			asks[i].ops = append(asks[i].ops, op)
		}
	}
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	part := func(places []int) kmsg.Request {
		some := *req
		some.Resources = at(req.Resources, places)
		return &some
	}
	list, err := h.replyToConfigAsks(c, asks, part, func(answer kmsg.Response) (replies []configReply) {
		a := answer.(*kmsg.AlterConfigsResponse)
		resp.ThrottleMillis = a.ThrottleMillis
		for _, r := range a.Resources {
			replies = append(replies, configReply(r))
		}
		return replies
	})
	if err != nil {
		return server.Close(err)
	}
	for _, r := range list {
		resp.Resources = append(resp.Resources, kmsg.AlterConfigsResponseResource(r))
	}
	return server.Reply(resp)
}
