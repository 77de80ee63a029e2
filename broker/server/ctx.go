package server

import (
	"cmp"
	"context"
	"net"
	"time"

	"github.com/dohle-io/dohle/protocol"
)

// Anonymous is the principal of a connection that did not log in.
const Anonymous = "User:ANONYMOUS"

// Ctx is what a handler knows about the request besides its body. One Ctx serves all requests of a
// connection in turn: it is valid until the handler returns, and a function given to Later must not use it.
type Ctx struct {
	Header     protocol.RequestHeader
	Listener   string   // name of the listener, as in listeners=
	Controller bool     // whether that is a controller listener
	Principal  string   // "User:alice"
	Client     net.Addr // the peer's address
	Conn       *ConnState
	Now        time.Time       // Real clock, when the request was read: deadlines count from here
	Context    context.Context // ends when the server has no patience left at a stop, see also Park

	exchange exchange // nil in tests of handlers
}

// ConnState is what one connection remembers between requests. Only the connection's own goroutine, that
// is a running handler, touches it; ID never changes.
type ConnState struct {
	ID              uint64 // unique in this process, from 1
	SoftwareName    string // ApiVersions v3+ (KIP-511), "" before
	SoftwareVersion string
	FetchSession    any // room for the fetch handler, which alone looks inside
}

// ReleaseFrame gives the request's bytes and their budget back. The caller has copied or stored all that it
// needs: what aliases the frame (a Records field, nothing else) is no longer valid. Calling it again is
// harmless. The server does the same when the handler returns.
func (c *Ctx) ReleaseFrame() {
	if c.exchange != nil {
		c.exchange.releaseFrame()
	}
}

// Park must be called before a handler blocks for anything but a lock or the disk: it gives the frame back
// and sends the answers of earlier requests that still lie in the connection's buffer. Who waits for what others do waits
// no longer than the context: it ends when the server begins to stop, and long polls answer at once with what they have;
// and, as c.Context does from then on, when the connection was closed by this side, since it had to make room or waited
// for IdleTimeout. That the peer went away ends neither. With a Ctx made by hand it is c.Context.
func (c *Ctx) Park() context.Context {
	if c.exchange == nil {
		return cmp.Or(c.Context, context.Background())
	}
	life, wait := c.exchange.park()
	c.Context = life
	return wait
}

// Scratch returns an empty slice with room for the head of a spliced answer. It is the connection's own
// and reused by the next request, so it must not go into an answer made by Later.
func (c *Ctx) Scratch() []byte {
	if c.exchange == nil {
		return nil
	}
	return c.exchange.scratch()
}

// WithPrincipal returns a copy of c for a request that an Envelope (KIP-590) carried: the principal, client
// and header are those of the first sender. The frame and the connection stay those of the Envelope.
func (c *Ctx) WithPrincipal(h protocol.RequestHeader, principal string, client net.Addr) *Ctx {
	inner := *c
	inner.Header, inner.Principal, inner.Client = h, principal, client
	return &inner
}

// Detached returns a copy of c that outlives the request: who asked, without the connection.
func (c *Ctx) Detached() *Ctx {
	alone := *c
	alone.exchange, alone.Conn, alone.Context = nil, nil, context.Background()
	return &alone
}

// Reserve takes n more bytes of the memory budget for this request, waiting while it is spent: for a
// handler that decodes something inside the request. They go back with the frame.
func (c *Ctx) Reserve(n int64) error {
	if c.exchange == nil {
		return nil
	}
	return c.exchange.reserve(n)
}

// exchange is what a Ctx reaches of its connection; *conn is the only one outside tests.
type exchange interface {
	releaseFrame() // idempotent
	park() (life, wait context.Context)
	scratch() []byte
	reserve(n int64) error
}
