package peer

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/internal/clock"
)

// LeaderFinder tells who leads the metadata quorum and where its controller listener is; quorum.Node does.
type LeaderFinder interface {
	Leader() (id, epoch int32, addr quorum.Address, ok bool)
}

// ControllerChannel sends requests to the active controller, wherever that is just now.
type ControllerChannel struct {
	client *Client
	finder LeaderFinder
	pause  time.Duration // between tries
}

// NewControllerChannel returns a channel over client, which it does not own. pause is the wait between two
// tries; 0 = 50 ms, as Kafka's.
func NewControllerChannel(client *Client, finder LeaderFinder, pause time.Duration) *ControllerChannel {
	if pause <= 0 {
		pause = 50 * time.Millisecond
	}
	return &ControllerChannel{client: client, finder: finder, pause: pause}
}

// Send sends req to the active controller and returns its answer. It waits for a leader, and asks again
// after NOT_CONTROLLER or a lost connection, until ctx ends: a request may therefore be carried out twice,
// as on Kafka. The error is ctx's, ErrClosed or ErrUnsupported.
func (c *ControllerChannel) Send(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	for {
		resp, err := c.SendOnce(ctx, req)
		switch {
		case err == nil && !HasErrorCode(resp, kerr.NotController.Code):
			return resp, nil
		case errors.Is(err, ErrClosed), errors.Is(err, ErrUnsupported):
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
		if err := clock.Sleep(ctx, c.client.o.Clock, c.pause); err != nil {
			return nil, err
		}
	}
}

// SendOnce asks the leader known now, once: heartbeats, which have a rhythm of their own.
// Without a leader the error is NOT_CONTROLLER.
func (c *ControllerChannel) SendOnce(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	_, _, addr, ok := c.finder.Leader()
	if !ok {
		return nil, kerr.NotController
	}
	return c.client.Send(ctx, addr.String(), req)
}
