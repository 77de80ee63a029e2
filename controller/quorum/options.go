package quorum

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
)

// Address is where a node's controller listener can be dialled.
type Address struct {
	Host string
	Port int32
}

// String gives host:port, with brackets around an IPv6 host.
func (a Address) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }

// Transport sends one request to another node and waits for its answer. Node calls it from goroutines of its own
// (run.go), several at once for several nodes. An error is a failure of the connection or of ctx; an answer of Kafka's
// is never an error. When the peer does not speak the version the request needs, the error wraps
// kerr.UnsupportedVersion. Send chooses the version: the highest both sides know. A Vote with PreVote set needs version
// 2: to a peer that knows less it must not be sent at all, for there it would be a vote.
type Transport interface {
	Send(ctx context.Context, to Address, req kmsg.Request) (kmsg.Response, error)
}

// Timeouts are the controller.quorum.* durations. A zero value takes Kafka's default.
type Timeouts struct {
	Election           time.Duration // election.timeout.ms, 1 s; the real wait is between once and twice this
	Fetch              time.Duration // fetch.timeout.ms, 2 s
	ElectionBackoffMax time.Duration // election.backoff.max.ms, 1 s
	Request            time.Duration // request.timeout.ms, 2 s
	RetryBackoff       time.Duration // retry.backoff.ms, 20 ms
	FetchMaxWait       time.Duration // how long our own Fetch asks to be parked, 500 ms
}

// Limits are sizes and ages of the metadata log. A zero value takes Kafka's default; -1 where Kafka allows it is no limit.
type Limits struct {
	FetchMaxBytes         int32         // controller.quorum.fetch.max.bytes, 1 MiB
	FetchSnapshotMaxBytes int32         // controller.quorum.fetch.snapshot.max.bytes, 1 MiB
	SegmentBytes          int32         // metadata.log.segment.bytes, 1 GiB
	SegmentAge            time.Duration // metadata.log.segment.ms, 7 days
	RetentionBytes        int64         // metadata.max.retention.bytes, 100 MiB; -1 none
	RetentionAge          time.Duration // metadata.max.retention.ms, 7 days; negative none
	DeleteDelay           time.Duration // how long a deleted file keeps its .deleted name, 60 s
}

// Options describe one member of the quorum, voter or observer.
type Options struct {
	NodeID      int32
	DirectoryID protocol.UUID // of the directory that holds the metadata log (meta.properties)
	ClusterID   string

	FS     vfs.FS
	Dir    string // the metadata log dir; the log is Dir/__cluster_metadata-0
	Clocks clock.Clocks
	Rand   *rand.Rand // owned by the Node from Open on
	Log    zerolog.Logger
	Codecs *compress.Codecs

	// ListenerName is the listener by which we reach other controllers: the first of controller.listener.names. Empty: the
	// name of our first endpoint, or whatever endpoint comes first.
	ListenerName string

	// Observer is a node without the controller role: it can never become a voter.
	Observer bool

	StaticVoters     []Voter    // controller.quorum.voters; empty for a dynamic quorum
	BootstrapServers []string   // controller.quorum.bootstrap.servers, host:port
	Endpoints        []Endpoint // our own controller listeners as others reach them; the first is the default one

	Timeouts  Timeouts
	Limits    Limits
	Transport Transport
}

const (
	day = 24 * time.Hour

	// MaxBatchBytes bounds one atomic batch, as in Kafka. A larger proposal is refused before it is queued (M2).
	MaxBatchBytes = 8 << 20
)

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func (t Timeouts) withDefaults() Timeouts {
	return Timeouts{
		Election:           orElse(t.Election, time.Second),
		Fetch:              orElse(t.Fetch, 2*time.Second),
		ElectionBackoffMax: orElse(t.ElectionBackoffMax, time.Second),
		Request:            orElse(t.Request, 2*time.Second),
		RetryBackoff:       orElse(t.RetryBackoff, 20*time.Millisecond),
		FetchMaxWait:       orElse(t.FetchMaxWait, 500*time.Millisecond),
	}
}

func (l Limits) withDefaults() Limits {
	return Limits{
		FetchMaxBytes:         orElse(l.FetchMaxBytes, 1<<20),
		FetchSnapshotMaxBytes: orElse(l.FetchSnapshotMaxBytes, 1<<20),
		SegmentBytes:          orElse(l.SegmentBytes, 1<<30),
		SegmentAge:            orElse(l.SegmentAge, 7*day),
		RetentionBytes:        orElse(l.RetentionBytes, 100<<20),
		RetentionAge:          orElse(l.RetentionAge, 7*day),
		DeleteDelay:           orElse(l.DeleteDelay, time.Minute),
	}
}
