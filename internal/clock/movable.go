package clock

import (
	"sync"
	"time"
)

// Movable is a clock that runs with its base and can be set forward. It never goes back.
type Movable struct {
	base Clock

	mu     sync.Mutex
	ahead  time.Duration
	timers map[*movableTimer]struct{}
}

// NewMovable returns a clock that shows base's time until it is advanced.
func NewMovable(base Clock) *Movable {
	return &Movable{base: base, timers: map[*movableTimer]struct{}{}}
}

// Now is the base's time plus all advances.
func (m *Movable) Now() time.Time {
	m.mu.Lock()
	ahead := m.ahead
	m.mu.Unlock()
	return m.base.Now().Add(ahead)
}

// Advance sets the clock forward by d, which must not be negative, and lets every timer that has become due tick.
func (m *Movable) Advance(d time.Duration) {
	if d < 0 {
		panic("clock: a movable clock never goes back")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ahead += d
	now := m.base.Now().Add(m.ahead)
	for t := range m.timers {
		if t.base.Stop() { // a timer that has ticked stays quiet
			t.base.Reset(t.due.Sub(now))
		}
	}
}

// NewTimer arms a timer on the moved time.
func (m *Movable) NewTimer(d time.Duration) Timer {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &movableTimer{clock: m, base: m.base.NewTimer(d), due: m.base.Now().Add(m.ahead + d)}
	m.timers[t] = struct{}{}
	return t
}

// movableTimer wraps a timer of the base clock; an Advance re-arms it for what is left.
//
// Invariant: while armed it stands in Movable.timers. One that has ticked may stay there until its owner stops it.
type movableTimer struct {
	clock *Movable
	base  Timer
	due   time.Time
}

func (t *movableTimer) C() <-chan time.Time { return t.base.C() }

func (t *movableTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	delete(t.clock.timers, t)
	return t.base.Stop()
}

func (t *movableTimer) Reset(d time.Duration) bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	t.due = t.clock.base.Now().Add(t.clock.ahead + d)
	t.clock.timers[t] = struct{}{}
	return t.base.Reset(d)
}
