package api

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/protocol"
)

// ProducerIDs gives out ids that no producer of the cluster has had before. Next waits for the controller when it
// has to; IDBlocks is the broker's.
type ProducerIDs interface {
	Next(ctx context.Context) (int64, error)
}

// Data holds the rooms of the data path.
type Data struct {
	Replicas    *replica.Manager
	Sessions    *FetchSessions
	ProducerIDs ProducerIDs
	Clocks      clock.Clocks
	Log         zerolog.Logger

	fetchMaxBytes int // fetch.max.bytes
}

// NewData resolves what the handlers of the data path need of the broker's configuration; the keys are read-only.
func NewData(replicas *replica.Manager, ids ProducerIDs, file *config.File, clocks clock.Clocks, r *rand.Rand, log zerolog.Logger) Data {
	slots := int(config.MaxIncrementalFetchSessionCacheSlots.Get(file))
	return Data{Replicas: replicas, Sessions: NewFetchSessions(slots, r), ProducerIDs: ids, Clocks: clocks, Log: log,
		fetchMaxBytes: int(config.FetchMaxBytes.Get(file))}
}

// connScratch is what the data path keeps on a connection, so that steady requests allocate little.
type connScratch struct {
	fetch   fetchScratch
	produce produceScratch
}

func scratchOf(c *server.Ctx) *connScratch {
	if c.Conn == nil {
		return &connScratch{}
	}
	s, ok := c.Conn.FetchSession.(*connScratch)
	if !ok {
		s = &connScratch{}
		c.Conn.FetchSession = s
	}
	return s
}

// leaderHint is what a client is told so that it need not ask for metadata (KIP-951): the leader and epoch of a
// partition, -1 when they are not known, and where that broker listens on the client's listener.
type leaderHint struct {
	id, epoch int32
	host      string
	port      int32
	rack      *string
	reachable bool
}

func hintFor(v *replica.View, t *replica.Topic, index int32, p *replica.Partition, listener string) leaderHint {
	hint := leaderHint{id: -1, epoch: -1}
	if p != nil && p.State().Role != replica.RoleGone {
		st := p.State()
		hint.id, hint.epoch = st.Leader, st.LeaderEpoch
	} else if t.Exists(index) {
		reg := t.Topic.Partition(index)
		hint.id, hint.epoch = reg.Leader, reg.LeaderEpoch
	}
	b := v.Image.Brokers.Get(hint.id)
	if b == nil || b.Fenced {
		return hint
	}
	if e, ok := b.Endpoint(listener); ok {
		hint.host, hint.port, hint.rack, hint.reachable = e.Host, int32(e.Port), b.Rack, true
	}
	return hint
}

// internalTopics may be written only by the broker itself.
var internalTopics = map[string]bool{"__consumer_offsets": true, "__transaction_state": true, "__share_group_state": true}

// codeOf is protocol.CodeOf; what Kafka has no name for is logged, once, here.
func (h *Handlers) codeOf(err error, what string, tp protocol.TopicPartition) int16 {
	code := protocol.CodeOf(err)
	if code == kerr.UnknownServerError.Code {
		h.Data.Log.Error().Err(err).Stringer("partition", tp).Msg(what)
	}
	return code
}

// isAny reports whether err is one of the given Kafka errors.
func isAny(err error, kinds ...*kerr.Error) bool {
	k, ok := errors.AsType[*kerr.Error](err)
	if !ok {
		return false
	}
	for _, kind := range kinds {
		if k.Code == kind.Code {
			return true
		}
	}
	return false
}
