package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/internal/vfs"
)

// IncrementLogStartOffset makes offset the first one that is served: DeleteRecords, or a follower after its leader.
// It is durable when the call returns (S5). A lower offset changes nothing; one above the high watermark is
// OFFSET_OUT_OF_RANGE.
func (l *Log) IncrementLogStartOffset(offset int64) error {
	l.mu.Lock()
	if err := l.usableLocked(); err != nil {
		l.mu.Unlock()
		return err
	}
	if hw := l.highWatermark.Load(); offset > hw {
		l.mu.Unlock()
		return fmt.Errorf("log start of %s cannot be %d, above the high watermark %d: %w", l.tp, offset, hw, kerr.OffsetOutOfRange)
	}
	moved := l.raiseStartLocked(offset)
	l.mu.Unlock()
	if !moved {
		return nil
	}
	if err := l.dir.writeLogStarts(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trimEpochsLocked()
}

func (l *Log) raiseStartLocked(offset int64) (moved bool) {
	if offset <= l.logStart.Load() {
		return false
	}
	l.logStart.Store(offset)
	l.txns.replicated(offset)
	return true
}

// trimEpochsLocked forgets epochs that ended below the log start. Only after the start is on the disk, or the records
// are gone: a crash must not find records whose epoch nobody knows.
func (l *Log) trimEpochsLocked() error {
	l.epochs.truncateStart(l.logStart.Load())
	return l.writeEpochsLocked()
}

// DeleteOldSegments applies retention.bytes, retention.ms and the log start to the log, on the broker's clock. Only
// segments wholly below the high watermark go. It returns how many.
func (l *Log) DeleteOldSegments() (int, error) {
	cfg := l.cfg.Load()
	l.mu.Lock()
	if err := l.usableLocked(); err != nil {
		l.mu.Unlock()
		return 0, err
	}
	list := l.segments()
	start, hw, now := l.logStart.Load(), l.highWatermark.Load(), l.nowMs()
	excess := int64(-1)
	if cfg.Delete && cfg.RetentionBytes >= 0 {
		excess = l.Size() - cfg.RetentionBytes
	}
	n := 0
	for i, seg := range list {
		size, end := seg.tail()
		last := i == len(list)-1
		if !last && size == 0 && end > start { // emptied by compaction: without an age of its own it goes with the next
			continue
		}
		if last && size == 0 || end > hw {
			break
		}
		gone := !last && end <= start || excess >= 0 && excess-size >= 0
		if !gone && cfg.Delete && cfg.RetentionMs >= 0 {
			ts, err := seg.largestTimestamp()
			if err != nil {
				l.mu.Unlock()
				return 0, fmt.Errorf("retention of %s: %w", l.tp, storageErr(err))
			}
			gone = now-ts > cfg.RetentionMs
		}
		if !gone {
			break
		}
		excess -= size
		n = i + 1
	}
	return l.deleteFirstUnlock(n)
}

// DeleteSegmentsBefore drops the segments that lie wholly below offset, up to the high watermark.
func (l *Log) DeleteSegmentsBefore(offset int64) (int, error) {
	l.mu.Lock()
	if err := l.usableLocked(); err != nil {
		l.mu.Unlock()
		return 0, err
	}
	list := l.segments()
	n := 0
	for n < len(list)-1 {
		if _, end := list[n].tail(); end > min(offset, l.highWatermark.Load()) {
			break
		}
		n++
	}
	return l.deleteFirstUnlock(n)
}

// deleteFirstUnlock drops the first n segments. Call with mu held; it is released before the checkpoint is written.
func (l *Log) deleteFirstUnlock(n int) (int, error) {
	if n == 0 {
		l.mu.Unlock()
		return 0, nil
	}
	list := l.segments()
	if n == len(list) { // a log always has an active segment
		if err := l.warmLocked(); err != nil {
			l.mu.Unlock()
			return 0, err
		}
		if _, err := l.rollLocked(l.logEnd.Load()); err != nil {
			l.mu.Unlock()
			return 0, err
		}
		list = l.segments()
	}
	l.shape.Add(1)
	l.dropped.Add(1)
	gone := list[:n]
	l.setSegments(slices.Clone(list[n:]))
	l.raiseStartLocked(list[n].base)
	var snapshots []int64
	l.snapshots = slices.DeleteFunc(l.snapshots, func(at int64) bool {
		if at < list[n].base {
			snapshots = append(snapshots, at)
			return true
		}
		return false
	})
	l.pending = slices.DeleteFunc(l.pending, func(p pendingSnapshot) bool { return p.offset < list[n].base })
	l.retireSnapshots(snapshots)
	l.retire(gone)
	l.queueLocked(0)
	err := l.trimEpochsLocked()
	l.mu.Unlock()
	if err != nil {
		return 0, err
	}
	// Without this line a crash would find the log start at the first segment that is left, which is the same.
	l.dir.startMoved()
	return n, nil
}

// retire renames the files of segments that left the list and hands them over for removal after file.delete.delay.ms.
// Readers that hold a Slice keep the open file (L14).
func (l *Log) retire(gone []*segment) {
	for _, seg := range gone {
		l.files.retire(&seg.file)
		seg.mu.Lock()
		if seg.indexFiles == nil {
			seg.indexFiles = new(indexFiles)
		}
		files := seg.indexFiles
		seg.mu.Unlock()
		l.files.retire(&files.offsets)
		l.files.retire(&files.times)
		for _, suffix := range segmentSuffixes {
			l.retireFile(seg.path(suffix))
		}
	}
	l.dirDirty = l.dirDirty || len(gone) > 0
}

func (l *Log) retireSnapshots(offsets []int64) {
	for _, at := range offsets {
		l.retireFile(l.file(offsetName(at, snapshotSuffix)))
	}
}

func (l *Log) retireFile(name string) {
	if !l.made {
		return
	}
	err := l.files.fs.Rename(name, name+deletedSuffix)
	switch {
	case isNotExist(err):
	case err != nil:
		_ = l.fail("delete files of", err) // the directory is offline, which is all there is to say
	case l.store != nil:
		l.store.removeLater(name+deletedSuffix, l.cfg.Load().FileDeleteDelayMs)
	default:
		if err := l.files.fs.Remove(name + deletedSuffix); err != nil {
			_ = l.fail("delete files of", err)
		}
	}
}

func truncateFile(fsys vfs.FS, name string, size int64) error {
	f, err := fsys.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = f.Truncate(size)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
