package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// forwardTimeout is how long a broker looks for a controller that answers, as Kafka's forwarding does.
const forwardTimeout = 60 * time.Second

// errEnvelopeVersion: the controller cannot read what the client sent. The client's connection is closed so
// that it negotiates again.
var errEnvelopeVersion = errors.New("the controller does not know this version")

// forwarded declares a row that a broker passes to the active controller in an Envelope (KIP-590), and that
// a controller listener hands to this node's controller. shown, when set, tells whether the broker's own
// image already has what the answer promises: the answer waits for that, at most until the request's
// timeout, so that what the client does next finds it (compat P14).
func forwarded[R any, Q request[R], P kmsg.Response](minVersion, maxVersion int16, shown func(*metadata.Image, Q, P) bool) API {
	a := defineAnswer(minVersion, maxVersion, OnBroker, func(h *Handlers, c *server.Ctx, req Q) server.Answer {
		resp, err := h.envelope(c.Context, c, req, forwardTimeout)
		if errors.Is(err, errEnvelopeVersion) {
			return server.Close(err)
		}
		if err != nil {
			return server.Reply(errorResponse(req, err))
		}
		if shown != nil {
			h.awaitImage(c, deadlineOf(c, req), func(img *metadata.Image) bool { return shown(img, req, resp.(P)) })
		}
		return server.Reply(resp)
	})
	return a.onControllerListener(decide).forwardable()
}

// envelope sends req in the name of c's caller and returns the controller's answer to it. An error of the
// Envelope itself is none of the client's business: it becomes UNKNOWN_SERVER_ERROR.
func (h *Handlers) envelope(ctx context.Context, c *server.Ctx, req kmsg.Request, timeout time.Duration) (kmsg.Response, error) {
	ctx, cancel := clock.WithTimeout(ctx, timeout)
	defer cancel()
	clientID := ""
	if c.Header.ClientID != nil {
		clientID = *c.Header.ClientID
	}
	e := kmsg.NewPtrEnvelopeRequest()
	e.RequestData = protocol.AppendRequest(nil, clientID, c.Header.CorrelationID, req)[4:]
	e.RequestPrincipal = encodePrincipal(c.Principal)
	e.ClientHostAddress = addressBytes(c.Client)
	c.Park() // after the encoding: bytes of req may alias the frame
	answer, err := h.Controllers.Send(ctx, e)
	if err != nil {
		return nil, err
	}
	outer := answer.(*kmsg.EnvelopeResponse)
	switch {
	case outer.ErrorCode == kerr.UnsupportedVersion.Code:
		return nil, errEnvelopeVersion
	case outer.ErrorCode != 0:
		h.logger().Warn().Err(kerr.ErrorForCode(outer.ErrorCode)).Str("api", kmsg.NameForKey(req.Key())).Msg("forwarding failed")
		return nil, kerr.UnknownServerError
	}
	_, resp, err := protocol.DecodeResponse(req, outer.ResponseData)
	if err != nil {
		return nil, fmt.Errorf("%w: answer in the envelope: %w", kerr.UnknownServerError, err)
	}
	return resp, nil
}

// awaitImage waits until this node's image shows something, the deadline passes, or the server stops.
func (h *Handlers) awaitImage(c *server.Ctx, deadline time.Time, shown func(*metadata.Image) bool) {
	img, changed := h.Images.Next()
	if shown(img) {
		return
	}
	ended := c.Park().Done()
	timer := h.real().NewTimer(deadline.Sub(h.real().Now()))
	defer timer.Stop()
	for {
		select {
		case <-changed:
			if img, changed = h.Images.Next(); shown(img) {
				return
			}
		case <-timer.C():
			return
		case <-ended:
			return
		}
	}
}

// deadlineOf is when the request's own timeout ends; a request without one gets none.
func deadlineOf(c *server.Ctx, req kmsg.Request) time.Time {
	if t, ok := req.(kmsg.TimeoutRequest); ok {
		return c.Now.Add(time.Duration(t.Timeout()) * time.Millisecond)
	}
	return time.Time{}
}
