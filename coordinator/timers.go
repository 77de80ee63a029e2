package coordinator

import (
	"cmp"
	"container/heap"
	"slices"
	"sync"
	"time"
)

// timers is the queue of all shards' timers. An entry in the queue may stand earlier than its timer, which was moved
// since: heartbeats move session timers all the time, and pay a field for it.
type timers struct {
	mu    sync.Mutex
	queue timerQueue
	wake  chan struct{} // one slot: the earliest entry changed
}

// timer is one timer of one shard. Fields but at are set once.
type timer struct {
	shard anyShard
	name  Timer

	at     time.Time // guarded by the shard's lock; zero = not set
	queued time.Time // guarded by timers.mu; zero = not in the queue
}

// anyShard is a shard without the type of its machine.
type anyShard interface {
	fire(t *timer, now time.Time)
}

// arm makes sure that the queue looks at t no later than at.
func (q *timers) arm(t *timer, at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !t.queued.IsZero() && !at.Before(t.queued) {
		return
	}
	first := len(q.queue) == 0 || at.Before(q.queue[0].at)
	t.queued = at
	heap.Push(&q.queue, queuedTimer{at, t})
	if first {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// forgetLocked takes out a timer that is not set any more. Its name may be another one's by now.
func (sh *shard[M]) forgetLocked(t *timer) {
	if sh.timers[t.name] == t {
		delete(sh.timers, t.name)
	}
}

// listTimers is the timers that are set, the next first.
func (sh *shard[M]) listTimers() []Set {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	list := make([]Set, 0, len(sh.timers))
	for name, t := range sh.timers {
		if !t.at.IsZero() {
			list = append(list, Set{name, t.at})
		}
	}
	slices.SortFunc(list, func(a, b Set) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Member, b.Member))
	})
	return list
}

// due takes out what is due at now, and says when to look again; zero = when woken.
func (q *timers) due(now time.Time, into []*timer) (list []*timer, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	list = into[:0]
	for len(q.queue) > 0 {
		head := q.queue[0]
		if head.at.After(now) {
			return list, head.at
		}
		heap.Pop(&q.queue)
		if head.t.queued.Equal(head.at) { // else an earlier entry of the same timer was handled
			head.t.queued = time.Time{}
			list = append(list, head.t)
		}
	}
	return list, time.Time{}
}

type queuedTimer struct {
	at time.Time
	t  *timer
}

// timerQueue is a heap by time.
type timerQueue []queuedTimer

func (q timerQueue) Len() int           { return len(q) }
func (q timerQueue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q timerQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *timerQueue) Push(x any)        { *q = append(*q, x.(queuedTimer)) }
func (q *timerQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = queuedTimer{}
	*q = old[:len(old)-1]
	return last
}
