package storage

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

// loadState is what the log directory's checkpoints say about one partition.
type loadState struct {
	recoveryPoint int64
	logStart      int64
	highWatermark int64
	clean         bool // the clean shutdown marker was there
	holes         bool // between segments are what compaction left, as far as anybody can tell
}

// load reads the partition's directory. After a clean stop it looks at names and sizes only. Otherwise it walks the
// batches from the segment of the recovery point on: headers below the point, whole batches with their CRC above it,
// and cuts the log at the first bad one (L1). A bad batch below the recovery point is a *CorruptError: such bytes
// were on the disk and are not cut away.
func (l *Log) load(s loadState) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries, err := l.files.fs.ReadDir(l.dirPath())
	if isNotExist(err) {
		l.startEmpty(max(s.logStart, 0))
		return nil
	}
	if err != nil {
		return err
	}
	l.made = true
	files := map[string]int64{}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		files[e.Name()] = info.Size()
	}
	if err := l.finishSwaps(files); err != nil {
		return err
	}
	if err := l.loadSmallFiles(files); err != nil {
		return err
	}
	list, err := l.listSegments(files)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		if s.recoveryPoint > max(s.logStart, 0) {
			return &CorruptError{l.dirPath(), -1, fmt.Sprintf("no segment is left, but everything below offset %d was on the disk", s.recoveryPoint)}
		}
		if s.logStart > 0 { // a first segment whose name says where the log starts, now that nothing else will
			return l.startAtLocked(s.logStart)
		}
		l.startEmpty(0)
		l.epochs.truncateEnd(0)
		return nil
	}
	l.setSegments(list)
	l.logStart.Store(max(s.logStart, list[0].base))
	if s.clean {
		err = l.loadClean(s.recoveryPoint, files)
	} else {
		err = l.recover(s.recoveryPoint, s.holes)
	}
	if err != nil {
		return err
	}
	end := l.active().end
	if s.recoveryPoint > end {
		return &CorruptError{l.dirPath(), -1, fmt.Sprintf("the log ends at offset %d, but everything below %d was on the disk", end, s.recoveryPoint)}
	}
	l.recoveryPoint.Store(s.recoveryPoint)
	if s.clean {
		l.recoveryPoint.Store(end)
	}
	l.logEnd.Store(end)
	if start := l.logStart.Load(); start > end {
		// Deleted records that were not flushed are missing too. Nothing that is served is gone.
		l.logger.Warn().Str("partition", l.name).Int64("log_end", end).Int64("log_start", start).
			Msg("the log ends below its start and begins anew there")
		l.recoveryPoint.Store(0)
		return l.startAtLocked(start)
	}
	l.highWatermark.Store(min(max(s.highWatermark, l.logStart.Load()), end))
	l.txns.replicated(l.highWatermark.Load())
	l.epochs.truncateEnd(end)
	l.epochs.truncateStart(l.logStart.Load())
	return nil
}

// startEmpty makes the log one empty segment at offset, without touching the disk.
func (l *Log) startEmpty(offset int64) {
	l.setSegments([]*segment{newSegment(l, offset)})
	l.logStart.Store(offset)
	l.logEnd.Store(offset)
	l.highWatermark.Store(offset)
	l.recoveryPoint.Store(0)
	l.noAborts.Store(true)
	l.producers = producerStates{end: offset, oldest: math.MaxInt64}
	l.txns.reset(nil)
}

// loadClean trusts what a clean stop left: the recovery point is the log end. The active segment's end is checked
// when the first append or truncation reads its index.
func (l *Log) loadClean(end int64, files map[string]int64) error {
	seg := l.active()
	if seg.size == 0 {
		seg.end = seg.base
	} else {
		if end <= seg.base || end-seg.base > math.MaxInt32+1 {
			var err error
			if end, err = seg.readEnd(); err != nil {
				return err
			}
		}
		seg.end = end
	}
	for _, seg := range l.segments() {
		_, offsets := files[offsetName(seg.base, indexSuffix)]
		_, times := files[offsetName(seg.base, timeIndexSuffix)]
		if (!offsets || !times) && seg.size > 0 {
			l.logger.Warn().Str("partition", l.name).Int64("segment", seg.base).Msg("an index file is missing and made anew")
			if err := seg.rebuild(); err != nil {
				return err
			}
			seg.dirty = true
			l.queueLocked(0)
		}
	}
	l.dropStraySnapshots(seg.end)
	list, from, err := l.cleanSnapshotLocked(seg.end, files)
	if err != nil {
		return err
	}
	l.resetProducersLocked(list, from)
	if err := l.replayRangeLocked(from, seg.end); err != nil {
		return err
	}
	l.producers.end = seg.end
	return nil
}

// recover rebuilds everything above the recovery point, see load.
func (l *Log) recover(point int64, holes bool) error {
	list := l.segments()
	// The segment that holds the offset before the point: while it was active its index was written without fsync, and
	// only a flush after it was sealed, which moves the point past the next segment's base, made that good.
	first := max(floorSegment(list, point-1), 0)
	start := list[first].base

	l.snapshots = slices.DeleteFunc(l.snapshots, func(at int64) bool {
		if at <= start {
			return false
		}
		_ = l.files.fs.Remove(l.file(offsetName(at, snapshotSuffix))) // made anew below
		return true
	})
	producers, from, err := l.loadSnapshotLocked(start)
	if err != nil {
		return err
	}
	l.resetProducersLocked(producers, from)
	if err := l.replayRangeLocked(from, start); err != nil {
		return err
	}
	l.epochs.truncateEnd(start)

	// Apache Kafka compacts above the recovery point of its checkpoint, which it writes once a minute: what it says is
	// clean may have holes.
	cleaned, _ := l.dir.cleanedTo(l.tp)
	next, lastEpoch := start, int32(-1)
	for i := first; i < len(list); i++ {
		seg := list[i]
		if seg.base < next {
			return &CorruptError{seg.logName(), -1, fmt.Sprintf("starts below the end %d of the segment before it", next)}
		}
		bad, err := l.recoverSegment(seg, point, &lastEpoch)
		if err != nil {
			return err
		}
		next = seg.end
		l.producers.end = seg.end
		if bad == nil && !holes && i < len(list)-1 && list[i+1].base != seg.end && list[i+1].base > max(point, cleaned) {
			// A segment starts where the one before it ends (rollLocked), so bytes are missing that were not flushed.
			bad = &CorruptError{seg.logName(), seg.size, fmt.Sprintf("the file ends at offset %d, the next segment starts at %d", seg.end, list[i+1].base)}
		}
		if bad == nil {
			if i < len(list)-1 {
				seg.end = list[i+1].base
				l.producers.end = seg.end
				l.snapshotLocked()
			}
			continue
		}
		if err := l.cutTail(i, bad); err != nil {
			return err
		}
		break
	}
	l.warm, l.recovered = true, true
	l.dropped.Add(1) // the name of the first segment may not be durable: a start in the checkpoint stays until the next flush
	l.queueLocked(0)
	return nil
}

// cutTail ends the log at the end of segment i, as recoverSegment left it.
func (l *Log) cutTail(i int, bad error) error {
	list := l.segments()
	seg := list[i]
	lost := int64(0)
	f, err := seg.acquire()
	if err != nil {
		return err
	}
	defer seg.release()
	if size, err := f.Size(); err == nil {
		lost = size - seg.size
	}
	for _, gone := range list[i+1:] {
		lost += gone.size
		for _, suffix := range segmentSuffixes {
			if err := l.files.fs.Remove(gone.path(suffix)); err != nil && !isNotExist(err) {
				return err
			}
		}
	}
	if err := f.Truncate(seg.size); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	// Else the next power cut could bring a removed segment back behind what has been written since.
	if err := l.files.fs.SyncDir(l.dirPath()); err != nil {
		return err
	}
	l.setSegments(slices.Clone(list[:i+1]))
	l.logger.Warn().Str("partition", l.name).Int64("offset", seg.end).Int64("bytes", lost).AnErr("reason", bad).
		Msg("the tail that was not flushed is torn: the log was cut, records at and above the offset are lost here")
	return nil
}

// recoverSegment walks one segment, makes its indexes, epochs and producer state, and sets its size and end. bad is
// what is wrong at its end; the bytes there lie above the recovery point and may be cut.
func (l *Log) recoverSegment(seg *segment, point int64, lastEpoch *int32) (bad, err error) {
	f, err := seg.acquire()
	if err != nil {
		return nil, err
	}
	defer seg.release()
	fileSize := seg.size
	b := newIndexBuilder(seg, l.cfg.Load().IndexIntervalBytes)
	if seg.txnOnDisk {
		if err := l.files.fs.Remove(seg.path(txnIndexSuffix)); err != nil {
			return nil, err
		}
	}
	seg.aborted, seg.txnOnDisk, seg.txnWritten = nil, false, 0
	seg.end, seg.rollBase = seg.base, -1
	pos := int64(0)
	visit := func(h record.Batch, at int64) error {
		if at == 0 {
			seg.rollBase = h.MaxTimestamp()
		}
		b.add(h, at)
		if e := h.PartitionLeaderEpoch(); e > *lastEpoch {
			*lastEpoch = e
			l.epochs.assign(e, h.BaseOffset())
		}
		seg.end = h.NextOffset()
		return nil
	}
	check := func(h record.Batch, at int64) error {
		switch {
		case h.BaseOffset() < seg.end || h.LastOffsetDelta() < 0 || h.LastOffset()-seg.base > math.MaxInt32:
			return &CorruptError{seg.logName(), at, fmt.Sprintf("offsets [%d, %d] cannot follow %d", h.BaseOffset(), h.LastOffset(), seg.end-1)}
		case h.PartitionLeaderEpoch() >= 0 && h.PartitionLeaderEpoch() < *lastEpoch:
			return &CorruptError{seg.logName(), at, fmt.Sprintf("leader epoch %d cannot follow %d", h.PartitionLeaderEpoch(), *lastEpoch)}
		}
		return nil
	}
	// Below the recovery point: headers only, and no excuse.
	var failed error
	pos, err = headers(seg.logName(), f, 0, fileSize, func(h record.Batch, at int64) bool {
		if h.LastOffset() >= point {
			return false
		}
		if failed = check(h, at); failed == nil {
			if failed = l.replayHeaderLocked(f, h, at, seg); failed == nil {
				failed = visit(h, at)
			}
		}
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	if err != nil && seg.end < point {
		return nil, err
	}
	// Above it: whole batches.
	pos, bad, err = wholeBatches(seg.logName(), f, pos, fileSize, func(w record.Batch, at int64) error {
		if err := check(w, at); err != nil {
			return err
		}
		if err := l.replayLocked(w, seg); err != nil {
			return &CorruptError{seg.logName(), at, err.Error()}
		}
		return visit(w, at)
	})
	if err != nil {
		return nil, err
	}
	if bad != nil && seg.end < point {
		return nil, bad
	}
	b.idx.sinceEntry = 0
	b.finish()
	seg.idx, seg.size = b.idx, pos
	seg.maxTimestamp, seg.maxOffset = b.maxTimestamp, b.maxOffset
	seg.dirty = true
	return bad, nil
}

// wholeBatches reads batches [pos, limit) with large reads and checks their CRC. visit may refuse one. It returns the
// position after the last good batch, why it ended before limit, and read errors, which say nothing about the bytes.
func wholeBatches(name string, f vfs.File, pos, limit int64, visit func(b record.Batch, pos int64) error) (end int64, bad, err error) {
	buf := make([]byte, min(limit-pos, 1<<20))
	have := 0 // bytes of buf that are read, from file position pos
	for pos < limit {
		n := min(int64(len(buf)-have), limit-pos-int64(have))
		if n > 0 {
			if err := readFull(f, buf[have:have+int(n)], pos+int64(have)); err != nil {
				return pos, nil, err
			}
			have += int(n)
		}
		rest := buf[:have]
		for {
			b, more, err := record.Next(rest)
			if errors.Is(err, record.ErrShort) {
				break
			}
			if err != nil {
				return pos, &CorruptError{name, pos, err.Error()}, nil
			}
			if !b.VerifyCRC() {
				return pos, &CorruptError{name, pos, "the checksum of the batch does not fit"}, nil
			}
			if err := visit(b, pos); err != nil {
				return pos, err, nil
			}
			pos += int64(len(b))
			rest = more
		}
		have = copy(buf, rest)
		if pos+int64(have) == limit && have > 0 {
			return pos, &CorruptError{name, pos, "the file ends inside a batch"}, nil
		}
		if have == len(buf) { // a batch larger than the buffer, and all of it may be in the file
			size, err := record.SizeAt(buf)
			if err != nil || int64(size) > limit-pos {
				return pos, &CorruptError{name, pos, "the batch reaches past the end"}, nil
			}
			buf = append(make([]byte, 0, size), buf...)[:size]
		}
	}
	return pos, nil, nil
}
