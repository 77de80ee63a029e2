package controller

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A Controller decides about the cluster while its node leads the quorum.
type Controller struct {
	o Options
}

// New makes a controller and subscribes it to the quorum. Nothing is decided before Run.
func New(o Options) *Controller { return &Controller{o: o} }

// Run is the controller's loop. It returns when ctx ends, or with the error that no controller survives: a committed
// record that does not replay.
func (c *Controller) Run(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Handle answers one request; it waits until what was decided is committed. NOT_CONTROLLER stands in the answer, or is
// the error where the answer has no place for it, while this node does not lead.
func (c *Controller) Handle(ctx context.Context, call Call, req kmsg.Request) (kmsg.Response, error) {
	return nil, kerr.NotController
}

// ConnectionClosed tells that a connection is gone. A broker that registered or sent heartbeats on it is fenced at once.
func (c *Controller) ConnectionClosed(conn uint64) {}
