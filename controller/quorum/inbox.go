package quorum

import (
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

type opKind int8

const (
	opRequest  opKind = iota // of another node; answered through answer
	opCancel                 // of an opRequest
	opPropose                // an Append
	opEvent                  // anything else for the Core
	opAsk                    // a look at the Core
	opSnapshot               // a snapshot was written
	opStop                   // Shutdown; done when Run has ended
)

// op is one thing for the loop. done is closed when the loop is through with it, or has ended.
type op struct {
	kind     opKind
	req      kmsg.Request
	answer   chan kmsg.Response // room for one
	token    uint64             // set by the loop
	cancels  *op
	proposal Proposal
	proposed Proposed
	event    Event
	ask      func()
	snapshot SnapshotID
	skipped  bool // the loop ended first
	done     chan struct{}
}

// inbox is what waits for the loop. Its length is bounded by the callers, each of which waits for its own op.
type inbox struct {
	wake chan struct{} // one slot

	mu     sync.Mutex
	ops    []*op
	closed bool
}

// put queues an op; false when the loop has ended.
func (b *inbox) put(o *op) bool {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return false
	}
	b.ops = append(b.ops, o)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return true
}

// withdraw takes an op back; false when the loop has it already.
func (b *inbox) withdraw(o *op) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := slices.Index(b.ops, o)
	if at < 0 {
		return false
	}
	b.ops = slices.Delete(b.ops, at, at+1)
	return true
}

// take gives everything that waits.
func (b *inbox) take() []*op {
	b.mu.Lock()
	defer b.mu.Unlock()
	ops := b.ops
	b.ops = nil
	return ops
}

// close refuses further ops and gives those that wait.
func (b *inbox) close() []*op {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	ops := b.ops
	b.ops = nil
	return ops
}

// commits are those who wait for the high watermark.
type commits struct {
	mu      sync.Mutex
	hw      int64 // exclusive
	waiters []commitWaiter
	closed  bool
}

type commitWaiter struct {
	offset int64
	ch     chan struct{} // one slot; closed when the node stops
}

// wait returns nil when offset is committed already.
func (c *commits) wait(offset int64) (ch chan struct{}, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if offset < c.hw {
		return nil, true
	}
	if c.closed {
		return nil, false
	}
	ch = make(chan struct{}, 1)
	c.waiters = append(c.waiters, commitWaiter{offset, ch})
	return ch, true
}

func (c *commits) forget(ch chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiters = slices.DeleteFunc(c.waiters, func(w commitWaiter) bool { return w.ch == ch })
}

func (c *commits) advance(hw int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if hw <= c.hw {
		return
	}
	c.hw = hw
	c.waiters = slices.DeleteFunc(c.waiters, func(w commitWaiter) bool {
		if w.offset < hw {
			w.ch <- struct{}{}
			return true
		}
		return false
	})
}

func (c *commits) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, w := range c.waiters {
		close(w.ch)
	}
	c.waiters = nil
}
