package storage

import (
	"fmt"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

func (seg *segment) floorOffset(target int64) (at offsetIndexEntry, err error) {
	err = seg.withEntries(false, func(e entries) error {
		at, err = e.floorOffset(seg.base, target)
		return err
	})
	return at, err
}

func (seg *segment) floorPosition(limit int64) (at offsetIndexEntry, err error) {
	err = seg.withEntries(false, func(e entries) error {
		at, err = e.floorPosition(seg.base, limit)
		return err
	})
	return at, err
}

// floorTime is the offset from which on a record with at least the timestamp target can be.
func (seg *segment) floorTime(target int64) (int64, error) {
	var at timeIndexEntry
	err := seg.withEntries(true, func(e entries) (err error) {
		at, err = e.floorTime(seg.base, target)
		return err
	})
	if err != nil {
		return 0, err
	}
	if ok, err := seg.proves(at); !ok || err != nil {
		return seg.base, err
	}
	return at.offset, nil
}

// leads says whether an entry of the offset index can name the batch where it points to: that ends at its offset. Or before
// it: Apache Kafka 3 names the end of the whole append, which at a follower has several batches, at the place of the first.
func (seg *segment) leads(at offsetIndexEntry, h record.Batch) bool {
	last := h.LastOffset()
	if last == at.offset {
		return true
	}
	_, end := seg.tail()
	return last < at.offset && at.offset < end
}

// walk is headers from an index entry on. The batch there must be the one that the entry names: an index file of
// something else, or with a damaged entry, would hide records. If it is not, the walk begins at the start of the segment,
// and a sealed segment gets a new index.
func (seg *segment) walk(f vfs.File, at offsetIndexEntry, limit int64, visit func(h record.Batch, pos int64) bool) (int64, error) {
	if at.offset < 0 {
		return headers(seg.logName(), f, 0, limit, visit)
	}
	first, wrong := true, at.pos >= limit
	if wrong && seg.inMemory() {
		return limit, nil // appended after the caller looked at the size
	}
	if !wrong {
		pos, err := headers(seg.logName(), f, at.pos, limit, func(h record.Batch, pos int64) bool {
			if first && !seg.leads(at, h) {
				wrong = true
				return false
			}
			first = false
			return visit(h, pos)
		})
		if !wrong && !(first && isCorrupt(err)) {
			return pos, err
		}
	}
	seg.log.logger.Warn().Str("partition", seg.log.name).Int64("segment", seg.base).Int64("offset", at.offset).Int64("position", at.pos).
		Msg("an index entry does not lead to its batch, the index is not believed")
	if !seg.inMemory() {
		if err := seg.rebuild(); err != nil {
			return 0, err
		}
	}
	return headers(seg.logName(), f, 0, limit, visit)
}

// startAt is the position of a batch at or before the one that holds offset.
func (seg *segment) startAt(offset int64) (pos int64, err error) {
	at, err := seg.floorOffset(offset)
	if err != nil {
		return 0, err
	}
	f, err := seg.acquire()
	if err != nil {
		return 0, err
	}
	defer seg.release()
	size, _ := seg.tail()
	_, err = seg.walk(f, at, size, func(_ record.Batch, p int64) bool { pos = p; return false })
	return pos, err
}

// proves looks at the batch that a time entry names: it must have that timestamp.
func (seg *segment) proves(at timeIndexEntry) (ok bool, err error) {
	size, _ := seg.tail()
	if at.timestamp < 0 || size == 0 {
		return size == 0 || at.offset == seg.base, nil
	}
	f, err := seg.acquire()
	if err != nil {
		return false, err
	}
	defer seg.release()
	by, err := seg.floorOffset(at.offset)
	if err != nil {
		return false, err
	}
	return seg.provesFrom(f, by, at, size)
}

func (seg *segment) provesFrom(f vfs.File, by offsetIndexEntry, at timeIndexEntry, size int64) (ok bool, err error) {
	_, err = seg.walk(f, by, size, func(h record.Batch, _ int64) bool {
		if h.LastOffset() < at.offset {
			return true
		}
		ok = h.BaseOffset() <= at.offset && h.MaxTimestamp() == at.timestamp
		return false
	})
	return ok, err
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
