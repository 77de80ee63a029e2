package storage

import (
	"errors"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

// ErrUnexpectedOffset says that a follower got records below its log end. The log is unchanged; the fetcher decides.
var ErrUnexpectedOffset = errors.New("unexpected offset")

func asRecordErrors(err error) (*record.RecordErrors, bool) {
	var re *record.RecordErrors
	return re, errors.As(err, &re)
}

func shortIsCorrupt(err error) error {
	if errors.Is(err, record.ErrShort) {
		return fmt.Errorf("%w: %w", err, kerr.CorruptMessage)
	}
	return err
}

// checkProducerLocked decides about one batch with a producer id, seen after those of the same append that are in
// updates. It returns the remembered batch when this one is a retry, and notes what the batch will change otherwise.
func (l *Log) checkProducerLocked(b record.Batch, a AppendOptions) (*batchMeta, error) {
	id := b.ProducerID()
	s := &l.producers
	var entry producerEntry
	if known := s.get(id); known != nil {
		entry = *known
	} else {
		entry = producerEntry{id: id, epoch: record.NoProducerEpoch, coordinatorEpoch: -1, lastTimestamp: -1, txnFirst: -1}
	}
	for i := range s.updates {
		if s.updates[i].entry.id == id {
			entry = s.updates[i].entry
			entry.apply(s.batchAt(i), s.markerAt(i))
		}
	}
	u := producerUpdate{entry: entry, batch: b}
	if b.IsControl() {
		m, ok, err := readMarker(b, l.codecs)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", kerr.InvalidRecord, err)
		}
		if !ok {
			return nil, nil
		}
		if err := u.entry.checkMarker(b, m.coordinatorEpoch, a.TransactionVersion); err != nil {
			return nil, err
		}
		u.marker, u.isMark = m, true
	} else {
		if a.Origin == record.Client {
			if dup, ok := u.entry.duplicate(b); ok {
				return &dup, nil
			}
		}
		if err := u.entry.checkData(b, a); err != nil {
			return nil, err
		}
	}
	s.updates = append(s.updates, u)
	return nil, nil
}

func (s *producerStates) batchAt(i int) record.Batch { return s.updates[i].batch }

func (s *producerStates) markerAt(i int) *marker {
	if s.updates[i].isMark {
		return &s.updates[i].marker
	}
	return nil
}

// applyUpdateLocked makes a checked batch, which is in the log now, part of the state.
func (l *Log) applyUpdateLocked(u *producerUpdate) {
	p := l.producers.get(u.entry.id)
	if p == nil {
		p = newProducer(u.entry.id)
	}
	var m *marker
	if u.isMark {
		m = &u.marker
	}
	l.applyLocked(p, u.batch, m, l.active())
	u.batch = nil // the caller's bytes
}

// applyLocked moves p over b. An aborted transaction is noted in seg, the segment that holds its marker; nil when the
// segment knows it already.
func (l *Log) applyLocked(p *producerEntry, b record.Batch, m *marker, seg *segment) {
	started, done := p.apply(b, m)
	l.producers.put(p)
	if started {
		l.txns.start(p.id, p.txnFirst)
	}
	if done.first < 0 {
		return
	}
	if done.aborted && seg != nil {
		a := AbortedTxn{done.producerID, done.first, done.last, l.txns.lastStableAfter(done)}
		seg.mu.Lock()
		seg.aborted = append(seg.aborted, a) // in memory: whoever comes here has read the index before
		seg.mu.Unlock()
		seg.dirty = true
		l.noAborts.Store(false)
	}
	l.txns.complete(done) // after the index: the LSO is held until it is complete (L8)
	l.txns.replicated(l.highWatermark.Load())
}

// replayLocked moves the producer state over a batch that the log holds, without asking whether it should.
func (l *Log) replayLocked(b record.Batch, seg *segment) error {
	if !b.HasProducerID() {
		return nil
	}
	var mark *marker
	if b.IsControl() {
		m, ok, err := readMarker(b, l.codecs)
		if err != nil {
			return &CorruptError{l.dirPath(), -1, fmt.Sprintf("the control record at offset %d: %v", b.BaseOffset(), err)}
		}
		if !ok {
			return nil
		}
		mark = &m
	}
	p := l.producers.get(b.ProducerID())
	if p == nil {
		p = newProducer(b.ProducerID())
	}
	l.applyLocked(p, b, mark, seg)
	return nil
}

// replayHeaderLocked is replayLocked for a batch of which only the header was read.
func (l *Log) replayHeaderLocked(f vfs.File, h record.Batch, pos int64, seg *segment) error {
	if !h.HasProducerID() {
		return nil
	}
	if h.IsControl() {
		b, err := readBatch(f, h, pos)
		if err != nil {
			return err
		}
		h = b
	}
	return l.replayLocked(h, seg)
}

// resetProducersLocked starts the producer state at end with the given entries.
func (l *Log) resetProducersLocked(list []*producerEntry, end int64) {
	l.producers = producerStates{end: end, oldest: math.MaxInt64}
	var open []txnSpan
	for _, p := range list {
		l.producers.put(p)
		if p.txnFirst >= 0 {
			open = append(open, txnSpan{p.id, p.txnFirst, -1})
		}
	}
	sortSpans(open)
	l.txns.reset(open)
}
