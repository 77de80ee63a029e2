package storage

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

// segment is a run of batches in one file with its indexes. Only the last segment of a log, the active one, grows.
//
// Invariant: bytes [0, size) of the file are whole batches with rising offsets in [base, end).
type segment struct {
	log  *Log
	base int64
	file handle // the .log

	cuts atomic.Uint32 // truncations so far: a Slice made before one does not read after it

	mu           sync.RWMutex // held for memory only, but for the load of a transaction index
	size         int64
	end          int64  // offset after the last batch; of a sealed segment the next one's base
	idx          *index // nil: the indexes are in their files
	indexFiles   *indexFiles
	maxTimestamp int64 // largest timestamp, -1 none, unknownTimestamp: not read yet
	maxOffset    int64 // last offset of the first batch that has it
	aborted      []AbortedTxn
	txnOnDisk    bool // aborted must be read first
	txnWritten   int  // entries of aborted already in the file
	txnCut       bool // the file was cut and not synced since: entries must not come back
	recent       *recent
	cursors      *[cursorCount]cursor
	nextCursor   int

	// Owner: Log.mu.
	dirty    bool  // holds bytes or index entries that no flush has taken
	isNew    bool  // its directory entry is not durable
	rollBase int64 // timestamp of the first batch, -1 none, unknownTimestamp: not read yet
	created  int64 // broker time in ms when the first byte was written or the log was opened
	jitter   int64 // ms by which it rolls early
}

const unknownTimestamp = -2

// indexFiles are the open index files of a sealed segment, made at the first lookup.
type indexFiles struct{ offsets, times handle }

// recent remembers where the last appended batches lie, so that a consumer at the tail costs no index and no scan.
type recent struct {
	list [16]struct{ base, last, pos int64 }
	n    int // batches ever noted; the newest stands at (n-1) % len
}

// cursor remembers that a batch with this base offset starts at pos: where some sequential reader goes on.
type cursor struct{ base, pos int64 }

const cursorCount = 4

func newSegment(l *Log, base int64) *segment {
	return &segment{log: l, base: base, end: base, maxTimestamp: -1, maxOffset: base, rollBase: -1,
		created: l.nowMs(), jitter: l.jitter()}
}

func (seg *segment) path(suffix string) string {
	return seg.log.dirPath() + "/" + offsetName(seg.base, suffix)
}

func (seg *segment) logName() string { return seg.path(logSuffix) }

// acquire pins the log file. Release with log.files.release(&seg.file).
func (seg *segment) acquire() (vfs.File, error) {
	return seg.log.files.acquire(&seg.file, seg.logName, false)
}

func (seg *segment) release() { seg.log.files.release(&seg.file) }

// tail is the size and the end offset, as one moment.
func (seg *segment) tail() (size, end int64) {
	seg.mu.RLock()
	defer seg.mu.RUnlock()
	return seg.size, seg.end
}

// floorSegment is the position in list of the last segment with a base of at most offset; -1 when all start above.
func floorSegment(list []*segment, offset int64) int {
	return sort.Search(len(list), func(i int) bool { return list[i].base > offset }) - 1
}

// place is where a batch lies.
type place struct {
	pos, base int64
	size      int64 // bytes of the batch, 0: not known
}

// find places the first batch whose last offset is at least offset. pos is limit when there is none below limit,
// which must be a size of the segment. f is the pinned log file.
func (seg *segment) find(f vfs.File, offset, limit int64) (place, error) {
	if p, ok := seg.findRecent(offset, limit); ok {
		return p, nil
	}
	at, err := seg.floorOffset(offset)
	if err != nil {
		return place{}, err
	}
	p := place{pos: limit, base: -1}
	end, err := seg.walk(f, at, limit, func(h record.Batch, pos int64) bool {
		if h.LastOffset() < offset {
			return true
		}
		p = place{pos, h.BaseOffset(), int64(h.Size())}
		return false
	})
	if err != nil {
		return p, err
	}
	p.pos = end
	return p, nil
}

func (seg *segment) findRecent(offset, limit int64) (place, bool) {
	seg.mu.RLock()
	defer seg.mu.RUnlock()
	if r := seg.recent; r != nil {
		next := place{pos: seg.size, base: -1}
		for i := r.n - 1; i >= max(0, r.n-len(r.list)); i-- {
			e := &r.list[i%len(r.list)]
			if e.last < offset {
				if next.pos > limit { // appended after the caller looked at the size
					break
				}
				return next, true
			}
			size := next.pos - e.pos
			next = place{e.pos, e.base, size}
			if e.base <= offset {
				return next, next.pos <= limit
			}
		}
	}
	if seg.cursors != nil {
		for _, c := range seg.cursors {
			if c.base == offset && c.pos < limit && c.pos > 0 {
				return place{c.pos, c.base, 0}, true
			}
		}
	}
	return place{}, false
}

// cutBefore places the end of the last batch that lies wholly in [start, limit), given that start is the start of a
// batch of at most limit-start bytes, and limit is below size. base is that of the batch after it.
func (seg *segment) cutBefore(f vfs.File, start, limit, size int64) (place, error) {
	seg.mu.RLock()
	if r := seg.recent; r != nil {
		for i := r.n - 1; i >= max(0, r.n-len(r.list)); i-- {
			if e := &r.list[i%len(r.list)]; e.pos <= limit {
				p := place{e.pos, e.base, 0}
				seg.mu.RUnlock()
				return p, nil
			}
		}
	}
	seg.mu.RUnlock()
	at, err := seg.floorPosition(limit)
	if err != nil {
		return place{}, err
	}
	p := place{base: -1}
	visit := func(h record.Batch, pos int64) bool {
		if pos+int64(h.Size()) <= limit {
			return true
		}
		p.base = h.BaseOffset()
		return false
	}
	if at.pos <= start {
		p.pos, err = headers(seg.logName(), f, start, size, visit)
	} else {
		p.pos, err = seg.walk(f, at, size, visit)
	}
	return p, err
}

// remember keeps the place where a reader will go on.
func (seg *segment) remember(p place) {
	if p.base < 0 || !seg.mu.TryLock() {
		return
	}
	if seg.cursors == nil {
		seg.cursors = new([cursorCount]cursor)
	}
	seg.cursors[seg.nextCursor%cursorCount] = cursor{p.base, p.pos}
	seg.nextCursor++
	seg.mu.Unlock()
}

// note publishes one appended batch. Call with seg.mu held; the caller moves size and end when all are noted.
func (seg *segment) note(h record.Batch, pos int64, interval int) {
	if ts := h.MaxTimestamp(); ts > seg.maxTimestamp {
		seg.maxTimestamp, seg.maxOffset = ts, h.LastOffset()
	}
	if seg.idx.sinceEntry > interval {
		seg.idx.addOffset(uint32(h.LastOffset()-seg.base), uint32(pos))
		seg.idx.addTime(seg.base, seg.maxTimestamp, seg.maxOffset)
	}
	seg.idx.sinceEntry += h.Size()
	if seg.recent == nil {
		seg.recent = new(recent)
	}
	r := seg.recent
	r.list[r.n%len(r.list)] = struct{ base, last, pos int64 }{h.BaseOffset(), h.LastOffset(), pos}
	r.n++
}

// largestTimestamp is what retention goes by: the largest record timestamp, or the file's time when no record has one.
func (seg *segment) largestTimestamp() (int64, error) {
	ts, _, err := seg.maxTimestampOffset()
	if err != nil || ts >= 0 {
		return ts, err
	}
	at, err := seg.modTime()
	if err == nil && at.IsZero() {
		return seg.log.nowMs(), nil // a disk without times: never too old
	}
	return at.UnixMilli(), err
}

// modTime is when the records' file was last written, as the disk says; zero where it does not.
func (seg *segment) modTime() (time.Time, error) {
	info, err := seg.log.files.fs.Stat(seg.logName())
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// maxTimestampOffset is the largest timestamp and the last offset of the first batch that has it; (-1, base) without.
func (seg *segment) maxTimestampOffset() (ts, offset int64, err error) {
	seg.mu.RLock()
	ts, offset = seg.maxTimestamp, seg.maxOffset
	seg.mu.RUnlock()
	if ts != unknownTimestamp {
		return ts, offset, nil
	}
	var last timeIndexEntry
	if err = seg.withEntries(true, func(e entries) (err error) {
		last, err = e.timeAt(seg.base, e.len()-1)
		return err
	}); err != nil {
		return 0, 0, err
	}
	// Retention goes by it, so it is not just believed. A sealed segment without a time has records without one.
	ok, err := seg.proves(last)
	if size, _ := seg.tail(); err == nil && (!ok || last.timestamp < 0 && size > 0) {
		err = seg.rebuild()
	}
	if err != nil {
		return 0, 0, err
	}
	seg.mu.Lock()
	defer seg.mu.Unlock()
	if seg.maxTimestamp == unknownTimestamp {
		seg.maxTimestamp, seg.maxOffset = last.timestamp, last.offset
	}
	return seg.maxTimestamp, seg.maxOffset, nil
}
