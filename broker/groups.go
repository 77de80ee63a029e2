package broker

import (
	"context"
	"math"
	"time"

	"github.com/rs/zerolog"

	"github.com/dohle-io/dohle/broker/api"
	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/coordinator/group"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol/compress"
)

// groups ties the group coordinator to the partitions of __consumer_offsets that this broker leads.
type groups struct {
	*group.Coordinator
	node     int32
	replicas *replica.Manager
	wake     *replica.Wake // high watermarks that the coordinator waits for
}

// publish hands over a new image, which the replica manager has seen, and says what this broker leads now.
func (g *groups) publish(img *metadata.Image, delta *metadata.Delta) {
	g.Publish(img, delta)
	for _, c := range delta.Topics().Changes() {
		if c.Name() != group.TopicName {
			continue
		}
		for _, i := range c.Partitions() {
			g.follow(c, i)
		}
	}
}

func (g *groups) follow(c metadata.TopicChange, i int32) {
	var reg *metadata.Partition
	if c.After != nil {
		reg = c.After.Partition(i)
	}
	if reg == nil {
		g.Resign(i, math.MaxInt32)
		return
	}
	p, err := g.replicas.View().ByID(c.ID).Partition(i)
	if reg.Leader != g.node || err != nil {
		g.Resign(i, reg.LeaderEpoch)
		return
	}
	g.Lead(i, reg.LeaderEpoch, replica.NewCoordinatorLog(p, reg.LeaderEpoch, g.wake, func() { g.Moved(i) }))
}

// watch passes on which high watermarks moved.
func (g *groups) watch(ctx context.Context) error {
	var moved []int32
	for {
		select {
		case <-g.wake.C():
			moved = moved[:0]
			g.wake.Fired(func(w *replica.Watch) { moved = append(moved, w.Owner.(int32)) })
			for _, i := range moved {
				g.Moved(i)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// openGroups makes the group coordinator.
func (b *Broker) openGroups(life int64, codecs *compress.Codecs) {
	// Members provoke these lines, as many as they like: five a second of each level.
	quiet := zerolog.LevelSampler{InfoSampler: &zerolog.BurstSampler{Burst: 50, Period: 10 * time.Second}, WarnSampler: &zerolog.BurstSampler{Burst: 50, Period: 10 * time.Second}}
	b.groups = &groups{node: b.cfg.NodeID(), replicas: b.replicas, wake: replica.NewWake(), Coordinator: group.New(group.Options{
		Environment: group.Environment{NodeID: b.cfg.NodeID(), Config: b.cfg, UUID: api.NewSharedRand(b.o.rngFrom(life, rngGroups)).UUID, Log: room(b.log, "group").Sample(quiet)},
		Clocks:      b.o.Clocks, Codecs: codecs,
	})}
}

// Groups is this node's group coordinator; nil without the broker role.
func (b *Broker) Groups() *group.Coordinator {
	if b.groups == nil {
		return nil
	}
	return b.groups.Coordinator
}
