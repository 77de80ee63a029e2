package storage

import (
	"fmt"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

// TruncateTo drops every record at or above offset; a batch that offset lies in goes as a whole. The epoch cache is
// trimmed even when no record goes (R7). Producer state and the transaction index become what they were at offset,
// the high watermark and the log start come down with the end (R12).
func (l *Log) TruncateTo(offset int64) error {
	if offset < 0 {
		return fmt.Errorf("truncate %s to %d: %w", l.tp, offset, kerr.OffsetOutOfRange)
	}
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	// The recovery point on the disk must not be above the end at any moment: recovery would take the cut for damage.
	// It cannot rise meanwhile, flushMu is held; the lock of appends is not, because this is an fsync.
	if err := l.lowerRecoveryPoint(offset); err != nil {
		return err
	}
	if err := l.dir.lowerCleaned(l.tp, offset); err != nil {
		return err
	}
	start := l.logStart.Load()
	l.mu.Lock()
	below := l.segments()[0].base > offset
	var err error
	if !below {
		err = l.truncateLocked(offset)
	}
	l.mu.Unlock()
	switch {
	case err != nil:
		return err
	case below:
		return l.truncateFullyHolding(offset)
	case l.logStart.Load() >= start:
		return nil
	}
	// The start in the checkpoint would hide what comes between: it comes down as soon as the cut cannot be undone.
	if err := l.flushHolding(false); err != nil {
		return err
	}
	return l.dir.writeLogStarts()
}

// truncateLocked truncates to an offset at or above the base of the first segment.
func (l *Log) truncateLocked(offset int64) error {
	if err := l.usableLocked(); err != nil {
		return err
	}
	end := l.logEnd.Load()
	if offset >= end {
		l.epochs.truncateEnd(end)
		return l.writeEpochsLocked()
	}
	if err := l.warmLocked(); err != nil {
		return err
	}
	l.shape.Add(1)
	list := l.segments()
	keep := floorSegment(list, offset) + 1
	gone := list[keep:]
	seg := list[keep-1]
	newEnd, err := seg.truncate(offset)
	if err != nil {
		return l.fail("truncate", err)
	}
	seg.dirty, l.warm = true, true
	l.setSegments(append([]*segment(nil), list[:keep]...))
	l.moveEndLocked(newEnd)
	l.retire(gone)
	l.epochs.truncateEnd(newEnd)
	if err := l.rebuildProducersLocked(newEnd); err != nil {
		return l.fail("rebuild producers of", err)
	}
	l.queueLocked(0)
	return l.writeEpochsLocked()
}

// lowerRecoveryPoint brings the recovery point down to offset, in memory and in the checkpoint. Call with flushMu held.
func (l *Log) lowerRecoveryPoint(offset int64) error {
	if l.recoveryPoint.Load() > offset {
		l.recoveryPoint.Store(offset)
	}
	return l.dir.lowerRecoveryPoint(l.tp, offset)
}

// moveEndLocked brings the end down, and whatever must not be above it.
func (l *Log) moveEndLocked(end int64) {
	l.logEnd.Store(end)
	if l.highWatermark.Load() > end {
		l.highWatermark.Store(end)
	}
	if l.logStart.Load() > end {
		l.logStart.Store(end)
	}
}

// truncate cuts the segment before the batch that holds offset, or is the first after it, and makes it the active
// one again: its index moves into memory. It returns the new end.
func (seg *segment) truncate(offset int64) (end int64, err error) {
	size, _ := seg.tail()
	f, err := seg.log.files.acquire(&seg.file, seg.logName, true)
	if err != nil {
		return 0, err
	}
	defer seg.release()
	if err := seg.loadIndex(f); err != nil {
		return 0, err
	}
	seg.mu.Lock()
	_, err = seg.abortedLocked() // it may be a sealed segment that nobody has asked yet
	seg.mu.Unlock()
	if err != nil {
		return 0, err
	}
	b := newIndexBuilder(seg, math.MaxInt32)
	end = seg.base
	pos := int64(0)
	// The largest timestamp may lie anywhere before the cut, so the headers are walked from the start of the file.
	if pos, err = headers(seg.logName(), f, 0, size, func(h record.Batch, at int64) bool {
		if h.LastOffset() >= offset {
			return false
		}
		if at == 0 {
			seg.rollBase = h.MaxTimestamp()
		}
		b.add(h, at)
		end = h.NextOffset()
		return true
	}); err != nil {
		return 0, err
	}
	seg.cuts.Add(1)
	if err := f.Truncate(pos); err != nil {
		return 0, err
	}
	seg.mu.Lock()
	defer seg.mu.Unlock()
	seg.size, seg.end = pos, end
	seg.idx.truncate(seg.base, offset)
	seg.idx.sized = false
	for suffix, n := range map[string]int{indexSuffix: seg.idx.written, timeIndexSuffix: seg.idx.writtenTimes} {
		if err := truncateFile(seg.log.files.fs, seg.path(suffix), int64(n)); err != nil && !isNotExist(err) {
			return 0, err
		}
	}
	seg.maxTimestamp, seg.maxOffset = b.maxTimestamp, b.maxOffset
	seg.recent, seg.cursors = nil, nil
	n := len(seg.aborted)
	for n > 0 && seg.aborted[n-1].LastOffset >= offset {
		n--
	}
	if n < len(seg.aborted) {
		seg.aborted = append([]AbortedTxn(nil), seg.aborted[:n]...)
		if seg.txnWritten > n {
			seg.txnWritten, seg.txnCut = n, true
			if err := truncateFile(seg.log.files.fs, seg.path(txnIndexSuffix), int64(n*abortedSize)); err != nil {
				return 0, err
			}
		}
	}
	if pos == 0 {
		seg.rollBase, seg.created = -1, seg.log.nowMs()
	}
	return end, nil
}

// TruncateFullyAndStartAt drops everything; the next record gets offset. Log start, high watermark, end and recovery
// point move together (R12).
func (l *Log) TruncateFullyAndStartAt(offset int64) error {
	if offset < 0 {
		return fmt.Errorf("truncate %s to %d: %w", l.tp, offset, kerr.OffsetOutOfRange)
	}
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	return l.truncateFullyHolding(offset)
}

func (l *Log) truncateFullyHolding(offset int64) error {
	if err := l.Err(); err != nil {
		return err
	}
	if err := l.lowerRecoveryPoint(0); err != nil {
		return err
	}
	if err := l.dir.lowerCleaned(l.tp, offset); err != nil {
		return err
	}
	// The new start first: from here on, whatever a crash leaves of the old records, the next start drops it, because
	// it ends below the log start.
	if err := l.dir.writeLogStart(l.tp, offset); err != nil {
		return err
	}
	l.mu.Lock()
	if err := l.usableLocked(); err != nil {
		l.mu.Unlock()
		return err
	}
	err := l.startAtLocked(offset)
	made := l.made
	l.mu.Unlock()
	if err != nil || !made {
		return err
	}
	if err := l.flushHolding(false); err != nil { // what was cut does not come back
		return err
	}
	return l.dir.writeLogStarts()
}

// startAtLocked needs a recovery point of 0 in the checkpoint, so that a crash in the middle finds nothing missing.
func (l *Log) startAtLocked(offset int64) error {
	l.shape.Add(1)
	l.dropped.Add(1)
	old := slices.Clone(l.segments())
	l.retireSnapshots(l.snapshots)
	l.snapshots, l.pending = nil, nil
	seg := newSegment(l, offset)
	seg.idx = newIndex(offset)
	l.warm = true
	if l.made {
		// The old files first: one of them may have the new one's name. The newest of them first, so that a crash in
		// between leaves a shorter log and not one without its beginning.
		slices.Reverse(old)
		l.retire(old)
		f, err := l.files.acquire(&seg.file, seg.logName, true)
		if err != nil {
			return l.fail("truncate", err)
		}
		err = f.Truncate(0)
		seg.release()
		if err != nil {
			return l.fail("truncate", err)
		}
		seg.isNew, seg.dirty, l.dirDirty = true, true, true
	}
	l.setSegments([]*segment{seg})
	l.epochs.clear()
	l.resetProducersLocked(nil, offset)
	l.logStart.Store(offset) // the recovery point stays at 0 until the next flush
	l.highWatermark.Store(offset)
	l.logEnd.Store(offset)
	l.noAborts.Store(true)
	l.queueLocked(0)
	return l.writeEpochsLocked()
}

// rebuildProducersLocked makes the producer state what it was at end: the newest snapshot at or below it, then the
// batches from there. The transaction index of the segments is left alone: it was cut with them.
func (l *Log) rebuildProducersLocked(end int64) error {
	keep := l.snapshots[:0]
	for _, at := range l.snapshots {
		if at > end || at <= l.logStart.Load() && at != end {
			l.retireSnapshots([]int64{at})
			continue
		}
		keep = append(keep, at)
	}
	l.snapshots = keep
	pending := l.pending[:0]
	for _, p := range l.pending {
		if p.offset <= end {
			pending = append(pending, p)
		}
	}
	l.pending = pending
	list, from, err := l.loadSnapshotLocked(end)
	if err != nil {
		return err
	}
	// While batches are replayed that the index knows already, aborts are not noted again.
	l.resetProducersLocked(list, from)
	if err := l.replayRangeLocked(from, end); err != nil {
		return err
	}
	l.producers.end = end
	return nil
}

// loadSnapshotLocked reads the newest usable snapshot at or below end; damaged ones are removed. Without any the state
// starts empty at the log start.
func (l *Log) loadSnapshotLocked(end int64) (list []*producerEntry, from int64, err error) {
	for i := len(l.snapshots) - 1; i >= 0; i-- {
		at := l.snapshots[i]
		if at > end {
			continue
		}
		list, err := l.readSnapshotLocked(at)
		if err == nil {
			if l.expirationMs > 0 {
				now := l.nowMs()
				list = slices.DeleteFunc(list, func(p *producerEntry) bool { return p.expired(now, l.expirationMs) })
			}
			return list, at, nil
		}
		l.logger.Warn().Err(err).Str("partition", l.name).Msg("producer snapshot is unusable, an older one is taken")
		l.retireSnapshots([]int64{at})
		l.snapshots = append(l.snapshots[:i], l.snapshots[i+1:]...)
	}
	return nil, l.logStart.Load(), nil
}

func (l *Log) readSnapshotLocked(at int64) ([]*producerEntry, error) {
	for _, p := range l.pending {
		if p.offset == at {
			return decodeSnapshot("snapshot in memory", p.bytes)
		}
	}
	name := l.file(offsetName(at, snapshotSuffix))
	b, err := vfs.ReadFile(l.files.fs, name, maxSnapshot)
	if err != nil {
		return nil, err
	}
	return decodeSnapshot(name, b)
}

// replayRangeLocked moves the producer state over the batches in [from, end), whose aborted transactions the segments
// know already.
func (l *Log) replayRangeLocked(from, end int64) error {
	if from >= end {
		return nil
	}
	list := l.segments()
	for i := max(floorSegment(list, from), 0); i < len(list) && list[i].base < end; i++ {
		seg := list[i]
		size, _ := seg.tail()
		if size == 0 {
			continue
		}
		f, err := seg.acquire()
		if err != nil {
			return err
		}
		at := offsetIndexEntry{-1, 0}
		if from > seg.base {
			if at, err = seg.floorOffset(from); err != nil {
				seg.release()
				return err
			}
		}
		var failed error
		_, err = seg.walk(f, at, size, func(h record.Batch, pos int64) bool {
			if h.LastOffset() < from {
				return true
			}
			if h.BaseOffset() >= end {
				return false
			}
			failed = l.replayHeaderLocked(f, h, pos, nil)
			return failed == nil
		})
		seg.release()
		if err == nil {
			err = failed
		}
		if err != nil {
			return err
		}
	}
	return nil
}
