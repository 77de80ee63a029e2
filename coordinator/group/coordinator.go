package group

import (
	"context"
	"net"
	"sync/atomic"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
)

// TopicName is the internal topic that the state of groups lives in.
const TopicName = "__consumer_offsets"

// Options of a Coordinator.
type Options struct {
	Environment
	Clocks clock.Clocks
	Codecs *compress.Codecs
}

// Coordinator answers group requests for the partitions of __consumer_offsets that this node leads. Its methods may be
// called at any time from any goroutine; each answers in Kafka's terms, also when this node is not the coordinator.
type Coordinator struct {
	env        Environment
	shards     *coordinator.Shards[*State]
	partitions atomic.Int32  // that groups are spread over
	topic      protocol.UUID // __consumer_offsets when partitions was counted; Publish's own
	image      atomic.Pointer[metadata.Image]
}

// Caller is who sends a request.
type Caller struct {
	ClientID string // "" when the header had none
	Host     string // as Kafka shows it: "/127.0.0.1"
}

// NewCaller takes the address of a connection.
func NewCaller(clientID string, addr net.Addr) Caller {
	host := ""
	if addr != nil {
		host = addr.String()
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
	}
	return Caller{ClientID: clientID, Host: "/" + host}
}

// New returns a coordinator that leads nothing. The broker runs Run, and calls Publish, Lead and Resign.
func New(o Options) *Coordinator {
	c := &Coordinator{env: o.Environment}
	c.image.Store(metadata.Empty())
	c.partitions.Store(config.OffsetsTopicNumPartitions.Get(o.Config))
	c.shards = coordinator.NewShards(coordinator.Options[*State]{
		New:    func(partition int32, img *metadata.Image) *State { return NewState(&c.env, partition, img) },
		Clocks: o.Clocks, Log: o.Log, Codecs: o.Codecs,
		Codec:         compress.Codec(config.OffsetsTopicCompressionCodec.Get(o.Config)),
		Loaders:       int(config.GroupCoordinatorThreads.Get(o.Config)),
		LoadBuffer:    int(config.OffsetsLoadBufferSize.Get(o.Config)),
		CommitTimeout: config.OffsetsCommitTimeoutMs.Get(o.Config),
	})
	return c
}

// Run does what is due by time, until ctx ends.
func (c *Coordinator) Run(ctx context.Context) error { return c.shards.Run(ctx) }

// Lead and Resign say which partitions this node leads, Moved that a high watermark moved; see coordinator.Shards.
func (c *Coordinator) Lead(partition, epoch int32, log coordinator.Log) {
	c.shards.Lead(partition, epoch, log)
}
func (c *Coordinator) Resign(partition, epoch int32) { c.shards.Resign(partition, epoch) }
func (c *Coordinator) Moved(partition int32)         { c.shards.Moved(partition) }

// Publish hands over a new image. Partitions that are added to __consumer_offsets do not count before the next start, as in
// Apache Kafka: every group would be looked for where it is not.
func (c *Coordinator) Publish(img *metadata.Image, delta *metadata.Delta) {
	if t := img.Topics.ByName(TopicName); t != nil && t.ID != c.topic {
		c.topic = t.ID
		c.partitions.Store(int32(len(t.Partitions)))
	}
	c.image.Store(img)
	c.shards.Publish(img, delta)
}

// PartitionFor is the partition of __consumer_offsets that a group belongs to.
func (c *Coordinator) PartitionFor(group string) int32 {
	return coordinator.PartitionFor(group, c.partitions.Load())
}

// ask lets decide answer for a group. refuse makes the answer when this node can't, from an error code.
func ask[P kmsg.Response](ctx context.Context, c *Coordinator, group string, refuse func(code int16) P, decide func(*State, coordinator.Turn) coordinator.Result) P {
	resp := c.shards.Ask(ctx, c.PartitionFor(group), func(e *kerr.Error) kmsg.Response { return refuse(e.Code) }, decide)
	return resp.(P)
}

// logger is for what operators should see of groups.
func (s *State) logger() *zerolog.Logger { return &s.env.Log }
