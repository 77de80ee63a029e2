package server

import (
	"context"
	"sync"
)

// Budget counts the bytes of requests and answers that are in memory, over all connections. It is a
// quarter of the memory limit. Who finds it spent waits, in order of arrival; nothing is dropped.
//
// A frame that has begun must be able to end, or many half-read frames would hold the budget and wait for
// each other for ever. So one holder at a time may overdraw: the budget is exceeded by at most one frame
// with its decode cost.
type Budget struct {
	total int64

	mu        sync.Mutex
	used      int64
	overdrawn *grant // the one holder that may pass total, nil = nobody
	waiters   []*waiter
}

type waiter struct {
	grant *grant
	n     int64
	woken chan struct{}
}

// grant is what one connection holds for one frame or one write. The zero value with a budget is ready.
type grant struct {
	budget *Budget
	held   int64
}

// NewBudget returns a budget of total bytes, at least 1 MiB.
func NewBudget(total int64) *Budget {
	return &Budget{total: max(total, 1<<20)}
}

// Used returns the bytes held now, Total the bound.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// Total returns the bound in bytes.
func (b *Budget) Total() int64 { return b.total }

// fitsLocked reports whether g may have n more now. A request larger than the whole budget is let in when
// nobody holds anything.
func (b *Budget) fitsLocked(g *grant, n int64) bool {
	switch {
	case b.used+n <= b.total, b.used == 0:
		return true
	case b.overdrawn == g:
		return true
	case g.held > 0 && b.overdrawn == nil:
		b.overdrawn = g
		return true
	}
	return false
}

// take adds n bytes to g, waiting while the budget is spent. It reports whether it had to wait, and the
// context's error. tryTake never waits.
func (g *grant) take(ctx context.Context, n int64) error {
	if n <= 0 || g.tryTake(n) {
		return nil
	}
	b := g.budget
	b.mu.Lock()
	w := &waiter{grant: g, n: n, woken: make(chan struct{})}
	b.waiters = append(b.waiters, w)
	b.wakeLocked()
	b.mu.Unlock()
	select {
	case <-w.woken:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.waiters {
		if other == w {
			b.waiters = append(b.waiters[:i], b.waiters[i+1:]...)
			return ctx.Err()
		}
	}
	return nil // granted in the same moment
}

// tryTake takes n bytes if that needs no waiting. Newcomers do not pass those who wait already.
func (g *grant) tryTake(n int64) bool {
	b := g.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiters) > 0 && g.held == 0 {
		return false
	}
	if !b.fitsLocked(g, n) {
		return false
	}
	b.used += n
	g.held += n
	return true
}

// give returns all that g holds. Harmless when it holds nothing.
func (g *grant) give() { g.giveBack(g.held) }

// giveBack returns n of the bytes that g holds.
func (g *grant) giveBack(n int64) {
	if n <= 0 {
		return
	}
	b := g.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	g.held -= n
	b.used -= n
	if g.held == 0 && b.overdrawn == g {
		b.overdrawn = nil
	}
	b.wakeLocked()
}

// wakeLocked grants what fits: in order, but a holder that may overdraw passes newcomers before it.
func (b *Budget) wakeLocked() {
	kept := b.waiters[:0]
	blocked := false // a newcomer that does not fit holds the newcomers behind it
	for _, w := range b.waiters {
		newcomer := w.grant.held == 0
		if (newcomer && blocked) || !b.fitsLocked(w.grant, w.n) {
			blocked = blocked || newcomer
			kept = append(kept, w)
			continue
		}
		b.used += w.n
		w.grant.held += w.n
		close(w.woken)
	}
	clear(b.waiters[len(kept):])
	b.waiters = kept
}
