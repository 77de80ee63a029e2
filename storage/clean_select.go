package storage

import "math"

// What is decided before a log is cleaned: pure functions of numbers.

// segmentFacts is what the choice needs to know of one segment. Timestamps are in ms.
type segmentFacts struct {
	base, size       int64
	index, timeIndex int64 // bytes of entries
	firstTimestamp   int64 // of the first batch; only asked with a maximum lag
	largestTimestamp int64 // only asked with a minimum lag
}

// logFacts are the numbers of one compacted log. The last segment is the active one.
type logFacts struct {
	segments   []segmentFacts
	logStart   int64
	logEnd     int64
	lastStable int64
	checkpoint int64 // end of the last pass, -1: none yet
}

// cleanRange is what a pass may do: records in [firstDirty, upper) have not been cleaned; upper is the base of a segment.
type cleanRange struct {
	firstDirty, upper      int64
	reset                  bool // the checkpoint was of no use
	cleanBytes, dirtyBytes int64
	overdueMs              int64 // by how much the oldest dirty segment is past the maximum lag
	minRatio               float64
}

// ratio is the share of dirty bytes.
func (r cleanRange) ratio() float64 {
	if total := r.cleanBytes + r.dirtyBytes; total > 0 {
		return float64(r.dirtyBytes) / float64(total)
	}
	return 0
}

// due says whether the log is to be cleaned now.
func (r cleanRange) due() bool {
	return r.cleanBytes+r.dirtyBytes > 0 && (r.overdueMs > 0 && r.dirtyBytes > 0 || r.ratio() > r.minRatio)
}

// cleanable finds the range of a pass (C2): never the active segment, never at or above the last stable offset, which
// is at most the high watermark, never a segment with a record younger than the minimum lag, nor one behind it. A
// checkpoint outside the log is dropped (C6).
func cleanable(f *logFacts, c *LogConfig, nowMs int64) cleanRange {
	r := cleanRange{firstDirty: f.checkpoint, minRatio: c.MinCleanableRatio}
	if f.checkpoint < 0 {
		r.firstDirty = f.logStart
	} else if f.checkpoint < f.logStart || f.checkpoint > f.logEnd {
		r.firstDirty, r.reset = f.logStart, true
	}
	sealed := f.segments[:len(f.segments)-1]
	activeBase := f.segments[len(sealed)].base
	dirty := sealed[min(floorFacts(sealed, r.firstDirty), len(sealed)):]
	if r.firstDirty >= activeBase {
		dirty = nil
	}
	limit := min(f.lastStable, activeBase)
	if c.MinCompactionLag > 0 {
		for i := range dirty {
			if dirty[i].largestTimestamp > nowMs-c.MinCompactionLag {
				limit = min(limit, dirty[i].base)
				break
			}
		}
	}
	limit = max(r.firstDirty, limit)
	r.upper = activeBase
	if limit < activeBase {
		if i := floorFacts(sealed, limit); i < len(sealed) {
			r.upper = sealed[i].base
		}
	}
	for i := range f.segments {
		s := &f.segments[i]
		if s.base < r.firstDirty {
			r.cleanBytes += s.size
		}
	}
	if r.firstDirty < r.upper {
		for i := range dirty {
			if dirty[i].base < r.upper {
				r.dirtyBytes += dirty[i].size
			}
		}
	}
	if lag := max(c.MaxCompactionLag, 0); lag < math.MaxInt64 {
		oldest := int64(math.MaxInt64)
		for i := range dirty {
			if ts := dirty[i].firstTimestamp; ts > 0 {
				oldest = min(oldest, ts)
			}
		}
		if until := nowMs - lag; oldest < until {
			r.overdueMs = until - oldest
		}
	}
	return r
}

// floorFacts is the last segment that starts at or below offset, or the first one.
func floorFacts(list []segmentFacts, offset int64) int {
	i := 0
	for i+1 < len(list) && list[i+1].base <= offset {
		i++
	}
	return i
}

// groupSegments splits the segments below end into runs [from, to) that become one segment each: their sizes stay
// within a segment's limits as long as nothing is removed, and so do their offsets (L7). upper ends the last one.
func groupSegments(list []segmentFacts, end, upper, maxBytes, maxIndex int64) (groups [][2]int) {
	n := 0
	for n < len(list) && list[n].base < end {
		n++
	}
	for from := 0; from < n; {
		sum := list[from]
		to := from + 1
		for ; to < n; to++ {
			next := &list[to]
			last := upper - 1
			if to+1 < n {
				last = list[to+1].base - 1
			}
			if sum.size+next.size > maxBytes || sum.index+next.index > maxIndex || sum.timeIndex+next.timeIndex > maxIndex ||
				next.size > 0 && last-sum.base > math.MaxInt32 {
				break
			}
			sum.size += next.size
			sum.index += next.index
			sum.timeIndex += next.timeIndex
		}
		groups = append(groups, [2]int{from, to})
		from = to
	}
	return groups
}
