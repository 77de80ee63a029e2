package server

import (
	"sync"
	"sync/atomic"
	"time"
)

// admission decides which connections may be. An address over its own bound is refused at once; a full
// listener or broker makes its acceptor wait, so that the rest queues in the kernel (KIP-402). The
// protected listener passes the broker's bound: another listener's longest quiet connection makes room.
type admission struct {
	mu          sync.Mutex
	all         map[*conn]struct{}
	perIP       map[string]int
	perListener map[string]int
	left        chan struct{} // closed and replaced whenever a connection ends
}

func newAdmission() admission {
	return admission{all: map[*conn]struct{}{}, perIP: map[string]int{}, perListener: map[string]int{}, left: make(chan struct{})}
}

// verdict of admit.
type verdict uint8

const (
	admitted verdict = iota
	refused          // too many from this address: close it
	full             // wait on the channel and ask again
)

// admit counts the connection in, or says what to do. evict, when not nil, is to be closed for it.
func (a *admission) admit(l *listener, ip string, lim Limits, make func() *conn) (k *conn, evict *conn, v verdict, left <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	most := lim.MaxPerIP
	if own, ok := lim.MaxPerIPOverrides[ip]; ok {
		if most = own; own == 0 { // an override of 0 bars the address
			return nil, nil, refused, nil
		}
	}
	if most > 0 && a.perIP[ip] >= most {
		return nil, nil, refused, nil
	}
	if most := lim.MaxPerListener[l.Name]; most > 0 && a.perListener[l.Name] >= most {
		return nil, nil, full, a.left
	}
	if lim.MaxConnections > 0 && len(a.all) >= lim.MaxConnections {
		if l.Name != lim.ProtectedListener {
			return nil, nil, full, a.left
		}
		for other := range a.all {
			if other.listener.Name != lim.ProtectedListener && (evict == nil || other.lastActive.Load() < evict.lastActive.Load()) {
				evict = other
			}
		}
	}
	k = make()
	a.all[k] = struct{}{}
	a.perIP[ip]++
	a.perListener[l.Name]++
	return k, evict, admitted, nil
}

func (a *admission) remove(k *conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.all, k)
	if a.perIP[k.ip]--; a.perIP[k.ip] == 0 {
		delete(a.perIP, k.ip)
	}
	if a.perListener[k.listener.Name]--; a.perListener[k.listener.Name] == 0 {
		delete(a.perListener, k.listener.Name)
	}
	close(a.left)
	a.left = make(chan struct{})
}

func (a *admission) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.all)
}

// each calls f for every connection; f must not block.
func (a *admission) each(f func(*conn)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k := range a.all {
		f(k)
	}
}

// quietLog lets one line a second through and counts the rest: a client that is refused cannot flood the
// log (robustness N4).
type quietLog struct {
	next    atomic.Int64 // unix nanoseconds
	skipped atomic.Int64
}

// allow reports whether to log now and how many lines were skipped since the last one.
func (q *quietLog) allow(now time.Time) (skipped int64, ok bool) {
	next := q.next.Load()
	if now.UnixNano() < next || !q.next.CompareAndSwap(next, now.Add(time.Second).UnixNano()) {
		q.skipped.Add(1)
		return 0, false
	}
	return q.skipped.Swap(0), true
}
