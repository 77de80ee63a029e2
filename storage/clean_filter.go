package storage

import (
	"fmt"

	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

// cleanFilter decides what stays of each batch and writes it. It does no I/O.
type cleanFilter struct {
	keys   *offsetMap
	txns   *txnFilter
	last   map[int64]lastRecord // producers whose last batch lies in the cleaned range
	upper  int64                // end of the range of the pass
	nowMs  int64
	retain int64 // delete.retention.ms
	codecs *compress.Codecs

	reader  record.Reader
	builder record.Builder
	keep    []bool // of the records of the batch at hand

	records, kept int64
	noKey         int64 // records that cannot be compacted
}

// lastRecord is what a log knows of a producer's end.
type lastRecord struct {
	offset int64 // of its last data, -1: only its epoch is known
	epoch  int16
}

// fate is what happens to a batch.
type fate struct {
	noRecords bool // none of its records stays
	keepEmpty bool // without records it stays as an empty batch
	horizon   bool // a marker that nothing needs any more: its time is set if it was not
}

// judge decides about a batch as a whole.
func (f *cleanFilter) judge(b record.Batch) (d fate, err error) {
	var drop bool
	if b.IsControl() {
		if drop, err = f.txns.marker(b); err != nil {
			return d, err
		}
		at, ok := b.DeleteHorizon()
		d.noRecords = drop && ok && at <= f.nowMs
		d.horizon = drop
	} else {
		d.noRecords = f.txns.data(b)
	}
	d.keepEmpty = f.lastOfProducer(b) || b.NextOffset() == f.upper
	return d, nil
}

// lastOfProducer keeps what a producer's next sequence follows from (P6).
func (f *cleanFilter) lastOfProducer(b record.Batch) bool {
	if !b.HasProducerID() {
		return false
	}
	p, ok := f.last[b.ProducerID()]
	if !ok {
		return false
	}
	if p.offset >= 0 {
		return b.LastOffset() == p.offset
	}
	return b.IsControl() && b.ProducerEpoch() == p.epoch
}

// stays decides about one record of a batch that keeps some (C1). horizonPassed: its tombstones may go.
func (f *cleanFilter) stays(r *record.Record, horizonPassed bool) bool {
	if r.Offset > f.keys.latest {
		return true // beyond what this pass has read keys of
	}
	if r.Key == nil {
		f.noKey++
		return false
	}
	return r.Offset >= f.keys.get(r.Key) && (r.Value != nil || !horizonPassed)
}

// clean appends to dst what stays of b. A batch that keeps everything is copied as it is.
func (f *cleanFilter) clean(dst []byte, b record.Batch) ([]byte, error) {
	f.records += int64(b.Count())
	d, err := f.judge(b)
	if err != nil {
		return dst, err
	}
	if d.noRecords {
		return f.empty(dst, b, d), nil
	}
	kept, tombstones, err := f.scan(b)
	if err != nil {
		return dst, err
	}
	f.kept += int64(kept)
	if kept == 0 {
		return f.empty(dst, b, d), nil
	}
	setHorizon := (tombstones || d.horizon) && !b.HasDeleteHorizon()
	if kept == len(f.keep) && !setHorizon {
		return append(dst, b...), nil
	}
	o := b.Options()
	o.Codecs = f.codecs
	if setHorizon {
		o.DeleteHorizon = f.nowMs + f.retain
	}
	return f.rewrite(dst, b, o)
}

func (f *cleanFilter) empty(dst []byte, b record.Batch, d fate) []byte {
	if !d.keepEmpty {
		return dst
	}
	return append(dst, record.Empty(b.Options(), b.LastOffset(), b.MaxTimestamp())...)
}

// scan fills keep.
func (f *cleanFilter) scan(b record.Batch) (kept int, tombstones bool, err error) {
	f.keep = f.keep[:0]
	at, ok := b.DeleteHorizon()
	passed := ok && f.nowMs >= at
	control := b.IsControl()
	for f.reader.Reset(b, f.codecs, 0); f.reader.Next(); {
		r := f.reader.Record()
		stays := control || f.stays(r, passed)
		f.keep = append(f.keep, stays)
		if stays {
			kept++
			tombstones = tombstones || r.Value == nil
		}
	}
	if err := f.reader.Err(); err != nil {
		return 0, false, err
	}
	if len(f.keep) != int(b.Count()) {
		return 0, false, fmt.Errorf("%d records where its header says %d", len(f.keep), b.Count())
	}
	return kept, tombstones, nil
}

// rewrite makes the batch anew from the records that scan left in the reader (C4).
func (f *cleanFilter) rewrite(dst []byte, b record.Batch, o record.Options) ([]byte, error) {
	f.builder.Reset(o)
	f.reader.Rewind()
	for i := 0; f.reader.Next(); i++ {
		if f.keep[i] {
			f.builder.Copy(f.reader.Record())
		}
	}
	f.builder.KeepLastOffset(b.LastOffset())
	return f.builder.Append(dst)
}

// note reads the keys of a batch at or above from into the map; false when it is full. A batch counts whole or not.
func (f *cleanFilter) note(b record.Batch, from int64) (bool, error) {
	if b.IsControl() {
		if _, err := f.txns.marker(b); err != nil {
			return false, err
		}
	} else if !f.txns.data(b) {
		for f.reader.Reset(b, f.codecs, 0); f.reader.Next(); {
			if r := f.reader.Record(); r.Key != nil && r.Offset >= from && !f.keys.put(r.Key, r.Offset) {
				return false, nil
			}
		}
		if err := f.reader.Err(); err != nil {
			return false, err
		}
	}
	if last := b.LastOffset(); last >= from {
		f.keys.latest = max(f.keys.latest, last)
	}
	return true, nil
}
