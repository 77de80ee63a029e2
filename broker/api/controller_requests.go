package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/controller"
)

// decide is the controller listener's handler of every request that the controller decides.
func decide(d *Dispatcher, c *server.Ctx, req kmsg.Request) server.Answer {
	c.Park()
	resp, err := d.h.Controller.Handle(c.Context, callOf(c, req), req)
	if err != nil {
		return server.Reply(errorResponse(req, err))
	}
	return server.Reply(resp)
}

// callOf says who asks. The connection counts only for what came on it directly: a broker's life hangs on
// the connection of its own heartbeats, not on one that forwards for clients.
func callOf(c *server.Ctx, req kmsg.Request) controller.Call {
	call := controller.Call{Principal: c.Principal, ClientHost: ipOf(c.Client).String(), Deadline: deadlineOf(c, req)}
	if c.Header.ClientID != nil {
		call.ClientID = *c.Header.ClientID
	}
	if c.Conn != nil {
		call.Connection = c.Conn.ID
	}
	return call
}

// decided declares a row of the controller listener alone. The handler's types are kmsg's; only the key and
// the decoding come from Q.
func decided[R any, Q request[R]](minVersion, maxVersion int16) API {
	return declare[R, Q](minVersion, maxVersion, OnController, decide)
}

// quorumRequest is the controller listener's handler of the quorum's own requests, which may wait long.
func quorumRequest(d *Dispatcher, c *server.Ctx, req kmsg.Request) server.Answer {
	c.Park()
	resp, err := d.h.Quorum.Handle(c.Context, req)
	if err != nil {
		return server.Reply(errorResponse(req, err))
	}
	return server.Reply(resp)
}

// ofQuorum declares a row of the controller listener that the quorum answers.
func ofQuorum[R any, Q request[R]](minVersion, maxVersion int16) API {
	return declare[R, Q](minVersion, maxVersion, OnController, quorumRequest)
}
