package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/metadata"
)

// side orders the stop: what serves clients ends before what serves the cluster.
type side int

const (
	clientSide side = iota
	controlSide
	sides
)

// tasks are the goroutines of one node.
type tasks struct {
	ctx    [sides]context.Context
	cancel [sides]context.CancelFunc
	wait   [sides]sync.WaitGroup
}

func (t *tasks) begin() {
	for s := range sides {
		t.ctx[s], t.cancel[s] = context.WithCancel(context.Background())
	}
}

func (t *tasks) begun() bool { return t.cancel[clientSide] != nil }

// stop ends one side and waits for it.
func (t *tasks) stop(s side) {
	if t.cancel[s] != nil {
		t.cancel[s]()
		t.wait[s].Wait()
	}
}

// start runs f until its side is stopped; an earlier end is the node's failure.
func (b *Broker) start(s side, name string, f func(context.Context) error) {
	ctx := b.tasks.ctx[s]
	b.tasks.wait[s].Go(func() {
		err := f(ctx)
		if b.isStopping() {
			return
		}
		if err == nil {
			err = errors.New("ended by itself")
		}
		b.fail(fmt.Errorf("%s: %w", name, err))
	})
}

// bringUp starts the rooms in order and returns when the node serves.
func (b *Broker) bringUp(ctx context.Context) error {
	b.tasks.begin()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b.tasks.wait[clientSide].Go(func() { // a failure of any room ends the waiting below
		b.tellWaiting(ctx)
		cancel()
	})
	b.start(controlSide, "storage", b.store.Run)
	b.start(controlSide, "quorum", b.quorum.Run)
	if b.controller != nil {
		b.start(controlSide, "controller with metadata in "+b.cfg.MetadataDir(), b.controller.Run)
		b.start(controlSide, "controller listener", b.controllerServer.Run)
		b.start(controlSide, "controller registration", b.registerController)
	}
	if b.replicas == nil {
		return b.controllerUp(ctx)
	}
	b.start(controlSide, "heartbeats", b.heart.run)
	if err := b.heart.await(ctx, fenced); err != nil {
		return err
	}
	b.replicas.SetAsideStrays()
	if err := b.heart.await(ctx, running); err != nil {
		return err
	}
	if err := b.imageShowsUs(ctx); err != nil {
		return err
	}
	b.start(clientSide, "group coordinator", b.groups.Run)
	b.start(clientSide, "group coordinator's high watermarks", b.groups.watch)
	b.start(clientSide, "client listeners", b.clientServer.Run)
	b.start(clientSide, "topics on demand", b.dispatcher.Run)
	b.start(clientSide, "log directories", b.watchDirs)
	b.start(clientSide, "directory assignments", b.assignDirs)
	return nil
}

// tellWaiting says every ten seconds what a start waits for, until ctx ends or the node fails.
func (b *Broker) tellWaiting(ctx context.Context) {
	timer := b.o.Clocks.Real.NewTimer(startPause)
	defer timer.Stop()
	for {
		select {
		case <-timer.C():
		case <-b.done:
			return
		case <-ctx.Done():
			return
		}
		line := b.log.Warn().Strs("controller.quorum.bootstrap.servers", config.ControllerQuorumBootstrapServers.Get(b.cfg)).
			Strs("controller.quorum.voters", config.ControllerQuorumVoters.Get(b.cfg))
		if leader, epoch, _, known := b.quorum.Leader(); known {
			line.Int32("leader", leader).Int32("epoch", epoch).Msg("not serving yet: waiting for the records of the metadata quorum's leader and for the registration there")
		} else {
			line.Msg("not serving yet: no leader of the metadata quorum is known; start the other controllers, or put their addresses right")
		}
		timer.Reset(startPause)
	}
}

// startPause is the time between two lines about a start that takes long.
const startPause = 10 * time.Second

// controllerUp waits until a controller-only node has caught up with the quorum's leader.
func (b *Broker) controllerUp(ctx context.Context) error {
	return waitFor(ctx, b.images, func(img *metadata.Image) bool { return img.Offset >= 0 })
}

// imageShowsUs waits until our own image has this broker unfenced and leading, so that the first Metadata answer says so:
// connections wait at the bound port, and librdkafka's admin client takes a partition without a leader for lost.
func (b *Broker) imageShowsUs(ctx context.Context) error {
	return waitFor(ctx, b.images, func(img *metadata.Image) bool {
		self := img.Brokers.Get(b.cfg.NodeID())
		return self != nil && !self.Fenced
	})
}

// heart sends a broker's registration and heartbeats (KIP-631).
type heart struct {
	b *Broker

	mu      sync.Mutex
	life    lifecycle
	changed chan struct{} // closed and replaced with each new state
	nudge   chan struct{} // one slot: beat now
}

// run beats until ctx ends. A refusal that will not change is its error.
func (h *heart) run(ctx context.Context) error {
	timer := h.b.o.Clocks.Real.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C():
		case <-h.nudge:
		case <-ctx.Done():
			return ctx.Err()
		}
		wait, err := h.beat(ctx)
		if err != nil {
			return err
		}
		timer.Reset(wait)
	}
}

func (h *heart) beat(ctx context.Context) (time.Duration, error) {
	h.mu.Lock()
	req := h.life.next(h.b.images.Image().Offset)
	before := h.life.state
	h.mu.Unlock()
	if before == gone {
		return time.Hour, nil
	}
	timed, cancel := clock.WithTimeout(ctx, h.patience(req))
	resp, err := h.b.channel.SendOnce(timed, req)
	cancel()
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		return h.life.failed(), nil
	}
	wait, err := h.life.answered(resp)
	if err != nil {
		return 0, fmt.Errorf("the controller refuses this broker: %w", err)
	}
	if h.life.state != before {
		h.b.log.Debug().Stringer("from", before).Stringer("to", h.life.state).Msg("broker life cycle")
		close(h.changed)
		h.changed = make(chan struct{})
	}
	if h.life.state == recovering || h.life.state == fenced { // the next beat waits for the image rather than for time
		wait = min(wait, recoveryPoll)
	}
	return wait, nil
}

func (h *heart) patience(kmsg.Request) time.Duration {
	return config.BrokerSessionTimeoutMs.Get(h.b.cfg) / 2
}

// await returns when the life cycle has reached at least the state.
func (h *heart) await(ctx context.Context, want state) error {
	for {
		img, newer := h.b.images.Next()
		h.mu.Lock()
		now, changed := h.life.state, h.changed
		caughtUp := now == recovering && img.Offset >= h.life.epoch
		h.mu.Unlock()
		if now >= want || want == fenced && caughtUp {
			return nil
		}
		if caughtUp {
			h.beatNow()
		}
		select {
		case <-changed:
		case <-newer:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (h *heart) beatNow() {
	select {
	case h.nudge <- struct{}{}:
	default:
	}
}

// shutDown asks the controller to move our leaders away and waits until it agrees or ctx ends. A node whose
// controller is in the same process and alone has nobody to hand them to, and is let go at once.
func (h *heart) shutDown(ctx context.Context) {
	ctx, cancel := clock.WithTimeout(ctx, controlledShutdownPatience)
	defer cancel()
	h.mu.Lock()
	h.life.beginShutdown()
	h.mu.Unlock()
	h.beatNow()
	if err := h.await(ctx, gone); err != nil {
		h.b.log.Warn().Err(err).Msg("the controller has not let this broker go; stopping anyway")
	}
}

// controlledShutdownPatience bounds the hand-over (M8).
const controlledShutdownPatience = 5 * time.Second

// registerController tells the active controller about this one (KIP-919), once its level knows such records, and
// again whenever the image shows another incarnation.
func (b *Broker) registerController(ctx context.Context) error {
	incarnation := b.incarnation()
	for {
		img, changed := b.images.Next()
		if b.controllerRegistrationDue(img, incarnation) {
			timed, cancel := clock.WithTimeout(ctx, 5*time.Second)
			resp, err := b.channel.Send(timed, b.controllerRegistration(incarnation))
			cancel()
			if err == nil {
				err = kerr.ErrorForCode(resp.(*kmsg.ControllerRegistrationResponse).ErrorCode)
			}
			if err != nil {
				if err := clock.Sleep(ctx, b.o.Clocks.Real, 100*time.Millisecond); err != nil {
					return err
				}
				continue
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watchDirs takes the partitions of a directory that went offline out of service and tells the controller at once.
// When the last directory is gone, the node is.
func (b *Broker) watchDirs(ctx context.Context) error {
	for {
		select {
		case <-b.store.OfflineDirs():
		case <-ctx.Done():
			return ctx.Err()
		}
		b.replicas.DirsChanged()
		b.heart.beatNow()
		online := 0
		var last error
		for _, d := range b.store.Dirs() {
			if d.Online() {
				online++
			} else {
				last = d.Err() // storage has logged it
			}
		}
		if online == 0 {
			return fmt.Errorf("all log directories are offline: %w", last)
		}
	}
}

// assignDirs tells the controller in which directory this broker's replicas lie, where it does not know (KIP-858).
// Only an image with other topics, or a new registration, is worth a look at all partitions.
func (b *Broker) assignDirs(ctx context.Context) error {
	var told metadata.TopicsImage
	epoch := int64(-1)
	for {
		img, changed := b.images.Next()
		self := img.Brokers.Get(b.cfg.NodeID())
		if self != nil && (img.Topics != told || self.Epoch != epoch) {
			if err := b.assign(ctx, b.directoryAssignments(img)); err != nil {
				if err := clock.Sleep(ctx, b.o.Clocks.Real, time.Second); err != nil {
					return err
				}
				continue
			}
			told, epoch = img.Topics, self.Epoch
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *Broker) assign(ctx context.Context, req *kmsg.AssignReplicasToDirsRequest) error {
	if req == nil {
		return nil
	}
	ctx, cancel := clock.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	resp, err := b.channel.Send(ctx, req)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.(*kmsg.AssignReplicasToDirsResponse).ErrorCode)
}
