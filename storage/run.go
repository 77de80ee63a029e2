package storage

import (
	"context"
	"sync"
	"time"

	"github.com/dohle-io/dohle/internal/clock"
)

// Run does the background work until ctx ends: the flusher, by real time, the keeper, by the broker's time, and, if
// logs are compacted at all, the threads of the cleaner. It returns when all have ended; the logs stay usable, and Close
// may follow.
func (s *Store) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	if s.o.Cleaner != nil {
		wg.Go(func() { s.runCleaner(ctx) })
	}
	wg.Go(func() { s.runFlusher(ctx) })
	wg.Go(func() { s.runKeeper(ctx) })
	wg.Wait()
	return nil
}

// runFlusher flushes dirty logs every FlushInterval, or earlier when FlushBytes were appended or a segment was sealed,
// and writes the checkpoints.
func (s *Store) runFlusher(ctx context.Context) {
	timer := s.clocks.Real.NewTimer(s.o.FlushInterval)
	defer timer.Stop()
	marks := s.clocks.Real.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
		case <-timer.C():
			timer.Reset(s.o.FlushInterval)
		}
		_ = s.FlushDirty() // a failure has taken the directory offline and is in the log
		if now := s.clocks.Real.Now(); now.Sub(marks) >= s.o.CheckpointInterval {
			marks = now
			s.writeHighWatermarks()
		}
	}
}

// runKeeper applies retention, removes what was deleted and forgets silent producers.
func (s *Store) runKeeper(ctx context.Context) {
	retention, producers := s.clocks.Broker.NewTimer(s.o.RetentionCheckInterval), s.clocks.Broker.NewTimer(s.o.ProducerExpirationChecks)
	second := s.clocks.Broker.NewTimer(time.Second)
	for _, t := range []clock.Timer{retention, producers, second} {
		defer t.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-retention.C():
			s.DeleteOldSegments()
			retention.Reset(s.o.RetentionCheckInterval)
		case <-producers.C():
			s.ExpireProducers()
			producers.Reset(s.o.ProducerExpirationChecks)
		case <-second.C():
			s.RemoveDue()
			s.flushOverdue()
			second.Reset(time.Second)
		}
	}
}

// runCleaner keeps as many threads at work as the configuration says now.
func (s *Store) runCleaner(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	running := map[int]chan struct{}{} // closed when the thread has ended
	for {
		c := s.o.Cleaner()
		for i := range c.Threads {
			if done := running[i]; done != nil && !closed(done) || !c.Enabled {
				continue
			}
			done := make(chan struct{})
			running[i] = done
			wg.Go(func() {
				defer close(done)
				s.runCleanerThread(ctx, i)
			})
		}
		if clock.Sleep(ctx, s.clocks.Broker, c.pause()) != nil {
			return
		}
	}
}

// runCleanerThread cleans one log after another, and pauses by the broker's time when none is due. It ends with ctx or
// when the configuration asks for fewer threads.
func (s *Store) runCleanerThread(ctx context.Context, i int) {
	behindClients()
	w := &cleanWorker{store: s}
	for ctx.Err() == nil {
		c := s.o.Cleaner()
		if !c.Enabled || i >= c.Threads {
			return
		}
		w.use(c)
		if w.cleanOne(ctx) {
			continue
		}
		w.letGo()
		if clock.Sleep(ctx, s.clocks.Broker, c.pause()) != nil {
			return
		}
	}
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// parallel calls f(0) to f(n-1), at most workers at once, and returns when all have returned.
func parallel(workers, n int, f func(i int)) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	next := 0
	for range min(workers, n) {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	wg.Wait()
}
