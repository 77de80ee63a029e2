package storage

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/dohle-io/dohle/protocol/record"
)

// cleanModel is what was appended, batch by batch, and what of it a compacted log must still hold.
type cleanModel struct {
	batches []modelBatch
	start   int64 // log start
	begin   int64 // where the log ends while it is empty
	flushed int64
	limit   int64 // no pass has cleaned at or above it
	stable  int64 // the high watermark of the last pass: transactions that ended below it stay ended
}

type modelBatch struct {
	raw     record.Batch // as stored
	records []modelRecord
}

type modelRecord struct {
	offset    int64
	timestamp int64
	key       string
	value     []byte
}

type outcome int8

const (
	open outcome = iota
	committed
	aborted
)

// outcomes says for each batch what became of its transaction; a batch outside of one is committed.
func (m *cleanModel) outcomes() []outcome {
	out := make([]outcome, len(m.batches))
	running := map[int64][]int{}
	for i, b := range m.batches {
		id := b.raw.ProducerID()
		switch {
		case !b.raw.IsTransactional():
			out[i] = committed
		case !b.raw.IsControl():
			running[id] = append(running[id], i)
		default:
			mark, _, err := readMarker(b.raw, nil)
			if err != nil {
				panic(err)
			}
			end := aborted
			if mark.commit {
				end = committed
			}
			for _, j := range running[id] {
				out[j] = end
			}
			delete(running, id)
			out[i] = end
		}
	}
	return out
}

func (m *cleanModel) end() int64 {
	if n := len(m.batches); n > 0 {
		return m.batches[n-1].raw.NextOffset()
	}
	return m.begin
}

// cut drops what a power cut has taken.
func (m *cleanModel) cut(end int64) {
	for len(m.batches) > 0 && m.end() > end {
		m.batches = m.batches[:len(m.batches)-1]
	}
	if end == m.start && m.end() < end || len(m.batches) == 0 {
		m.batches, m.begin = nil, end // a log that lost all above its start begins anew there
	}
	m.flushed = min(m.flushed, end)
}

// seen is a log as readers find it.
type seen struct {
	batches []record.Batch
	records map[int64]modelRecord
}

func readLog(l *Log) (*seen, error) {
	s := &seen{records: map[int64]modelRecord{}}
	at, end := l.LogStartOffset(), l.LogEndOffset()
	for at < end {
		b, err := l.ReadBytes(at, 900, end)
		if err != nil {
			return nil, fmt.Errorf("read at %d of [%d, %d): %w", at, l.LogStartOffset(), end, err)
		}
		if len(b) == 0 {
			return s, nil // nothing but gaps up to the end
		}
		for len(b) > 0 {
			batch, rest, err := record.Next(b)
			if err != nil {
				return nil, err
			}
			b = rest
			if !batch.VerifyCRC() || batch.NextOffset() <= at {
				return nil, fmt.Errorf("the batch at offset %d comes after %d or is damaged", batch.BaseOffset(), at)
			}
			at = batch.NextOffset()
			s.batches = append(s.batches, batch)
			last, max := int64(-1), int64(-1)
			for r, err := range batch.Records(codecs, 0) {
				if err != nil {
					return nil, fmt.Errorf("batch at offset %d: %w", batch.BaseOffset(), err)
				}
				if r.Offset <= last || r.Offset < batch.BaseOffset() || r.Offset > batch.LastOffset() {
					return nil, fmt.Errorf("record %d in the batch [%d, %d] after %d", r.Offset, batch.BaseOffset(), batch.LastOffset(), last)
				}
				last = r.Offset
				if r.Timestamp > max {
					max = r.Timestamp
				}
				if !batch.IsControl() {
					s.records[r.Offset] = modelRecord{r.Offset, r.Timestamp, string(r.Key), bytes.Clone(r.Value)}
				}
			}
			if batch.Count() > 0 && max != batch.MaxTimestamp() {
				return nil, fmt.Errorf("the batch at offset %d says %d is its largest timestamp, not %d", batch.BaseOffset(), batch.MaxTimestamp(), max)
			}
		}
	}
	return s, nil
}

// committedView is what a read_committed consumer keeps of s: it drops data of a producer from the first offset of an
// aborted transaction on until the producer's next marker.
func (s *seen) committedView(l *Log) (map[int64]bool, error) {
	lso := l.LastStableOffset()
	list, err := l.AbortedTransactions(l.LogStartOffset(), lso)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b AbortedTxn) int { return int(a.FirstOffset - b.FirstOffset) })
	visible, dropping := map[int64]bool{}, map[int64]bool{}
	for _, b := range s.batches {
		if b.LastOffset() >= lso {
			break
		}
		for len(list) > 0 && list[0].FirstOffset <= b.LastOffset() {
			dropping[list[0].ProducerID] = true
			list = list[1:]
		}
		if b.IsControl() {
			if mark, ok, _ := readMarker(b, nil); ok && !mark.commit {
				delete(dropping, b.ProducerID())
			}
			continue
		}
		if b.IsTransactional() && dropping[b.ProducerID()] {
			continue
		}
		for r := range b.Records(codecs, 0) {
			visible[r.Offset] = true
		}
	}
	return visible, nil
}

// check compares the log with the model. settled: it was cleaned until nothing was left to do, all horizons are past.
func (m *cleanModel) check(l *Log, settled bool) error {
	if l.LogEndOffset() != m.end() {
		return fmt.Errorf("the log ends at %d, not at %d", l.LogEndOffset(), m.end())
	}
	s, err := readLog(l)
	if err != nil {
		return err
	}
	visible, err := s.committedView(l)
	if err != nil {
		return err
	}
	out := m.outcomes()
	lso := l.LastStableOffset()
	last := map[string]modelRecord{} // of each key, of those that count
	all, fate := map[int64]modelRecord{}, map[int64]outcome{}
	for i, b := range m.batches {
		for _, r := range b.records {
			all[r.offset], fate[r.offset] = r, out[i]
			if r.offset >= m.start && out[i] == committed && r.offset < lso {
				last[r.key] = r
			}
			if _, here := s.records[r.offset]; !here && r.offset >= max(m.limit, m.start) {
				return fmt.Errorf("record %d is gone, but nothing from %d on was ever to be cleaned", r.offset, m.limit)
			}
		}
	}
	perKey := map[string]int{}
	for offset, r := range s.records {
		want, ok := all[offset]
		if !ok || want.key != r.key || want.timestamp != r.timestamp || !bytes.Equal(want.value, r.value) || (want.value == nil) != (r.value == nil) {
			return fmt.Errorf("at offset %d the log has %v, not %v", offset, r, want)
		}
		if offset >= m.start && offset < lso && visible[offset] != (fate[offset] == committed) {
			return fmt.Errorf("offset %d: a read_committed reader sees it: %v, outcome %d", offset, visible[offset], fate[offset])
		}
		if offset < m.limit && offset >= m.start {
			perKey[r.key]++
			if settled && r.value == nil {
				return fmt.Errorf("the tombstone at offset %d is still there", offset)
			}
			if settled && fate[offset] == aborted {
				return fmt.Errorf("the aborted record at offset %d is still there", offset)
			}
		}
	}
	for key, r := range last {
		_, here := s.records[r.offset]
		if r.value != nil && !here {
			return fmt.Errorf("the last value of %s, at offset %d, is lost", key, r.offset)
		}
		if r.value != nil || here {
			continue
		}
		for offset, old := range s.records { // without the tombstone nothing may come back
			if old.key == key && offset >= m.start && offset < r.offset && fate[offset] == committed {
				return fmt.Errorf("%s comes back at offset %d: its tombstone at %d is gone", key, offset, r.offset)
			}
		}
	}
	if settled {
		for key, n := range perKey {
			if n > 1 {
				return fmt.Errorf("key %s is there %d times below %d", key, n, m.limit)
			}
		}
	}
	return nil
}
