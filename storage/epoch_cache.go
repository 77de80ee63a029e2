package storage

import (
	"slices"
	"sync"
)

// epochStart says that records from start on were written by the leader of epoch, until the next entry.
type epochStart struct {
	epoch int32
	start int64
}

// epochCache answers which leader epoch an offset belongs to (KIP-101, 279). Both columns rise strictly.
// It has a mutex of its own: fetches ask while appends run.
type epochCache struct {
	mu    sync.RWMutex
	list  []epochStart
	dirty bool // the file is behind
}

// assign notes the start of an epoch. Entries that contradict it, with a later start or an equal or larger epoch,
// go: they were assigned by a leader that never wrote, or belong to what was truncated. Reports a change.
func (c *epochCache) assign(epoch int32, start int64) bool {
	if epoch < 0 || start < 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.list); n > 0 && c.list[n-1].epoch == epoch && start >= c.list[n-1].start {
		return false
	}
	for n := len(c.list); n > 0 && (c.list[n-1].epoch >= epoch || c.list[n-1].start >= start); n-- {
		c.list = c.list[:n-1]
	}
	c.list = append(c.list, epochStart{epoch, start})
	c.dirty = true
	return true
}

func (c *epochCache) latest() (int32, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if len(c.list) == 0 {
		return -1, false
	}
	return c.list[len(c.list)-1].epoch, true
}

// endOffset answers OffsetForLeaderEpoch: the largest epoch not above the asked one, with the offset at which the
// next one starts (R2). (-1, -1) when it cannot be known.
func (c *epochCache) endOffset(epoch int32, logEndOffset int64) (int32, int64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := len(c.list)
	if epoch == -1 || n == 0 || epoch > c.list[n-1].epoch {
		return -1, -1
	}
	if epoch == c.list[n-1].epoch {
		return epoch, logEndOffset
	}
	above, _ := slices.BinarySearchFunc(c.list, epoch, func(e epochStart, epoch int32) int {
		if e.epoch <= epoch {
			return -1
		}
		return 1
	})
	if above == 0 {
		return epoch, c.list[0].start // older than all that is left; its records are gone
	}
	return c.list[above-1].epoch, c.list[above].start
}

func (c *epochCache) forOffset(offset int64) (int32, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for i := len(c.list) - 1; i >= 0; i-- {
		if c.list[i].start <= offset {
			return c.list[i].epoch, true
		}
	}
	return -1, false
}

// truncateEnd drops entries that start at or after end (R7).
func (c *epochCache) truncateEnd(end int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := len(c.list); n > 0 && c.list[n-1].start >= end; n-- {
		c.list = c.list[:n-1]
		c.dirty = true
	}
}

// truncateStart forgets epochs that ended at or before start; the one that start lies in begins there now.
func (c *epochCache) truncateStart(start int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := len(c.list) - 1
	for i >= 0 && c.list[i].start > start {
		i--
	}
	if i < 0 || i == 0 && c.list[0].start == start {
		return
	}
	c.list = slices.Clone(c.list[i:])
	c.list[0].start = start
	c.dirty = true
}

func (c *epochCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dirty = c.dirty || len(c.list) > 0
	c.list = nil
}

// takeDirty returns the entries to write if the file is behind, and marks it as written.
func (c *epochCache) takeDirty() ([]epochStart, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirty {
		return nil, false
	}
	c.dirty = false
	return slices.Clone(c.list), true
}

// LatestEpoch is the largest leader epoch known to the log.
func (l *Log) LatestEpoch() (int32, bool) { return l.epochs.latest() }

// EpochForOffset is the leader epoch that wrote offset; false when it is older than all that is left.
func (l *Log) EpochForOffset(offset int64) (int32, bool) { return l.epochs.forOffset(offset) }

// EndOffsetForEpoch is the largest epoch not above epoch, with its end offset; (-1, -1) when unknown.
func (l *Log) EndOffsetForEpoch(epoch int32) (int32, int64) {
	return l.epochs.endOffset(epoch, l.LogEndOffset())
}

// AssignEpochStart notes, and writes down, that epoch starts at start; a leader calls it before it serves (R4).
func (l *Log) AssignEpochStart(epoch int32, start int64) error {
	if !l.epochs.assign(epoch, start) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return err
	}
	return l.writeEpochsLocked()
}
