package storage

import (
	"fmt"
	"os"
	"path"

	"github.com/dohle-io/dohle/internal/vfs"
)

// flushWork is what one flush of a log has to do, collected under Log.mu and done without it.
type flushWork struct {
	target    int64 // the log end when the work was collected
	segments  []segmentWork
	snapshots []pendingSnapshot
	epochs    []byte // nil: the file is up to date
	meta      bool
	dir       bool
	newDir    bool
	dropped   int64
}

// segmentWork is what is not written or not durable of one segment.
type segmentWork struct {
	seg    *segment
	sealed bool
	isNew  bool

	offsets, times     []byte // index entries to write, aliasing memory that is only appended to
	offsetsAt, timesAt int
	size               bool // make the index files at their full size first
	txns               []byte
	txnsAt             int
	txnCut             bool
}

// Flush makes everything below offset to durable, and usually everything there is. Callers that come while a flush
// runs share the next one: that is the group commit. No fsync happens under the lock of the log.
func (l *Log) Flush(to int64) error {
	if l.recoveryPoint.Load() >= to {
		return nil
	}
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	if l.recoveryPoint.Load() >= to {
		return nil
	}
	return l.flushHolding(false)
}

// flushHolding does one flush. Call with flushMu held. closing also writes the active segment's indexes, trimmed.
func (l *Log) flushHolding(closing bool) error {
	l.mu.Lock()
	if err := l.Err(); err != nil {
		l.mu.Unlock()
		return err
	}
	w := l.collectLocked(closing)
	l.mu.Unlock()
	if err := l.doFlush(&w, true); err != nil {
		return l.fail("flush", err)
	}
	l.flushed(&w)
	return nil
}

// flushed moves what may move once the work is durable.
func (l *Log) flushed(w *flushWork) {
	for i := range w.segments {
		if w.segments[i].sealed {
			w.segments[i].seg.dropIndex()
		}
	}
	l.recoveryPoint.Store(w.target)
	l.lastFlushMs.Store(l.nowMs())
	if l.droppedSynced.Swap(w.dropped) != w.dropped {
		l.dir.startMoved()
	}
	l.dir.moved()
}

// flushTogether flushes many logs of one directory with one sync of its file system instead of several for each. The
// logs' flushMu are held meanwhile. With closing they are left as a clean stop leaves them. It returns the logs that
// are flushed, all or none.
func (d *Dir) flushTogether(logs []*Log, closing bool) error {
	work := make([]flushWork, 0, len(logs))
	held := make([]*Log, 0, len(logs))
	defer func() {
		for _, l := range held {
			l.flushMu.Unlock()
		}
	}()
	for _, l := range logs {
		l.flushMu.Lock()
		if l.failed.Load() != nil {
			l.flushMu.Unlock()
			continue
		}
		held = append(held, l)
		l.mu.Lock()
		w := l.collectLocked(closing)
		l.mu.Unlock()
		if err := l.doFlush(&w, false); err != nil {
			return l.fail("flush", err)
		}
		work = append(work, w)
	}
	if err := d.Err(); err != nil {
		return storageErr(err)
	}
	if err := d.flusher.Flush(); err != nil {
		err = fmt.Errorf("flush %s: %w", d.path, storageErr(err))
		d.fail(err)
		return err
	}
	for i, l := range held {
		l.flushed(&work[i])
	}
	return nil
}

func (l *Log) collectLocked(closing bool) flushWork {
	w := flushWork{target: l.logEnd.Load(), snapshots: l.pending, meta: l.metaDirty, dir: l.dirDirty || l.recovered, newDir: l.newDir || l.recovered,
		dropped: l.dropped.Load()}
	l.pending, l.metaDirty, l.dirDirty, l.newDir, l.recovered = nil, false, false, false, false
	if list, dirty := l.epochs.takeDirty(); dirty && l.made {
		w.epochs = encodeEpochs(list)
	} else if dirty {
		l.epochs.dirty = true // to be written when the directory is made
	}
	if !l.made {
		return w
	}
	list := l.segments()
	for i, seg := range list {
		if !seg.dirty && (!closing || seg.idx == nil) {
			continue
		}
		seg.dirty = false
		sw := segmentWork{seg: seg, sealed: closing || i < len(list)-1, isNew: seg.isNew}
		seg.isNew = false
		seg.mu.Lock()
		if x := seg.idx; x != nil {
			if closing && i == len(list)-1 {
				x.addTime(seg.base, seg.maxTimestamp, seg.maxOffset)
			}
			sw.offsets, sw.offsetsAt = x.offsets[x.written:], x.written
			sw.times, sw.timesAt = x.times[x.writtenTimes:], x.writtenTimes
			sw.size = !x.sized && !sw.sealed && len(x.offsets)+len(x.times) > 0
			x.written, x.writtenTimes = len(x.offsets), len(x.times)
			x.sized = x.sized || sw.size
		}
		for _, a := range seg.aborted[min(seg.txnWritten, len(seg.aborted)):] {
			sw.txns = a.appendTo(sw.txns)
		}
		sw.txnsAt = seg.txnWritten * abortedSize
		seg.txnWritten = len(seg.aborted)
		sw.txnCut, seg.txnCut = seg.txnCut, false
		seg.mu.Unlock()
		w.segments = append(w.segments, sw)
	}
	return w
}

// doFlush writes, and with sync makes durable, in an order that a crash may cut anywhere: data and what recovery
// needs first, the recovery point, moved by the caller, last. Without sync the caller syncs the file system.
func (l *Log) doFlush(w *flushWork, sync bool) error {
	for i := range w.segments {
		if err := l.flushSegment(&w.segments[i], sync); err != nil {
			return err
		}
	}
	for _, s := range w.snapshots {
		w.dir = true
		if err := vfs.WriteFile(l.files.fs, l.file(offsetName(s.offset, snapshotSuffix)), s.bytes, sync); err != nil {
			return err
		}
	}
	if w.epochs != nil {
		w.dir = true
		if err := vfs.WriteFile(l.files.fs, l.file(epochCheckpointName+tempSuffix), w.epochs, sync); err != nil {
			return err
		}
		if err := l.files.fs.Rename(l.file(epochCheckpointName+tempSuffix), l.file(epochCheckpointName)); err != nil {
			return err
		}
	}
	if !sync {
		return nil
	}
	if w.meta {
		if err := syncFile(l.files.fs, l.file(partitionMetaName)); err != nil {
			return err
		}
	}
	if w.dir {
		if err := l.files.fs.SyncDir(l.dirPath()); err != nil {
			return err
		}
		if w.newDir {
			return l.files.fs.SyncDir(path.Dir(l.dirPath()))
		}
	}
	return nil
}

func (l *Log) flushSegment(w *segmentWork, sync bool) error {
	seg := w.seg
	if sync {
		size, _ := seg.tail()
		f, err := l.files.acquire(&seg.file, seg.logName, size == 0) // an empty one has no file before its first append
		if err != nil {
			return err
		}
		err = f.Sync()
		seg.release()
		if err != nil {
			return err
		}
	}
	maxBytes := int64(0) // of a sealed segment's index: as long as its entries
	if w.size {
		maxBytes = int64(l.cfg.Load().SegmentIndexBytes)
	}
	if seg.inMemory() {
		if err := seg.writeIndex(indexSuffix, w.offsets, w.offsetsAt, w.sealed, maxBytes/offsetEntrySize*offsetEntrySize, sync); err != nil {
			return err
		}
		if err := seg.writeIndex(timeIndexSuffix, w.times, w.timesAt, w.sealed, maxBytes/timeEntrySize*timeEntrySize, sync); err != nil {
			return err
		}
	}
	if len(w.txns) > 0 || w.txnCut {
		f, err := l.files.fs.OpenFile(seg.path(txnIndexSuffix), os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		_, err = f.WriteAt(w.txns, int64(w.txnsAt))
		if err == nil {
			err = f.Truncate(int64(w.txnsAt + len(w.txns)))
		}
		if err == nil && sync {
			err = f.Sync()
		}
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dropIndex lets go of the indexes of a sealed segment when its files have all of them: from now on those are read.
func (seg *segment) dropIndex() {
	seg.mu.Lock()
	defer seg.mu.Unlock()
	if x := seg.idx; x != nil && x.written == len(x.offsets) && x.writtenTimes == len(x.times) {
		seg.idx = nil
	}
}

func (seg *segment) inMemory() bool {
	seg.mu.RLock()
	defer seg.mu.RUnlock()
	return seg.idx != nil
}

// writeIndex puts entries behind those the file has. A sealed segment's index is trimmed and synced; the active
// one's is only written, at its full size: after a crash it is made anew from the batches anyway.
func (seg *segment) writeIndex(suffix string, b []byte, at int, sealed bool, size int64, sync bool) (err error) {
	if len(b) == 0 && !sealed {
		return nil
	}
	f, err := seg.log.files.fs.OpenFile(seg.path(suffix), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if size > 0 {
		err = f.Truncate(size)
	}
	if len(b) > 0 && err == nil {
		_, err = f.WriteAt(b, int64(at))
	}
	if sealed && err == nil {
		err = f.Truncate(int64(at + len(b)))
		if err == nil && sync {
			err = f.Sync()
		}
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

func syncFile(fsys vfs.FS, name string) error {
	f, err := fsys.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = f.Sync()
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Close flushes the log and leaves its directory as a clean stop of Kafka does: indexes trimmed, a producer snapshot
// at the log end. The log serves nothing afterwards. An error means that the stop was not clean (L5).
func (l *Log) Close() error {
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	if l.failed.Load() != nil {
		return nil // closed, deleted or damaged: nothing of it may be called clean or changed
	}
	if err := l.dir.Err(); err != nil {
		l.closeFiles(errClosed)
		return err
	}
	var err error
	if l.prepareClose() {
		err = l.flushHolding(true)
	}
	l.closeFiles(errClosed)
	return err
}

// prepareClose readies a log for its last flush; false when nothing has changed since it was loaded.
func (l *Log) prepareClose() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.made || !l.warm && !l.queued && l.logEnd.Load() <= l.recoveryPoint.Load() {
		return false
	}
	l.producers.end = l.logEnd.Load()
	l.snapshotLocked()
	l.active().dirty = true
	return true
}

func (l *Log) closeFiles(why error) {
	l.failed.CompareAndSwap(nil, &why)
	for _, seg := range l.segments() {
		l.files.forget(&seg.file)
		seg.mu.RLock()
		files := seg.indexFiles
		seg.mu.RUnlock()
		if files != nil {
			l.files.forget(&files.offsets)
			l.files.forget(&files.times)
		}
	}
}
