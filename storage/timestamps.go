package storage

import (
	"fmt"

	"github.com/dohle-io/dohle/protocol/record"
)

// OffsetForTimestamp finds the first record at or above the log start whose timestamp is at least ts (ms), with its
// own timestamp and leader epoch (-1 unknown). It is exact also inside compressed batches.
func (l *Log) OffsetForTimestamp(ts int64) (offset, timestamp int64, epoch int32, found bool, err error) {
	err = l.unlessGone(func() error {
		offset, timestamp, epoch, found, err = l.offsetForTimestamp(ts)
		return err
	})
	return offset, timestamp, epoch, found, err
}

// unlessGone repeats a lookup that met a segment which retention was just deleting, or compaction replacing.
func (l *Log) unlessGone(lookup func() error) error {
	for {
		list := l.list.Load()
		err := lookup()
		if !isNotExist(err) || !l.movedSince(list) {
			return err
		}
	}
}

// movedSince says whether the segments are others than in list, once a change that is under way is through.
func (l *Log) movedSince(list *[]*segment) bool {
	if l.list.Load() != list {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.list.Load() != list
}

func (l *Log) offsetForTimestamp(ts int64) (offset, timestamp int64, epoch int32, found bool, err error) {
	if err := l.Err(); err != nil {
		return -1, -1, -1, false, err
	}
	start := l.logStart.Load()
	for _, seg := range l.segments() {
		largest, _, err := seg.maxTimestampOffset()
		if err != nil {
			return -1, -1, -1, false, fmt.Errorf("look up a timestamp in %s: %w", l.tp, storageErr(err))
		}
		if largest < ts {
			continue
		}
		from, err := seg.floorTime(ts)
		if err == nil {
			offset, timestamp, epoch, found, err = seg.firstRecord(max(from, start), func(h record.Batch) bool { return h.MaxTimestamp() >= ts },
				func(r *record.Record) bool { return r.Timestamp >= ts && r.Offset >= start })
		}
		if err != nil {
			return -1, -1, -1, false, fmt.Errorf("look up a timestamp in %s: %w", l.tp, storageErr(err))
		}
		if found {
			return offset, timestamp, epoch, true, nil
		}
	}
	return -1, -1, -1, false, nil
}

// OffsetOfMaxTimestamp finds the first record that has the largest timestamp in the log (S1, KIP-734). found is
// false when no record has a timestamp.
func (l *Log) OffsetOfMaxTimestamp() (offset, timestamp int64, epoch int32, found bool, err error) {
	err = l.unlessGone(func() error {
		offset, timestamp, epoch, found, err = l.offsetOfMaxTimestamp()
		return err
	})
	return offset, timestamp, epoch, found, err
}

func (l *Log) offsetOfMaxTimestamp() (offset, timestamp int64, epoch int32, found bool, err error) {
	if err := l.Err(); err != nil {
		return -1, -1, -1, false, err
	}
	var best *segment
	largest, at := int64(-1), int64(-1)
	for _, seg := range l.segments() {
		ts, off, err := seg.maxTimestampOffset()
		if err != nil {
			return -1, -1, -1, false, fmt.Errorf("look up the largest timestamp of %s: %w", l.tp, storageErr(err))
		}
		if ts > largest {
			best, largest, at = seg, ts, off
		}
	}
	if best == nil {
		return -1, -1, -1, false, nil
	}
	offset, timestamp, epoch, found, err = best.firstRecord(at, func(h record.Batch) bool { return h.MaxTimestamp() >= largest },
		func(r *record.Record) bool { return r.Timestamp >= largest })
	if err != nil {
		err = fmt.Errorf("look up the largest timestamp of %s: %w", l.tp, storageErr(err))
	}
	return offset, timestamp, epoch, found, err
}

// firstRecord finds the first record for which match is true, in batches that end at or above from and for which
// batch is true.
func (seg *segment) firstRecord(from int64, batch func(record.Batch) bool, match func(*record.Record) bool) (offset, timestamp int64, epoch int32, found bool, err error) {
	size, _ := seg.tail()
	if size == 0 {
		return -1, -1, -1, false, nil
	}
	f, err := seg.acquire()
	if err != nil {
		return -1, -1, -1, false, err
	}
	defer seg.release()
	p, err := seg.find(f, from, size)
	if err != nil {
		return -1, -1, -1, false, err
	}
	var reader record.Reader
	defer reader.Close()
	var failed error
	_, err = headers(seg.logName(), f, p.pos, size, func(h record.Batch, pos int64) bool {
		if !batch(h) {
			return true
		}
		var b record.Batch
		if b, failed = readBatch(f, h, pos); failed != nil {
			return false
		}
		for reader.Reset(b, seg.log.codecs, 0); reader.Next(); {
			if r := reader.Record(); match(r) {
				offset, timestamp, epoch, found = r.Offset, r.Timestamp, b.PartitionLeaderEpoch(), true
				return false
			}
		}
		failed = reader.Err()
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	if !found {
		offset, timestamp, epoch = -1, -1, -1
	}
	return offset, timestamp, epoch, found, err
}
