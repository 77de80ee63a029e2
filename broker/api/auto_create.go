package api

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// autoCreate is the list of topics that Metadata was asked for and that do not exist. Metadata waits for them for a
// moment and answers UNKNOWN_TOPIC_OR_PARTITION otherwise, as Kafka does at once; the client asks again.
type autoCreate struct {
	wake chan struct{} // one slot

	mu       sync.Mutex
	running  bool
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

	// createPatience is how long Metadata waits for topics that it has had created. Creation takes some
	// milliseconds, while a client that is told UNKNOWN_TOPIC_OR_PARTITION asks again after 100 ms (Java), 250 ms
	// or 5 s (franz-go).
	createPatience = 200 * time.Millisecond
)

// createMissing has the topics that req names and img lacks created, where that is wanted and allowed, and returns
// the image to answer from: one that shows them, or the newest after createPatience.
func (d *Dispatcher) createMissing(c *server.Ctx, req *kmsg.MetadataRequest, img *metadata.Image) *metadata.Image {
	if wanted := req.Version < 4 || req.AllowAutoTopicCreation; !wanted {
		return img
	}
	var missing []string
	for _, asked := range req.Topics {
		if asked.Topic == nil || asked.TopicID != [16]byte{} {
			return img // asks by id, or for nothing that can be answered
		}
		if name := *asked.Topic; img.Topics.ByName(name) == nil && validTopic(name) == nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 || !config.AutoCreateTopicsEnable.Get(d.h.layers(img).View()) {
		return img
	}
	return d.createAndWait(c, missing, img)
}

// createAndWait has topics created and waits for them for createPatience. It returns the newest image, img when nobody
// creates topics here.
func (d *Dispatcher) createAndWait(c *server.Ctx, missing []string, img *metadata.Image) *metadata.Image {
	if !d.creations.soon(c, missing) {
		return img
	}
	d.h.awaitImage(c, c.Now.Add(createPatience), func(now *metadata.Image) bool {
		img = now
		for len(missing) > 0 && now.Topics.ByName(missing[0]) != nil {
			missing = missing[1:]
		}
		return len(missing) == 0
	})
	return img
}

// soon puts names on the list unless they are on it. It reports whether somebody works at the list.
func (a *autoCreate) soon(c *server.Ctx, names []string) bool {
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
		return a.running
	}
	a.waiting = append(a.waiting, creation{ctx: c.Detached(), names: fresh})
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return a.running
}

// run says whether somebody works at the list; without, there is nothing to wait for.
func (a *autoCreate) run(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running = on
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
