package storage

import (
	"fmt"

	"github.com/dohle-io/dohle/protocol/record"
)

func (seg *segment) floorOffset(target int64) (pos int64, err error) {
	err = seg.withEntries(false, func(e entries) error {
		pos, err = e.floorOffset(seg.base, target)
		return err
	})
	return pos, err
}

func (seg *segment) floorPosition(limit int64) (pos int64, err error) {
	err = seg.withEntries(false, func(e entries) error {
		pos, err = e.floorPosition(limit)
		return err
	})
	return pos, err
}

func (seg *segment) floorTime(target int64) (offset int64, err error) {
	err = seg.withEntries(true, func(e entries) error {
		offset, err = e.floorTime(seg.base, target)
		return err
	})
	return offset, err
}

// withEntries calls fn with the offset index or the time index, wherever it is. An index file that is damaged is
// made anew in memory first.
func (seg *segment) withEntries(times bool, fn func(entries) error) error {
	seg.mu.RLock()
	if seg.idx != nil {
		defer seg.mu.RUnlock()
		if times {
			return fn(entries{mem: seg.idx.times, each: timeEntrySize})
		}
		return fn(entries{mem: seg.idx.offsets, each: offsetEntrySize})
	}
	files := seg.indexFiles
	seg.mu.RUnlock()
	if files == nil {
		seg.mu.Lock()
		if seg.indexFiles == nil {
			seg.indexFiles = new(indexFiles)
		}
		files = seg.indexFiles
		seg.mu.Unlock()
	}
	h, suffix, each := &files.offsets, indexSuffix, offsetEntrySize
	if times {
		h, suffix, each = &files.times, timeIndexSuffix, timeEntrySize
	}
	f, err := seg.log.files.acquire(h, func() string { return seg.path(suffix) }, false)
	if err == nil {
		defer seg.log.files.release(h)
		var size int64
		if size, err = f.Size(); err == nil {
			e := entries{file: f, size: size, each: each}
			if e.sane() {
				return fn(e)
			}
		}
	}
	if err != nil && !isNotExist(err) {
		return err
	}
	if err := seg.rebuild(); err != nil {
		return err
	}
	return seg.withEntries(times, fn)
}

// sane looks at the ends of an index file: whole entries, and no zeros left from a preallocation at its end (L5).
func (e entries) sane() bool {
	if e.size%int64(e.each) != 0 {
		return false
	}
	n := e.len()
	if n == 0 {
		return true
	}
	last, err := e.at(n - 1)
	return err == nil && last != [timeEntrySize]byte{}
}

// rebuild makes the indexes of a sealed segment anew from its batches. They stay in memory until the log is closed.
func (seg *segment) rebuild() error {
	size, _ := seg.tail()
	f, err := seg.acquire()
	if err != nil {
		return err
	}
	defer seg.release()
	b := newIndexBuilder(seg, seg.log.cfg.Load().IndexIntervalBytes)
	if end, err := headers(seg.logName(), f, 0, size, func(h record.Batch, pos int64) bool {
		b.add(h, pos)
		return true
	}); err != nil || end != size {
		return &CorruptError{seg.logName(), end, fmt.Sprintf("while its index was rebuilt: %v", err)}
	}
	seg.mu.Lock()
	defer seg.mu.Unlock()
	if seg.idx == nil {
		b.finish()
		seg.idx, seg.maxTimestamp, seg.maxOffset = b.idx, b.maxTimestamp, b.maxOffset
	}
	return nil
}

// indexBuilder makes the entries of a segment batch by batch, at the places where Kafka makes them: before a batch
// when more than index.interval.bytes have passed since the last entry.
type indexBuilder struct {
	idx          *index
	base         int64
	interval     int
	maxTimestamp int64
	maxOffset    int64
}

func newIndexBuilder(seg *segment, interval int32) *indexBuilder {
	return &indexBuilder{idx: newIndex(seg.base), base: seg.base, interval: int(interval), maxTimestamp: -1, maxOffset: seg.base}
}

func (b *indexBuilder) add(h record.Batch, pos int64) {
	if ts := h.MaxTimestamp(); ts > b.maxTimestamp {
		b.maxTimestamp, b.maxOffset = ts, h.LastOffset()
	}
	if b.idx.sinceEntry > b.interval {
		b.idx.addOffset(uint32(h.LastOffset()-b.base), uint32(pos))
		b.idx.addTime(b.base, b.maxTimestamp, b.maxOffset)
	}
	b.idx.sinceEntry += h.Size()
}

// finish adds the last time entry, which every sealed segment has.
func (b *indexBuilder) finish() {
	b.idx.addTime(b.base, b.maxTimestamp, b.maxOffset)
	b.idx.sinceEntry = 0
}
