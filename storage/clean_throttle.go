package storage

import (
	"context"
	"sync"
	"time"

	"github.com/dohle-io/dohle/internal/clock"
)

// cleanThrottle spreads the reads and writes of all threads of the cleaner over time, by the real clock: the disk is
// spared, whatever the broker's time does.
type cleanThrottle struct {
	mu   sync.Mutex
	free time.Time // when everything so far is paid for
}

// wait returns when n more bytes may pass, or ctx ends. At most a second is made up for.
func (t *cleanThrottle) wait(ctx context.Context, c clock.Clock, n int, bytesPerSecond float64) {
	seconds := float64(n) / max(bytesPerSecond, 1)
	if seconds < 1e-9 {
		return
	}
	now := c.Now()
	t.mu.Lock()
	if earliest := now.Add(-time.Second); t.free.Before(earliest) {
		t.free = earliest
	}
	t.free = t.free.Add(time.Duration(min(seconds, 3600) * float64(time.Second)))
	delay := t.free.Sub(now)
	t.mu.Unlock()
	if delay > time.Millisecond {
		_ = clock.Sleep(ctx, c, delay) // the caller looks at ctx itself
	}
}
