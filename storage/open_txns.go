package storage

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// openTxns knows which transactions hold the last stable offset back. It has a mutex of its own, so that moving the
// high watermark never waits for an append.
type openTxns struct {
	any atomic.Bool // false: both lists are empty

	mu           sync.Mutex
	ongoing      []txnSpan // by first offset
	unreplicated []txnSpan // ended, but their marker is not below the high watermark

	firstUnstable atomic.Int64 // math.MaxInt64 when nothing is open
}

type txnSpan struct{ producerID, first, last int64 }

func (t *openTxns) start(producerID, first int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, _ := slices.BinarySearchFunc(t.ongoing, first, func(s txnSpan, first int64) int { return cmp.Compare(s.first, first) })
	t.ongoing = slices.Insert(t.ongoing, i, txnSpan{producerID, first, -1})
	t.updateLocked()
}

// lastStableAfter is what the LSO will be once done is complete and replicated: the start of the next open
// transaction, or the offset after the marker.
func (t *openTxns) lastStableAfter(done completedTxn) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.ongoing {
		if s.producerID != done.producerID {
			return s.first
		}
	}
	return done.last + 1
}

func (t *openTxns) complete(done completedTxn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, s := range t.ongoing {
		if s.first == done.first {
			t.ongoing = slices.Delete(t.ongoing, i, i+1)
			s.last = done.last
			i, _ := slices.BinarySearchFunc(t.unreplicated, s.first, func(s txnSpan, first int64) int { return cmp.Compare(s.first, first) })
			t.unreplicated = slices.Insert(t.unreplicated, i, s)
			break
		}
	}
	t.updateLocked()
}

// replicated drops ended transactions whose marker lies below the high watermark.
func (t *openTxns) replicated(highWatermark int64) {
	if !t.any.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unreplicated = slices.DeleteFunc(t.unreplicated, func(s txnSpan) bool { return s.last < highWatermark })
	t.updateLocked()
}

func sortSpans(list []txnSpan) {
	slices.SortFunc(list, func(a, b txnSpan) int { return cmp.Compare(a.first, b.first) })
}

func (t *openTxns) reset(ongoing []txnSpan) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ongoing, t.unreplicated = ongoing, nil
	t.updateLocked()
}

func (t *openTxns) updateLocked() {
	first := int64(math.MaxInt64)
	if len(t.ongoing) > 0 {
		first = t.ongoing[0].first
	}
	if len(t.unreplicated) > 0 {
		first = min(first, t.unreplicated[0].first)
	}
	t.firstUnstable.Store(first)
	t.any.Store(first != math.MaxInt64)
}
