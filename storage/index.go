package storage

import (
	"encoding/binary"
	"sort"
	"sync"

	"github.com/dohle-io/dohle/internal/vfs"
)

// Entry sizes on disk; the layouts stand in FORMAT.md.
const (
	offsetEntrySize = 8  // relative offset uint32, position uint32
	timeEntrySize   = 12 // timestamp int64, relative offset uint32
)

// index holds the offset index and the time index of one segment in memory, as the bytes their files will have.
// The active segment and segments whose files are not written yet have one; others read their files.
// Guarded by segment.mu; only the holder of Log.mu changes it.
type index struct {
	offsets []byte
	times   []byte

	lastTimestamp       int64 // of the last time entry, -1 when there is none
	lastTimestampOffset int64
	sinceEntry          int // bytes appended since the last entry

	written      int // bytes of offsets already in the file
	writtenTimes int
	sized        bool // the files exist, at their full preallocated size
}

func newIndex(base int64) *index { return &index{lastTimestamp: -1, lastTimestampOffset: base} }

func (x *index) addOffset(rel uint32, pos uint32) {
	x.offsets = binary.BigEndian.AppendUint32(x.offsets, rel)
	x.offsets = binary.BigEndian.AppendUint32(x.offsets, pos)
	x.sinceEntry = 0
}

// addTime notes that offset is the last offset of the batch with the largest timestamp so far. Nothing happens when
// the timestamp did not rise: entries are strictly increasing.
func (x *index) addTime(base, timestamp, offset int64) {
	if timestamp <= x.lastTimestamp {
		return
	}
	x.times = binary.BigEndian.AppendUint64(x.times, uint64(timestamp))
	x.times = binary.BigEndian.AppendUint32(x.times, uint32(offset-base))
	x.lastTimestamp, x.lastTimestampOffset = timestamp, offset
}

// full says that the segment must be rolled; the last place of the time index is kept for the roll.
func (x *index) full(maxBytes int32) bool {
	return len(x.offsets)/offsetEntrySize >= int(maxBytes)/offsetEntrySize ||
		len(x.times)/timeEntrySize >= int(maxBytes)/timeEntrySize-1
}

// truncate drops what lies at or after offset, as Kafka does: an entry that names the offset goes too.
func (x *index) truncate(base, offset int64) {
	rel := offset - base
	keep := sort.Search(len(x.offsets)/offsetEntrySize, func(i int) bool {
		return int64(binary.BigEndian.Uint32(x.offsets[i*offsetEntrySize:])) >= rel
	})
	x.offsets = x.offsets[:keep*offsetEntrySize]
	keep = sort.Search(len(x.times)/timeEntrySize, func(i int) bool {
		return int64(binary.BigEndian.Uint32(x.times[i*timeEntrySize+8:])) >= rel
	})
	x.times = x.times[:keep*timeEntrySize]
	x.written, x.writtenTimes = min(x.written, len(x.offsets)), min(x.writtenTimes, len(x.times))
	x.sinceEntry = 0
	x.setLastTime(base)
}

func (x *index) setLastTime(base int64) {
	x.lastTimestamp, x.lastTimestampOffset = -1, base
	if n := len(x.times); n >= timeEntrySize {
		e := x.times[n-timeEntrySize:]
		x.lastTimestamp = int64(binary.BigEndian.Uint64(e))
		x.lastTimestampOffset = base + int64(binary.BigEndian.Uint32(e[8:]))
	}
}

// entries is one of the two indexes, in memory or in a file of size bytes.
type entries struct {
	mem  []byte
	file vfs.File
	size int64
	each int // entry size
}

func (e entries) len() int {
	if e.file != nil {
		return int(e.size) / e.each
	}
	return len(e.mem) / e.each
}

// blockEntries is how many entries a search in a file reads at once for its last steps.
const blockEntries = 340 // 340 * 12 = 4080 bytes

// search returns the first i in [0, len) for which f(entry) is true, by halving.
func (e entries) search(f func(entry []byte) bool) (int, error) {
	if e.file == nil {
		return sort.Search(e.len(), func(i int) bool { return f(e.mem[i*e.each:]) }), nil
	}
	buf := scratch.Get().(*[scratchSize]byte)
	defer scratch.Put(buf)
	lo, hi := 0, e.len()
	for hi-lo > blockEntries {
		mid := lo + (hi-lo)/2
		if err := readFull(e.file, buf[:e.each], int64(mid*e.each)); err != nil {
			return 0, err
		}
		if f(buf[:e.each]) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	block := buf[:(hi-lo)*e.each]
	if err := readFull(e.file, block, int64(lo*e.each)); err != nil {
		return 0, err
	}
	return lo + sort.Search(hi-lo, func(i int) bool { return f(block[i*e.each:]) }), nil
}

// at copies entry i.
func (e entries) at(i int) (out [timeEntrySize]byte, err error) {
	if e.file == nil {
		copy(out[:], e.mem[i*e.each:(i+1)*e.each])
		return out, nil
	}
	buf := scratch.Get().(*[scratchSize]byte)
	defer scratch.Put(buf)
	err = readFull(e.file, buf[:e.each], int64(i*e.each))
	copy(out[:], buf[:e.each])
	return out, err
}

// offsetIndexEntry is an entry of an offset index: the batch that ends with offset starts at pos. Without one the start of the
// segment, with offset -1. What it says is only believed when the batch says so too, see segment.walk.
type offsetIndexEntry struct{ offset, pos int64 }

// timeIndexEntry is an entry of a time index. Without one it is (-1, base).
type timeIndexEntry struct{ timestamp, offset int64 }

// floorOffset is the last entry whose offset is at most target.
func (e entries) floorOffset(base, target int64) (offsetIndexEntry, error) {
	i, err := e.search(func(b []byte) bool { return base+int64(binary.BigEndian.Uint32(b)) > target })
	if err != nil {
		return offsetIndexEntry{-1, 0}, err
	}
	return e.offsetAt(base, i-1)
}

// floorPosition is the last entry whose position is at most limit.
func (e entries) floorPosition(base, limit int64) (offsetIndexEntry, error) {
	i, err := e.search(func(b []byte) bool { return int64(binary.BigEndian.Uint32(b[4:])) > limit })
	if err != nil {
		return offsetIndexEntry{-1, 0}, err
	}
	return e.offsetAt(base, i-1)
}

func (e entries) offsetAt(base int64, i int) (offsetIndexEntry, error) {
	if i < 0 {
		return offsetIndexEntry{-1, 0}, nil
	}
	b, err := e.at(i)
	return offsetIndexEntry{base + int64(binary.BigEndian.Uint32(b[:])), int64(binary.BigEndian.Uint32(b[4:]))}, err
}

// floorTime is the last time entry whose timestamp is below target. Batches after its offset are the first that can hold
// a record with at least that timestamp.
func (e entries) floorTime(base, target int64) (timeIndexEntry, error) {
	i, err := e.search(func(b []byte) bool { return int64(binary.BigEndian.Uint64(b)) >= target })
	if err != nil {
		return timeIndexEntry{-1, base}, err
	}
	return e.timeAt(base, i-1)
}

func (e entries) timeAt(base int64, i int) (timeIndexEntry, error) {
	if i < 0 {
		return timeIndexEntry{-1, base}, nil
	}
	b, err := e.at(i)
	return timeIndexEntry{beInt64(b[:]), base + int64(beUint32(b[8:]))}, err
}

// scratchSize covers a window of a batch scan and a block of an index search.
const scratchSize = 8 << 10

// scratch holds bytes only, so a pool outside the broker's value does no harm.
var scratch = sync.Pool{New: func() any { return new([scratchSize]byte) }}
