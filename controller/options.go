package controller

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/rs/zerolog"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/internal/clock"
)

// Quorum is what the controller asks of the metadata log; *quorum.Node is one.
type Quorum interface {
	// Append writes one atomic batch and returns the offset of its last record; the batch counts once it is committed.
	Append(ctx context.Context, epoch int32, records [][]byte) (lastOffset int64, err error)
	// Subscribe starts the delivery of what is committed and of changes of leadership.
	Subscribe(l quorum.Listener)
	// LogEndOffset is where the next batch of this leader goes.
	LogEndOffset() int64
	// WriteSnapshot writes a snapshot of everything below endOffset.
	WriteSnapshot(endOffset int64, epoch int32, appendTime int64, write func(add func(value []byte) error) error) error
}

// Options describe one controller. Config is the node's own configuration; dynamic broker configs come from the image.
type Options struct {
	NodeID    int32
	ClusterID string
	Quorum    Quorum
	Clocks    clock.Clocks
	Rand      *rand.Rand // owned by the controller from New on
	Log       zerolog.Logger
	Config    *config.File
	// KRaftVersion is the level of kraft.version, which stands in the quorum's own records. Nil: 0 with static voters in
	// Config, else 1.
	KRaftVersion func() int16
}

// A Call is who asks, and on which connection.
type Call struct {
	Principal  string // "User:alice"
	ClientID   string
	ClientHost string
	// Connection is the identity of the connection that the request came on, as ConnectionClosed names it; 0 = none.
	Connection uint64
	// Deadline of the answer on the Real clock; the zero time is none.
	Deadline time.Time
	// Listener is the name of the listener that the request came on.
	Listener string
	// Allowed answers whether the principal may do operation on a resource (Kafka's numbers: resource types of ACLs,
	// AclOperation). Nil allows everything.
	Allowed func(resourceType int8, name string, operation int8) bool
}
