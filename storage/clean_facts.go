package storage

import (
	"github.com/dohle-io/dohle/protocol/record"
)

// lastRecords are the producers whose last batch a pass below upper must keep (P6).
func (l *Log) lastRecords(upper int64) map[int64]lastRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := map[int64]lastRecord{}
	for _, p := range l.producers.all {
		last := p.last().lastOffset
		if last < upper && l.producers.byID[p.id] == p {
			m[p.id] = lastRecord{offset: last, epoch: p.epoch}
		}
	}
	return m
}

// facts are the numbers by which the cleaner chooses. Timestamps are read only if the topic's lags ask for them.
func (l *Log) facts(checkpoint int64) (*logFacts, error) {
	c := l.cfg.Load()
	f := &logFacts{checkpoint: checkpoint, lastStable: l.LastStableOffset()}
	// The stable offset before the segments: whatever it covers is in them.
	list := l.segments()
	f.logStart, f.logEnd = l.logStart.Load(), l.logEnd.Load()
	dirty := max(checkpoint, f.logStart)
	if checkpoint > f.logEnd {
		dirty = f.logStart
	}
	f.segments = make([]segmentFacts, len(list))
	for i, seg := range list {
		size, _ := seg.tail()
		f.segments[i] = segmentFacts{base: seg.base, size: size}
		if i == len(list)-1 || size == 0 || list[i+1].base <= dirty {
			continue
		}
		var err error
		if c.MinCompactionLag > 0 {
			if f.segments[i].largestTimestamp, err = seg.largestTimestamp(); err != nil {
				return nil, err
			}
		}
		if c.MaxCompactionLag < 1<<62 {
			if f.segments[i].firstTimestamp, err = seg.firstTimestamp(); err != nil {
				return nil, err
			}
		}
	}
	return f, nil
}

// indexFacts adds what grouping asks for.
func (l *Log) indexFacts(list []*segment, facts []segmentFacts) error {
	for i, seg := range list[:len(list)-1] {
		for _, times := range []bool{false, true} {
			err := seg.withEntries(times, func(e entries) error {
				n := int64(e.len() * e.each)
				if times {
					facts[i].timeIndex = n
				} else {
					facts[i].index = n
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// firstTimestamp is the largest timestamp of the first batch of a sealed segment, -1 none.
func (seg *segment) firstTimestamp() (int64, error) {
	seg.log.mu.Lock()
	ts := seg.rollBase
	seg.log.mu.Unlock()
	if ts != unknownTimestamp {
		return ts, nil
	}
	size, _ := seg.tail()
	f, err := seg.acquire()
	if err != nil {
		return 0, err
	}
	defer seg.release()
	ts = -1
	if _, err := headers(seg.logName(), f, 0, size, func(h record.Batch, _ int64) bool {
		ts = h.MaxTimestamp()
		return false
	}); err != nil {
		return 0, err
	}
	seg.log.mu.Lock()
	defer seg.log.mu.Unlock()
	seg.rollBase = ts
	return ts, nil
}
