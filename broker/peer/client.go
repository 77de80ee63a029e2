package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/memnet"
)

// Options configure a Client. Zero values take the defaults named.
type Options struct {
	Net      memnet.Net  // memnet.OS
	Clock    clock.Clock // the Real clock
	Log      zerolog.Logger
	ClientID string // as Kafka's: "broker-1-fetcher-0", "raft-client-3000"

	SoftwareVersion  string        // named in ApiVersions; "unknown"
	RequestTimeout   time.Duration // from sending to the last byte of the answer; 30 s
	DialTimeout      time.Duration // 10 s
	BackoffMin       time.Duration // after a failed dial, doubled up to BackoffMax; 50 ms
	BackoffMax       time.Duration // 1 s
	MaxResponseBytes int           // 128 MiB
}

func (o *Options) defaults() {
	if o.Net == nil {
		o.Net = memnet.OS
	}
	if o.Clock == nil {
		o.Clock = clock.System().Real
	}
	if o.SoftwareVersion == "" {
		o.SoftwareVersion = "unknown"
	}
	if o.RequestTimeout <= 0 {
		o.RequestTimeout = 30 * time.Second
	}
	if o.DialTimeout <= 0 {
		o.DialTimeout = 10 * time.Second
	}
	if o.BackoffMin <= 0 {
		o.BackoffMin = 50 * time.Millisecond
	}
	if o.BackoffMax <= 0 {
		o.BackoffMax = time.Second
	}
	if o.MaxResponseBytes <= 0 {
		o.MaxResponseBytes = 128 << 20
	}
}

// Errors of Send besides the context's. ErrDisconnected and ErrTimeout leave open whether the other node
// carried the request out.
var (
	ErrClosed       = errors.New("peer: the client is closed")
	ErrDisconnected = errors.New("peer: the connection was lost")
	ErrTimeout      = errors.New("peer: no answer in time")
	ErrUnsupported  = errors.New("peer: no common version")
)

// Client sends requests to any number of addresses. Safe for concurrent use.
type Client struct {
	o Options

	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu    sync.Mutex
	links map[linkKey]*link
	wires sync.WaitGroup
}

type linkKey struct {
	addr string
	lane lane
}

// lane separates requests that may wait long from those that must not wait behind them.
type lane uint8

const (
	laneDefault  lane = iota
	laneFetch         // Fetch, FetchSnapshot: parked by the other side
	laneLife          // BrokerRegistration, BrokerHeartbeat: the controller ties a session to their connection
	laneEnvelope      // forwarded requests: wait for a commit
)

func laneOf(key int16) lane {
	switch key {
	case 1, 59:
		return laneFetch
	case 62, 63:
		return laneLife
	case 58:
		return laneEnvelope
	}
	return laneDefault
}

// New returns a client without connections.
func New(o Options) *Client {
	o.defaults()
	c := &Client{o: o, links: map[linkKey]*link{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Close ends all connections and waits for their goroutines. Waiting requests fail with ErrClosed.
func (c *Client) Close() {
	c.cancel()
	c.mu.Lock()
	links := c.links
	c.links = nil
	c.mu.Unlock()
	for _, l := range links {
		l.close()
	}
	c.wires.Wait()
}

// Send sends req to addr ("host:port") and returns the answer, which the caller owns. It sets req's
// version. It dials when there is no connection, after the back-off of an earlier failure. When ctx ends
// first, its error is returned and the answer is dropped when it comes.
func (c *Client) Send(ctx context.Context, addr string, req kmsg.Request) (kmsg.Response, error) {
	w, err := c.connect(ctx, addr, laneOf(req.Key()))
	if err != nil {
		return nil, err
	}
	return w.roundTrip(ctx, req)
}

// Disconnect drops the connections to addr; the next Send dials.
func (c *Client) Disconnect(addr string) {
	c.mu.Lock()
	var gone []*link
	for key, l := range c.links {
		if key.addr == addr {
			gone = append(gone, l)
		}
	}
	c.mu.Unlock()
	for _, l := range gone {
		l.drop()
	}
}

// connect returns the live connection to addr, dialling when there is none.
func (c *Client) connect(ctx context.Context, addr string, in lane) (*wire, error) {
	c.mu.Lock()
	if c.links == nil {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	key := linkKey{addr, in}
	l := c.links[key]
	if l == nil {
		l = &link{client: c, addr: addr, turn: make(chan struct{}, 1)}
		c.links[key] = l
	}
	c.mu.Unlock()
	return l.get(ctx)
}

// link is one address in one lane: its connection and the back-off of its dials.
type link struct {
	client *Client
	addr   string
	turn   chan struct{} // one slot: who holds it dials, the others wait for it

	mu      sync.Mutex
	wire    *wire // nil or dead = dial
	closed  bool
	backoff time.Duration // of the next failure
	notTill time.Time     // no dial before
}

func (l *link) current() (*wire, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	if l.wire != nil && l.wire.alive() {
		return l.wire, nil
	}
	return nil, nil
}

func (l *link) get(ctx context.Context) (*wire, error) {
	if w, err := l.current(); w != nil || err != nil {
		return w, err
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.client.ctx.Done():
		return nil, ErrClosed
	}
	if w, err := l.current(); w != nil || err != nil {
		return w, err
	}
	o := &l.client.o
	if wait := l.notTill.Sub(o.Clock.Now()); wait > 0 {
		if err := clock.Sleep(ctx, o.Clock, wait); err != nil {
			return nil, err
		}
	}
	w, err := l.dial(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		l.failed()
		return nil, fmt.Errorf("%w: %s: %w", ErrDisconnected, l.addr, err)
	}
	l.backoff, l.notTill = 0, time.Time{}
	return w, nil
}

// failed pushes the next dial back; the holder of turn calls it.
func (l *link) failed() {
	o := &l.client.o
	l.backoff = min(max(l.backoff*2, o.BackoffMin), o.BackoffMax)
	l.notTill = o.Clock.Now().Add(l.backoff)
}

// dial connects and negotiates versions.
func (l *link) dial(ctx context.Context) (*wire, error) {
	c := l.client
	ctx, cancel := clock.WithTimeout(ctx, c.o.DialTimeout)
	defer cancel()
	nc, err := c.o.Net.Dial(ctx, "tcp", l.addr)
	if err != nil {
		return nil, err
	}
	w := newWire(c, nc)
	if !c.startReader(w) {
		nc.Close()
		return nil, ErrClosed
	}
	if err := w.negotiate(ctx); err != nil {
		w.fail(err)
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		w.fail(ErrClosed)
		return nil, ErrClosed
	}
	l.wire = w
	return w, nil
}

func (l *link) drop() {
	l.mu.Lock()
	w := l.wire
	l.wire = nil
	l.mu.Unlock()
	if w != nil {
		w.fail(ErrDisconnected)
	}
}

func (l *link) close() {
	l.mu.Lock()
	w := l.wire
	l.closed = true
	l.mu.Unlock()
	if w != nil {
		w.fail(ErrClosed)
	}
}
