package controller

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
)

// Run is the controller's loop. It returns when ctx ends, or with the error that no controller survives: a committed
// record that does not replay.
func (c *Controller) Run(ctx context.Context) error {
	l := &loop{Controller: c, loader: metadata.NewLoader(metadata.Empty()), committed: -1, appended: -1}
	l.trigger.MaxBytes = config.MetadataLogMaxRecordBytesBetweenSnapshots.Get(c.o.Config)
	l.trigger.MaxAge = config.MetadataLogMaxSnapshotIntervalMs.Get(c.o.Config)
	defer l.stop()
	timer := c.o.Clocks.Real.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		for events := c.take(); len(events) > 0; events = c.take() {
			for _, e := range events {
				if err := l.handle(ctx, e); err != nil {
					return err
				}
			}
			l.flush(ctx)
		}
		l.tick(ctx, c.o.Clocks.Real.Now())
		l.flush(ctx)
		timer.Reset(l.pause(c.o.Clocks.Real.Now()))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.wake:
		case <-timer.C():
		case <-l.writing:
			l.writing = nil
		}
	}
}

func (l *loop) stop() {
	l.mu.Lock()
	l.done = true
	left := l.inbox
	l.inbox = nil
	l.mu.Unlock()
	for _, e := range left {
		if e.request != nil {
			e.request.answer <- ErrorResponse(e.request.req, kerr.NotController, nil)
		}
	}
	l.resign()
	l.writers.Wait()
}

func (l *loop) handle(ctx context.Context, e event) error {
	if e.request == nil {
		l.flush(ctx)
	}
	switch {
	case e.entries != nil:
		return l.commit(e)
	case e.snapshot != nil:
		return l.load(e.snapshot)
	case e.leader != nil:
		l.resign()
		if e.leader.id == l.o.NodeID {
			return l.activate(ctx, e.leader.epoch, e.at)
		}
	case e.request != nil:
		l.request(ctx, e)
	case e.closed != 0 && l.active:
		for _, id := range l.sessions.onConnection(e.closed) {
			if !l.active {
				break
			}
			l.perform(ctx, ExpireSession(l.state(e.at), id), nil)
		}
	}
	return nil
}

// tick does what is due. It runs after every message, so a broker that was heard is never found expired.
func (l *loop) tick(ctx context.Context, now time.Time) {
	if !l.active {
		return
	}
	for _, id := range l.sessions.expired(now) {
		if !l.active {
			return
		}
		l.o.Log.Info().Int32("broker", id).Msg("a broker's session expired")
		l.perform(ctx, ExpireSession(l.state(now), id), nil)
	}
	if due(l.active, l.noop, now) {
		l.noop = now.Add(config.MetadataMaxIdleIntervalMs.Get(l.o.Config))
		l.perform(ctx, Decision{Records: []metadata.Record{&metadata.NoOpRecord{}}}, nil)
	}
	if due(l.active, l.balance, now) {
		d, more := PreferredElections(l.state(now))
		if l.balance = now; !more {
			l.balance = now.Add(l.balanceEvery())
		}
		l.perform(ctx, d, nil)
	}
	if due(l.active, l.unclean, now) {
		d, more := UncleanElections(l.state(now))
		if l.unclean = now; !more {
			l.unclean = now.Add(config.UncleanLeaderElectionIntervalMs.Get(l.o.Config))
		}
		l.perform(ctx, d, nil)
	}
}

func due(active bool, at, now time.Time) bool { return active && !at.IsZero() && !now.Before(at) }

// pause is how long there is nothing to do unless a message comes.
func (l *loop) pause(now time.Time) time.Duration {
	const long = time.Hour
	if !l.active {
		return long
	}
	wait := long
	for _, at := range []time.Time{l.noop, l.balance, l.unclean} {
		if !at.IsZero() {
			wait = min(wait, at.Sub(now))
		}
	}
	if at, ok := l.sessions.nextExpiry(); ok {
		wait = min(wait, at.Sub(now)+time.Millisecond)
	}
	return max(wait, 0)
}

// snapshot writes the committed image beside the loop, one at a time. A failure is tried again at the next trigger.
func (l *loop) snapshot() {
	if l.writing != nil {
		return
	}
	img := l.loader.Image()
	done := make(chan struct{})
	l.writing = done
	l.trigger.Reset()
	l.writers.Add(1)
	go func() {
		defer l.writers.Done()
		defer close(done)
		if err := l.o.Quorum.WriteSnapshot(img.Offset+1, img.Epoch, img.AppendTime, img.WriteSnapshot); err != nil {
			l.o.Log.Error().Err(err).Int64("offset", img.Offset).Msg("writing a metadata snapshot")
		}
	}()
}
