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
	at, err := seg.floorOffset(math.MaxInt64)
	if err != nil {
		return 0, err
	}
	end := seg.base
	if _, err := seg.walk(f, at, seg.size, func(h record.Batch, _ int64) bool {
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
	if err := seg.loadIndex(f); err != nil {
		return err
	}
	seg.mu.Lock()
	_, err = seg.abortedLocked()
	seg.mu.Unlock()
	if err != nil {
		return err
	}
	end, ts, at, err := seg.endFromIndex(f)
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

// endFromIndex reads the batches from the last index entry on: where they end, and the largest timestamp with its offset.
func (seg *segment) endFromIndex(f vfs.File) (end, timestamp, at int64, err error) {
	last, err := seg.floorOffset(math.MaxInt64)
	if err != nil {
		return 0, 0, 0, err
	}
	end, timestamp, at = seg.base, seg.idx.lastTimestamp, seg.idx.lastTimestampOffset
	_, err = seg.walk(f, last, seg.size, func(h record.Batch, _ int64) bool {
		end = h.NextOffset()
		if h.MaxTimestamp() > timestamp {
			timestamp, at = h.MaxTimestamp(), h.LastOffset()
		}
		return true
	})
	return end, timestamp, at, err
}

// loadIndex brings the index files of a segment, whose log file is f, into memory; unusable ones are made anew. Their last
// entries must lead to their batches. One before them that does not is found when it is used.
func (seg *segment) loadIndex(f vfs.File) error {
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
	ok, err := seg.tells(f, x)
	if err != nil {
		return err
	}
	if !ok {
		return seg.rebuild()
	}
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

// tells says whether the last entries of an index that was read lead to their batches.
func (seg *segment) tells(f vfs.File, x *index) (ok bool, err error) {
	offsets := entries{mem: x.offsets, each: offsetEntrySize}
	last, _ := offsets.offsetAt(seg.base, offsets.len()-1)
	if last.offset >= 0 {
		var h [record.HeaderSize]byte
		if seg.size-last.pos < record.HeaderSize {
			return false, nil
		}
		if err := readFull(f, h[:], last.pos); err != nil {
			return false, err
		}
		if !seg.leads(last, record.Batch(h[:])) {
			return false, nil
		}
	}
	if seg.size > 0 && len(x.times) == 0 {
		return false, nil // nothing, or records without times
	}
	by, _ := offsets.floorOffset(seg.base, x.lastTimestampOffset)
	return seg.provesFrom(f, by, timeIndexEntry{x.lastTimestamp, x.lastTimestampOffset}, seg.size)
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
