package replica

import (
	"math"
	"sync"
	"sync/atomic"
)

// Bound names the offset of a partition that a waiter looks at.
type Bound uint8

const (
	LogEnd        Bound = iota // the log end offset: followers
	HighWatermark              // what consumers read up to; acks=all waits for it
	LastStable                 // what read_committed consumers read up to
	LowWatermark               // the smallest log start offset of all live replicas: DeleteRecords waits for it
)

// Wake is what one goroutine waits on: a channel with one slot, and the watches that fired since it last looked.
// Several watches, on as many partitions, share one Wake.
type Wake struct {
	mu    sync.Mutex
	c     chan struct{}
	fired []*Watch
}

// NewWake returns a Wake that has not fired.
func NewWake() *Wake { return &Wake{c: make(chan struct{}, 1)} }

// C receives once after one or more watches fired. It is closed by Renew.
func (w *Wake) C() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.c
}

// Renew gives the Wake a fresh channel and closes the old one: whoever still waits on that returns at once and
// finds that another took over.
func (w *Wake) Renew() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.c)
	w.c = make(chan struct{}, 1)
	if len(w.fired) > 0 {
		w.c <- struct{}{}
	}
}

// Fired calls f for every watch that fired since the last call, and forgets them. f runs under the Wake's lock:
// it may set a flag and no more.
func (w *Wake) Fired(f func(*Watch)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, watch := range w.fired {
		watch.queued = false
		w.fired[i] = nil
		f(watch)
	}
	w.fired = w.fired[:0]
	select {
	case <-w.c:
	default:
	}
}

// deliver is called under the waiter list's lock; it never blocks.
func (w *Wake) deliver(watch *Watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !watch.queued {
		watch.queued = true
		w.fired = append(w.fired, watch)
	}
	select {
	case w.c <- struct{}{}:
	default:
	}
}

// Watch is the registration of a Wake with one partition. It fires once per Arm: when the bound reaches the wanted
// offset, or when the partition's role changes. The zero Watch is not usable; see Partition.NewWatch.
type Watch struct {
	Owner any // whatever the waiting side wants to find again; set once, before the first Arm

	wake  *Wake
	list  *waiters
	bound Bound

	queued bool // guarded by wake.mu

	// guarded by list.mu
	armed      bool
	want       int64
	prev, next *Watch
}

// Bound is the offset that the watch looks at.
func (w *Watch) Bound() Bound { return w.bound }

// Arm registers the watch, or changes what it wants. The caller looks at the partition again afterwards: what
// happened before Arm returned may not fire.
func (w *Watch) Arm(want int64) {
	l := w.list
	l.mu.Lock()
	defer l.mu.Unlock()
	w.want = want
	if w.armed {
		return
	}
	w.armed = true
	w.prev, w.next = nil, l.first
	if l.first != nil {
		l.first.prev = w
	}
	l.first = w
	l.count.Add(1)
}

// Disarm takes the watch out of the partition's list. It may still be among the Wake's fired ones.
func (w *Watch) Disarm() {
	l := w.list
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removeLocked(w)
}

// waiters is the list of the armed watches of one partition.
type waiters struct {
	count atomic.Int32 // armed watches; read without the lock so that an append nobody waits for pays one load

	mu    sync.Mutex
	first *Watch
}

func (l *waiters) removeLocked(w *Watch) {
	if !w.armed {
		return
	}
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		l.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	}
	w.prev, w.next, w.armed = nil, nil, false
	l.count.Add(-1)
}

// bounds are a partition's offsets by Bound; math.MinInt64 where nothing is known to have changed.
type bounds [4]int64

// everything fires all watches: the role changed, or the partition is gone.
var everything = bounds{math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64}

// notify fires the watches whose bound is at or above what they want.
func (l *waiters) notify(b bounds) {
	if l.count.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := l.first; w != nil; {
		next := w.next
		if b[w.bound] >= w.want {
			l.removeLocked(w)
			w.wake.deliver(w)
		}
		w = next
	}
}

// Watched is the number of armed watches, for tests and metrics.
func (p *Partition) Watched() int { return int(p.waiters.count.Load()) }
