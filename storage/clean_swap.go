package storage

import "slices"

// swapIn puts a cleaned segment, whose files are durable under their .cleaned names, in the place of the segments it was
// made of. The steps are those that finishSwaps knows to undo or to finish (L4): all .swap, the old ones .deleted, the
// final names; at no moment would a start find neither. Producers, epochs and offsets of the log do not change.
//
// flushMu keeps flush, truncation and deletion out; mu keeps appends and retention out while names change, without
// fsync. Readers that hold the old segments keep their open files; those that come too late look at the list again.
func (l *Log) swapIn(seg *segment, old []*segment, shape int64) error {
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	if err := l.swapHolding(seg, old, shape); err != nil {
		return err
	}
	if err := l.files.fs.SyncDir(l.dirPath()); err != nil {
		return l.fail("clean", err)
	}
	return nil
}

func (l *Log) swapHolding(seg *segment, old []*segment, shape int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shape.Load() != shape || l.Err() != nil || !l.cfg.Load().Compact {
		return errCleanAborted
	}
	list := l.segments()
	at := floorSegment(list, seg.base)
	if at < 0 || !slices.Equal(list[at:min(at+len(old), len(list)-1)], old) {
		return errCleanAborted
	}
	fsys := l.files.fs
	rename := func(suffix, from, to string) error {
		err := fsys.Rename(seg.path(suffix+from), seg.path(suffix+to))
		if err != nil && !(suffix == txnIndexSuffix && isNotExist(err)) {
			return l.fail("clean", err)
		}
		return nil
	}
	// The log is the first of its files to get a new name: the others, still .cleaned, tell that it is not all there.
	for _, suffix := range swapOrder {
		if err := rename(suffix, cleanedSuffix, swapSuffix); err != nil {
			return err
		}
	}
	// From here on a start finishes the swap.
	l.retire(old)
	if err := l.dir.Err(); err != nil {
		return storageErr(err)
	}
	for _, suffix := range swapOrder {
		if err := rename(suffix, swapSuffix, ""); err != nil {
			return err
		}
	}
	if len(seg.aborted) > 0 {
		l.noAborts.Store(false)
	}
	l.setSegments(slices.Concat(list[:at], []*segment{seg}, list[at+len(old):]))
	var merged []int64 // a segment without a beginning of its own needs no snapshot; the newest is needed in any case
	n := len(l.snapshots)
	kept := make([]int64, 0, n)
	for i, snapshot := range l.snapshots {
		if snapshot > seg.base && snapshot < seg.end && i < n-1 {
			merged = append(merged, snapshot)
		} else {
			kept = append(kept, snapshot)
		}
	}
	l.snapshots = kept
	l.retireSnapshots(merged)
	return nil
}

// swapOrder are the files of a cleaned segment in the order in which they are renamed.
var swapOrder = [...]string{logSuffix, indexSuffix, timeIndexSuffix, txnIndexSuffix}
