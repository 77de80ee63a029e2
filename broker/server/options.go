package server

import (
	"time"

	"github.com/rs/zerolog"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/memnet"
)

// Listener names one entry of listeners=.
type Listener struct {
	Name       string // "PLAINTEXT", "CONTROLLER": unique in a Server
	Host       string // "" and "0.0.0.0" = every interface; "localhost" = both loopback families where available
	Port       int    // 0 = any; what was bound stands in Addrs
	Controller bool   // rows of the controller listener answer here
}

// Limits bounds connections. They are read at each accept, so that a changed config counts at once.
// Zero means no bound.
type Limits struct {
	MaxConnections    int            // max.connections, over all broker listeners (KIP-402)
	MaxPerIP          int            // max.connections.per.ip
	MaxPerIPOverrides map[string]int // max.connections.per.ip.overrides: an address's own bound
	MaxPerListener    map[string]int // listener.name.<name>.max.connections
	ProtectedListener string         // inter-broker listener: outside MaxConnections
}

// Options configure a Server. Zero durations and sizes take Kafka's defaults.
type Options struct {
	Listeners  []Listener
	Net        memnet.Net  // nil = memnet.OS
	Clock      clock.Clock // the Real clock: idle, slow and stop times
	Log        zerolog.Logger
	Dispatcher Dispatcher
	Limits     func() Limits // nil = no bounds

	Budget          *Budget       // nil = 25 % of a 1 GiB limit; may be shared by several servers
	MaxRequestBytes int           // socket.request.max.bytes, default 104857600
	IdleTimeout     time.Duration // connections.max.idle.ms, default 10 min; < 0 = never
	SlowTimeout     time.Duration // a frame begun and not carried on, an answer not read; default 30 s
	StopTimeout     time.Duration // how long Run lets requests finish after its context ended; default 5 s
	MaxLate         int           // Later answers queued on one connection before it stops reading; default 256

	// ConnectionClosed, when set, is called once per closed connection, from its goroutine, after the
	// last handler returned: the controller fences by it (design §5).
	ConnectionClosed func(conn *ConnState, listener string, controller bool)
}

const (
	defaultMaxRequestBytes = 100 << 20
	defaultIdleTimeout     = 10 * time.Minute
	defaultSlowTimeout     = 30 * time.Second
	defaultStopTimeout     = 5 * time.Second
	defaultMaxLate         = 256
	defaultBudget          = 256 << 20
)

func (o *Options) defaults() {
	if o.Net == nil {
		o.Net = memnet.OS
	}
	if o.Clock == nil {
		o.Clock = clock.System().Real
	}
	if o.Limits == nil {
		o.Limits = func() Limits { return Limits{} }
	}
	if o.Budget == nil {
		o.Budget = NewBudget(defaultBudget)
	}
	o.MaxRequestBytes = orDefault(o.MaxRequestBytes, defaultMaxRequestBytes)
	o.IdleTimeout = orDefault(o.IdleTimeout, defaultIdleTimeout)
	o.SlowTimeout = orDefault(o.SlowTimeout, defaultSlowTimeout)
	o.StopTimeout = orDefault(o.StopTimeout, defaultStopTimeout)
	o.MaxLate = orDefault(o.MaxLate, defaultMaxLate)
}

func orDefault[T ~int | ~int64](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}
