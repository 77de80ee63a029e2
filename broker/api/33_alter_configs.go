package api

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
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
	verdicts := h.checkConfigAsks(asks)
	rest := *req
	rest.Resources = nil
	for i, err := range verdicts {
		if err == nil {
			rest.Resources = append(rest.Resources, req.Resources[i])
		}
	}
	decided := map[metadata.ConfigResource]kmsg.AlterConfigsResponseResource{}
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	if len(rest.Resources) > 0 {
		answer, err := h.envelope(c.Context, c, &rest, forwardTimeout)
		if errors.Is(err, errEnvelopeVersion) {
			return server.Close(err)
		}
		if err != nil {
			answer = errorResponse(&rest, err)
		}
		resp.ThrottleMillis = answer.(*kmsg.AlterConfigsResponse).ThrottleMillis
		for _, r := range answer.(*kmsg.AlterConfigsResponse).Resources {
			decided[metadata.ConfigResource{Type: int8(r.ResourceType), Name: r.ResourceName}] = r
		}
	}
	for i, a := range asks {
		out, ok := decided[a.resource()]
		if err := verdicts[i]; err != nil || !ok {
			if err == nil {
				err = kerr.UnknownServerError // the controller has left it out
			}
			out = kmsg.NewAlterConfigsResponseResource()
			out.ResourceType, out.ResourceName = kmsg.ConfigResourceType(a.kind), a.name
			out.ErrorCode, out.ErrorMessage = protocol.CodeOf(err), protocol.MessageOf(err)
		}
		resp.Resources = append(resp.Resources, out)
	}
	return server.Reply(resp)
}
