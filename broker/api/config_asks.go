package api

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// A configAsk is one resource of AlterConfigs or IncrementalAlterConfigs, as the broker that was asked looks at it
// before it forwards: what a broker's file says, only that broker knows, so its configs are checked here (KIP-226).
type configAsk struct {
	kind int8
	name string
	ops  []kmsg.IncrementalAlterConfigsRequestResourceConfig
	all  bool // ops are all that the resource will have
}

func (a configAsk) resource() metadata.ConfigResource {
	return metadata.ConfigResource{Type: a.kind, Name: a.name}
}

// configReply is what the answer says of one resource. That of AlterConfigs has the same fields and is converted.
type configReply = kmsg.IncrementalAlterConfigsResponseResource

// replyToConfigAsks checks resources, forwards those that pass, and puts the answer together in the order asked. part is
// the request with the resources at these places alone; replies are those in the controller's answer to it.
func (h *Handlers) replyToConfigAsks(c *server.Ctx, asks []configAsk, part func(places []int) kmsg.Request, replies func(kmsg.Response) []configReply) ([]configReply, error) {
	verdicts := h.checkConfigAsks(asks)
	var places []int
	for i, err := range verdicts {
		if err == nil {
			places = append(places, i)
		}
	}
	decided := map[metadata.ConfigResource]configReply{}
	if len(places) > 0 {
		req := part(places)
		resp, err := h.envelope(c.Context, c, req, forwardTimeout)
		if errors.Is(err, errEnvelopeVersion) {
			return nil, err
		}
		if err != nil {
			resp = errorResponse(req, err)
		}
		for _, r := range replies(resp) {
			decided[metadata.ConfigResource{Type: int8(r.ResourceType), Name: r.ResourceName}] = r
		}
	}
	out := make([]configReply, len(asks))
	for i, a := range asks {
		err := verdicts[i]
		if r, ok := decided[a.resource()]; ok && err == nil {
			out[i] = r
			continue
		}
		if err == nil {
			err = kerr.UnknownServerError // the controller has left it out
		}
		out[i] = kmsg.NewIncrementalAlterConfigsResponseResource()
		out[i].ResourceType, out[i].ResourceName = kmsg.ConfigResourceType(a.kind), a.name
		out[i].ErrorCode, out[i].ErrorMessage = protocol.CodeOf(err), protocol.MessageOf(err)
	}
	return out, nil
}

// at are the elements of list at these places.
func at[T any](list []T, places []int) []T {
	out := make([]T, len(places))
	for i, place := range places {
		out[i] = list[place]
	}
	return out
}
