package api

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/protocol"
)

// autoCreate is the list of topics that Metadata was asked for and that do not exist. Metadata answers
// UNKNOWN_TOPIC_OR_PARTITION meanwhile, as Kafka does; the client asks again.
type autoCreate struct {
	wake chan struct{} // one slot

	mu       sync.Mutex
	creating map[string]bool // waiting or on its way
	waiting  []creation
}

func newAutoCreate() autoCreate {
	return autoCreate{wake: make(chan struct{}, 1), creating: map[string]bool{}}
}

// creation is one Metadata request's unknown topics, with the caller in whose name they are created.
type creation struct {
	ctx   *server.Ctx // a copy that outlives the request
	names []string
}

const (
	maxCreating   = 10_000           // topics on the list; more are left to the client's next try
	createTimeout = 30 * time.Second // request.timeout.ms of Kafka's own client
)

// soon puts names on the list unless they are on it.
func (a *autoCreate) soon(c *server.Ctx, names []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fresh := make([]string, 0, len(names))
	for _, name := range names {
		if !a.creating[name] && len(a.creating) < maxCreating {
			a.creating[name] = true
			fresh = append(fresh, name)
		}
	}
	if len(fresh) == 0 {
		return
	}
	a.waiting = append(a.waiting, creation{ctx: c.Detached(), names: fresh})
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// take empties the list.
func (a *autoCreate) take() []creation {
	a.mu.Lock()
	defer a.mu.Unlock()
	waiting := a.waiting
	a.waiting = nil
	return waiting
}

func (a *autoCreate) done(names []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range names {
		delete(a.creating, name)
	}
}

// create asks the controller for one request's topics, in the name of its caller.
func (h *Handlers) create(ctx context.Context, n creation) {
	view := h.layers(h.Images.Image()).View()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = 7
	req.TimeoutMillis = int32(createTimeout.Milliseconds())
	for _, name := range n.names {
		req.Topics = append(req.Topics, topicToCreate(view, name))
	}
	n.ctx.Header = protocol.RequestHeader{Key: req.Key(), Version: req.Version, ClientID: n.ctx.Header.ClientID}
	resp, err := h.envelope(ctx, n.ctx, req, createTimeout)
	if err != nil {
		h.logger().Warn().Err(err).Strs("topics", n.names[:min(len(n.names), 10)]).Msg("topics could not be created on demand")
		return
	}
	for _, t := range resp.(*kmsg.CreateTopicsResponse).Topics {
		if t.ErrorCode != 0 && t.ErrorCode != kerr.TopicAlreadyExists.Code {
			h.logger().Warn().Err(kerr.ErrorForCode(t.ErrorCode)).Str("topic", t.Topic).Msg("topic could not be created on demand")
		}
	}
}

// topicToCreate chooses partitions, replication and configs. Ordinary topics take num.partitions and
// default.replication.factor of this broker where they are set, else the controller's defaults; internal
// topics have keys of their own.
func topicToCreate(view config.View, name string) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic = name
	set := func(key, value string) {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = key, &value
		t.Configs = append(t.Configs, c)
	}
	number := func(v config.View, name string) string {
		s, _, _ := v.Lookup(name)
		return s
	}
	switch name {
	case "__consumer_offsets":
		t.NumPartitions, t.ReplicationFactor = config.OffsetsTopicNumPartitions.Get(view), config.OffsetsTopicReplicationFactor.Get(view)
		set("cleanup.policy", "compact")
		set("compression.type", "producer")
		set("segment.bytes", number(view, config.OffsetsTopicSegmentBytes.Name()))
	case "__transaction_state":
		t.NumPartitions, t.ReplicationFactor = config.TransactionStateLogNumPartitions.Get(view), config.TransactionStateLogReplicationFactor.Get(view)
		set("unclean.leader.election.enable", "false")
		set("compression.type", "uncompressed")
		set("cleanup.policy", "compact")
		set("min.insync.replicas", number(view, config.TransactionStateLogMinISR.Name()))
		set("segment.bytes", number(view, config.TransactionStateLogSegmentBytes.Name()))
	case "__share_group_state":
		t.NumPartitions, t.ReplicationFactor = config.ShareCoordinatorStateTopicNumPartitions.Get(view), config.ShareCoordinatorStateTopicReplicationFactor.Get(view)
		set("cleanup.policy", "delete")
		set("compression.type", "producer")
		set("segment.bytes", number(view, config.ShareCoordinatorStateTopicSegmentBytes.Name()))
		set("min.insync.replicas", number(view, config.ShareCoordinatorStateTopicMinISR.Name()))
		set("retention.ms", "-1")
	default:
		t.NumPartitions, t.ReplicationFactor = -1, -1
		if _, source, ok := view.Lookup(config.NumPartitions.Name()); ok && source != config.SourceDefault {
			t.NumPartitions = config.NumPartitions.Get(view)
		}
		if _, source, ok := view.Lookup(config.DefaultReplicationFactor.Name()); ok && source != config.SourceDefault {
			t.ReplicationFactor = int16(config.DefaultReplicationFactor.Get(view))
		}
	}
	return t
}
