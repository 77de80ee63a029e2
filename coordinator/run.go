package coordinator

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Run loads shards, fires timers, hands images on and answers what the high watermark has passed, until ctx ends. Then all
// shards resign.
func (s *Shards[M]) Run(ctx context.Context) error {
	var loads sync.WaitGroup
	defer func() {
		loads.Wait()
		for _, sh := range s.all() {
			sh.resign()
		}
	}()
	slots := make(chan struct{}, s.o.Loaders)
	alarm := s.o.Clocks.Broker.NewTimer(time.Hour)
	defer alarm.Stop()
	var due []*timer
	for {
		now := s.o.Clocks.Broker.Now()
		var next time.Time
		due, next = s.timers.due(now, due)
		for _, t := range due {
			t.shard.fire(t, now)
		}
		if next.IsZero() {
			next = now.Add(time.Hour)
		}
		alarm.Reset(next.Sub(s.o.Clocks.Broker.Now()))
		select {
		case <-s.timers.wake:
		case <-alarm.C():
		case <-s.work:
			for _, sh := range s.turn() {
				loads.Go(func() {
					select {
					case slots <- struct{}{}:
						s.load(ctx, sh)
						<-slots
					case <-ctx.Done():
					}
				})
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// turn does what was left for Run and returns the shards to load.
func (s *Shards[M]) turn() []*shard[M] {
	for _, sh := range s.failures.take() {
		s.reload(sh)
	}
	s.mu.Lock()
	images, loads, moved := s.images, s.loads, s.moved
	s.images, s.loads, s.moved = nil, nil, nil
	s.mu.Unlock()
	for _, sh := range moved {
		sh.committed()
	}
	if len(images) > 0 {
		for _, sh := range s.all() {
			for _, c := range images {
				sh.newImage(c)
			}
		}
	}
	return loads
}

// all is the shards by partition.
func (s *Shards[M]) all() []*shard[M] {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*shard[M], 0, len(s.shards))
	for _, sh := range s.shards {
		list = append(list, sh)
	}
	slices.SortFunc(list, func(a, b *shard[M]) int { return int(a.partition - b.partition) })
	return list
}
