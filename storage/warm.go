package storage

import (
	"fmt"
	"math"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

// readEnd finds the end of a segment from its last index entry on.
func (seg *segment) readEnd() (int64, error) {
	f, err := seg.acquire()
	if err != nil {
		return 0, err
	}
	defer seg.release()
	pos, err := seg.floorOffset(math.MaxInt64)
	if err != nil {
		return 0, err
	}
	end := seg.base
	if _, err := headers(seg.logName(), f, pos, seg.size, func(h record.Batch, _ int64) bool {
		end = h.NextOffset()
		return true
	}); err != nil {
		return 0, err
	}
	return end, nil
}

// warmLocked makes the active segment ready for an append or a truncation: its index in memory, its end checked
// against its batches, the time of its first batch known.
func (l *Log) warmLocked() error {
	if l.warm {
		return nil
	}
	seg := l.active()
	if seg.size == 0 {
		seg.mu.Lock()
		seg.idx = newIndex(seg.base)
		seg.maxTimestamp, seg.maxOffset, seg.rollBase = -1, seg.base, -1
		seg.mu.Unlock()
		l.warm = true
		return nil
	}
	if err := seg.warmUp(); err != nil {
		err = fmt.Errorf("%s: %w", l.tp, storageErr(err))
		if damage, ok := asCorrupt(err); ok {
			l.logger.Error().Err(damage).Str("partition", l.name).Msg("the log is damaged and serves nothing")
			l.failed.CompareAndSwap(nil, &err)
			return err
		}
		return l.fail("read", err)
	}
	l.warm = true
	return nil
}

func (seg *segment) warmUp() error {
	f, err := seg.acquire()
	if err != nil {
		return err
	}
	defer seg.release()
	if err := seg.loadIndex(); err != nil {
		return err
	}
	seg.mu.Lock()
	_, err = seg.abortedLocked()
	seg.mu.Unlock()
	if err != nil {
		return err
	}
	end, ts, at, pos, err := seg.endFromIndex(f)
	if _, damage := asCorrupt(err); pos > 0 && (damage || err == nil && end != seg.end) {
		// An index entry that leads nowhere looks like a damaged log. All batches from the first one on tell which it is.
		seg.mu.Lock()
		seg.idx = nil
		seg.mu.Unlock()
		if err := seg.rebuild(); err != nil {
			return err
		}
		end, ts, at, _, err = seg.endFromIndex(f)
	}
	if err != nil {
		return err
	}
	if end != seg.end {
		return &CorruptError{seg.logName(), -1, fmt.Sprintf("ends at offset %d, but the checkpoint of the last clean stop says %d", end, seg.end)}
	}
	if _, err := headers(seg.logName(), f, 0, seg.size, func(h record.Batch, _ int64) bool {
		seg.rollBase = h.MaxTimestamp()
		return false
	}); err != nil {
		return err
	}
	seg.mu.Lock()
	defer seg.mu.Unlock()
	seg.maxTimestamp, seg.maxOffset = ts, at
	return nil
}

// endFromIndex reads the batches from the last index entry at pos on: where they end, and the largest timestamp with its
// offset.
func (seg *segment) endFromIndex(f vfs.File) (end, timestamp, at, pos int64, err error) {
	if pos, err = seg.floorOffset(math.MaxInt64); err != nil {
		return 0, 0, 0, 0, err
	}
	end, timestamp, at = seg.base, seg.idx.lastTimestamp, seg.idx.lastTimestampOffset
	_, err = headers(seg.logName(), f, pos, seg.size, func(h record.Batch, _ int64) bool {
		end = h.NextOffset()
		if h.MaxTimestamp() > timestamp {
			timestamp, at = h.MaxTimestamp(), h.LastOffset()
		}
		return true
	})
	return end, timestamp, at, pos, err
}

// loadIndex brings the index files of a segment into memory; unusable ones are made anew.
func (seg *segment) loadIndex() error {
	if seg.inMemory() {
		return nil
	}
	fsys := seg.log.files.fs
	offsets, err1 := vfs.ReadFile(fsys, seg.path(indexSuffix), math.MaxInt32)
	times, err2 := vfs.ReadFile(fsys, seg.path(timeIndexSuffix), math.MaxInt32)
	if err1 != nil || err2 != nil || !indexFits(offsets, times, seg.size) {
		return seg.rebuild()
	}
	x := newIndex(seg.base)
	x.offsets, x.times = offsets, times
	x.written, x.writtenTimes = len(offsets), len(times)
	x.setLastTime(seg.base)
	seg.mu.Lock()
	defer seg.mu.Unlock()
	if seg.idx == nil {
		seg.idx = x
	}
	if seg.indexFiles != nil {
		seg.log.files.forget(&seg.indexFiles.offsets)
		seg.log.files.forget(&seg.indexFiles.times)
	}
	return nil
}

// indexFits checks whole index files: sizes, order, and positions inside the segment.
func indexFits(offsets, times []byte, size int64) bool {
	if len(offsets)%offsetEntrySize != 0 || len(times)%timeEntrySize != 0 {
		return false
	}
	lastOffset, lastPos := int64(-1), int64(-1)
	for e := offsets; len(e) > 0; e = e[offsetEntrySize:] {
		offset, pos := int64(beUint32(e)), int64(beUint32(e[4:]))
		if offset <= lastOffset || pos <= lastPos || pos >= size {
			return false
		}
		lastOffset, lastPos = offset, pos
	}
	lastTime, lastOffset := int64(math.MinInt64), int64(-1)
	for e := times; len(e) > 0; e = e[timeEntrySize:] {
		ts, offset := beInt64(e), int64(beUint32(e[8:]))
		if ts <= lastTime || offset < lastOffset {
			return false
		}
		lastTime, lastOffset = ts, offset
	}
	return true
}
