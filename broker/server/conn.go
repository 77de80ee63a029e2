package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dohle-io/dohle/internal/bufpool"
	"github.com/dohle-io/dohle/protocol"
)

// conn is one connection, from accept to close. Its goroutine owns everything but what mu guards, and but
// out while the writer goroutine lives.
type conn struct {
	server   *Server
	listener *listener
	nc       net.Conn
	ip       string

	state ConnState
	ctx   Ctx
	in    inbox
	out   outbox

	frame bufpool.Buffer // a frame beyond the read buffer; zero otherwise
	grant grant          // what the current request holds of the budget
	head  bufpool.Buffer // given out by scratch for the current request

	lastActive atomic.Int64 // unix nanoseconds, for choosing whom a full broker closes
	parkState
	lateState
}

// parkState lets others end what the connection waits for. The contexts are made at its first wait.
type parkState struct {
	parked     atomic.Int64 // unix nanoseconds since when it waits, for anything but its peer; 0: it does not
	dropped    atomic.Bool
	life, wait context.Context // both end with the connection, wait also when the server begins to stop
	end        func()          // ends both; made before parked says that there is a wait
}

// lateState is the queue of answers that wait, see late.go.
type lateState struct {
	mu      sync.Mutex
	queue   []lateAnswer
	writing bool          // the writer goroutine lives and owns out
	drained chan struct{} // closed when it ends
	failed  error         // why it ended early; the connection is closed then

	lateCtx    context.Context // made at the first late answer; ends with the connection
	lateCancel context.CancelFunc
}

var (
	errNotServed = errors.New("key not served on this listener")
	errVersion   = errors.New("version not served")
	errDecode    = errors.New("request cannot be read")
	errLateKind  = errors.New("only pipelined requests may be answered later")
)

func newConn(s *Server, l *listener, nc net.Conn, ip string, id uint64) *conn {
	k := &conn{server: s, listener: l, nc: nc, ip: ip, state: ConnState{ID: id}}
	k.in.buf = k.in.small[:]
	k.grant.budget = s.o.Budget
	k.lastActive.Store(s.o.Clock.Now().UnixNano())
	k.ctx = Ctx{Listener: l.Name, Controller: l.Controller, Principal: Anonymous, Client: nc.RemoteAddr(),
		Conn: &k.state, Context: s.requestContext(), exchange: k}
	return k
}

// serve reads and handles requests until the connection ends, and cleans up.
func (k *conn) serve() {
	err := k.loop()
	k.releaseFrame()
	k.endLate(err)
	if k.end != nil {
		k.end()
	}
	if !k.writerFailed() {
		k.flushOwn() // answers of requests before the one that ended it
	}
	k.out.Put(keepAnswerBytes)
	k.in.shrink()
	k.nc.Close()
	k.server.closed(k, err)
}

func (k *conn) loop() error {
	for {
		frame, err := k.nextFrame()
		if err != nil {
			return err
		}
		if err := k.handle(frame); err != nil {
			return err
		}
	}
}

// handle decodes one request, runs its handler and writes or queues the answer. An error closes.
func (k *conn) handle(frame []byte) error {
	defer k.releaseFrame()
	header, body, err := protocol.ParseRequestHeader(frame)
	if err != nil {
		return fmt.Errorf("%w: %w", errDecode, err)
	}
	row, ok := k.server.o.Dispatcher.Lookup(header.Key, k.listener.Controller)
	if !ok {
		return fmt.Errorf("%w: key %d version %d client %q", errNotServed, header.Key, header.Version, clipped(header.ClientID))
	}
	if !row.Pipelined {
		if err := k.awaitLate(); err != nil {
			return err
		}
	}
	k.ctx.Header, k.ctx.Now = header, k.server.o.Clock.Now()
	if header.Version < row.Min || header.Version > row.Max {
		if row.Unsupported == nil {
			return fmt.Errorf("%w: %s version %d client %q", errVersion, row.Name, header.Version, clipped(header.ClientID))
		}
		return k.answer(header.CorrelationID, row.Unsupported(&k.ctx))
	}
	cost, err := protocol.RequestCost(header, body)
	if err != nil {
		return fmt.Errorf("%w: %s version %d: %w", errDecode, row.Name, header.Version, err)
	}
	if err := k.reserve(cost); err != nil {
		return err
	}
	req, err := protocol.DecodeChecked(header, body)
	if err != nil {
		k.server.faults.Add(1) // the walk let it pass: a panic, caught in protocol, or a schema that lies
		return fmt.Errorf("%w: %s version %d: %w", errDecode, row.Name, header.Version, err)
	}
	k.server.requests.Add(1)
	a := row.Handle(&k.ctx, req)
	if k.parked.Load() != 0 {
		k.parked.Store(0)
	}
	if a.kind == answerLater && !row.Pipelined {
		return errLateKind
	}
	k.releaseFrame()
	return k.answer(header.CorrelationID, a)
}

// answer writes a, or queues it behind late answers.
func (k *conn) answer(correlationID int32, a Answer) error {
	if k.lateActive() || a.kind == answerLater {
		return k.enqueue(lateAnswer{correlationID: correlationID, answer: a})
	}
	err := k.write(correlationID, a)
	k.head.Put(keepAnswerBytes)
	return err
}

// reserve takes n bytes of the budget for the current request, flushing before it waits.
func (k *conn) reserve(n int64) error {
	if n <= 0 || k.grant.tryTake(n) {
		return nil
	}
	k.flushOwn()
	err := k.grant.take(k.ctx.Context, n)
	k.in.frameBegan = time.Time{}
	return err
}

// flushOwn flushes when this goroutine owns the write side. A failed write shows at the next read or write.
func (k *conn) flushOwn() {
	if k.lateActive() || len(k.out.B) == 0 {
		return
	}
	if err := k.flush(); err != nil {
		k.nc.Close()
	}
}

// The methods of exchange, for Ctx.

func (k *conn) releaseFrame() {
	k.grant.give()
	k.frame.Free()
}

func (k *conn) park() (life, wait context.Context) {
	k.releaseFrame()
	k.flushOwn()
	k.waits(k.ctx.Now)
	return k.life, k.wait
}

// waits says since when the connection waits. Its goroutine sets parked to 0 afterwards.
func (k *conn) waits(since time.Time) {
	k.makeLife()
	k.parked.Store(since.UnixNano())
	if k.dropped.Load() {
		k.end()
	}
}

func (k *conn) makeLife() {
	if k.end != nil {
		return
	}
	var endLife, endWait context.CancelFunc
	k.life, endLife = context.WithCancel(k.server.requestContext())
	k.wait, endWait = context.WithCancel(k.server.stopCtx)
	k.end = func() { endLife(); endWait() }
}

// drop closes the connection from outside, and ends what it waits for.
func (k *conn) drop() {
	k.dropped.Store(true)
	k.nc.Close()
	if k.parked.Load() != 0 {
		k.end()
	}
}

func (k *conn) scratch() []byte {
	if k.head.B == nil {
		k.head = bufpool.Get(flushBytes)
	}
	return k.head.B[:0]
}

// clipped bounds a client id for a log line.
func clipped(clientID *string) string {
	if clientID == nil {
		return ""
	}
	return (*clientID)[:min(len(*clientID), 64)]
}

// byPeer tells ends that are nobody's fault.
func byPeer(err error) bool {
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, errIdle) || errors.Is(err, errStopping) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, context.Canceled)
}
