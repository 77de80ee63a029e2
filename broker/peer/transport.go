package peer

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/controller/quorum"
)

// Transport is a Client as the quorum wants it.
type Transport struct{ *Client }

var _ quorum.Transport = Transport{}

// Send implements quorum.Transport. A lost connection is reported as ErrDisconnected, which the quorum
// takes as an expired fetch timeout.
func (t Transport) Send(ctx context.Context, to quorum.Address, req kmsg.Request) (kmsg.Response, error) {
	return t.Client.Send(ctx, to.String(), req)
}
