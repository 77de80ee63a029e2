package storage

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

// cleanRun is one seeded life of a compacted log.
type cleanRun struct {
	rng   *rand.Rand
	disk  *vfs.Mem
	fault *vfs.Fault
	b     *bed
	l     *Log
	m     *cleanModel
	seq   map[int64]int32
	txn   map[int64]bool // open
	cfg   CleanerConfig
	trace []string

	crashes, passes int
}

func newCleanRun(t testing.TB, seed uint64) *cleanRun {
	r := &cleanRun{rng: newRand(seed), disk: vfs.NewMem(), m: &cleanModel{}, seq: map[int64]int32{}, txn: map[int64]bool{}, cfg: DefaultCleanerConfig()}
	r.b = newBed(t, nil)
	c := &r.b.cfg
	c.Compact, c.Delete = true, false
	c.SegmentBytes, c.IndexIntervalBytes = int32(600+r.rng.IntN(1500)), int32(100+r.rng.IntN(300))
	c.MinCleanableRatio = []float64{0, 0.01, 0.5}[r.rng.IntN(3)]
	c.DeleteRetentionMs = int64(r.rng.IntN(3)) * 5000
	c.MinCompactionLag = int64(r.rng.IntN(2)) * int64(r.rng.IntN(10_000))
	c.FileDeleteDelayMs = int64(r.rng.IntN(2)) * 1000
	r.cfg.IOBufferBytes = 8 << 10
	if r.rng.IntN(3) == 0 {
		r.cfg.DedupeBytes = int64(10+r.rng.IntN(30)) * slotSize // partial passes
	}
	return r
}

func (r *cleanRun) open() error {
	r.fault = vfs.NewFault(r.disk)
	r.b.fs = r.fault
	if err := r.b.tryOpen(); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	l, err := r.b.store.Create(tp0, testTopicID, r.b.cfg, nil)
	r.l = l
	return err
}

func (r *cleanRun) put(raw []byte) error {
	var a AppendOptions
	if record.Batch(raw).IsControl() {
		a.Origin = record.Coordinator
	}
	info, err := r.l.AppendAsLeader(raw, 0, a)
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	b := modelBatch{raw: record.Batch(raw)} // patched in place
	if b.raw.BaseOffset() != info.FirstOffset {
		return fmt.Errorf("appended at %d, not at %d", info.FirstOffset, b.raw.BaseOffset())
	}
	if !b.raw.IsControl() {
		for rec, err := range b.raw.Records(codecs, 0) {
			if err != nil {
				return err
			}
			b.records = append(b.records, modelRecord{rec.Offset, rec.Timestamp, string(rec.Key), bytes.Clone(rec.Value)})
		}
	}
	r.m.batches = append(r.m.batches, b)
	return nil
}

func (r *cleanRun) data() error {
	o := record.NewOptions()
	o.Codecs, o.Codec = codecs, compress.Codec(r.rng.IntN(5))
	n := 1 + r.rng.IntN(6)
	id := int64(r.rng.IntN(8))
	if id >= 1 {
		o.ProducerID, o.ProducerEpoch, o.BaseSequence = id, 0, r.seq[id]
		o.Transactional = id >= 4
	}
	w := record.NewBuilder(o)
	for range n {
		key := fmt.Appendf(nil, "key-%d", r.rng.IntN(14))
		value := bytes.Repeat([]byte{byte('a' + r.rng.IntN(26))}, r.rng.IntN(60))
		if r.rng.IntN(4) == 0 {
			value = nil
		}
		w.Add(clockMillis(r.b), key, value, record.Header{Key: "h", Value: key})
	}
	raw, err := w.Build()
	if err != nil {
		return err
	}
	if err := r.put(raw); err != nil {
		return err
	}
	if id >= 1 {
		r.seq[id] += int32(n)
		r.txn[id] = id >= 4
	}
	return nil
}

func clockMillis(b *bed) int64 { return b.clock.now.UnixMilli() }

func (r *cleanRun) marker() error {
	for id := int64(4); id < 8; id++ {
		if r.txn[id] && r.rng.IntN(2) == 0 {
			r.txn[id] = false
			if err := r.put(markerBatch(id, 0, r.rng.IntN(2) == 0, 0, clockMillis(r.b))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *cleanRun) clean() bool {
	limit := min(r.l.LastStableOffset(), r.l.active().base)
	r.m.limit = max(r.m.limit, limit)
	r.m.stable = max(r.m.stable, r.l.HighWatermark())
	return r.b.store.CleanOne(context.Background(), r.cfg)
}

func (r *cleanRun) note(format string, args ...any) {
	r.trace = append(r.trace, fmt.Sprintf(format, args...))
}

// step does one random thing.
func (r *cleanRun) step() error {
	r.b.clock.now = r.b.clock.now.Add(time.Duration(r.rng.IntN(500)) * time.Millisecond)
	switch what := r.rng.IntN(100); {
	case what < 50:
		r.note("data")
		return r.data()
	case what < 60:
		r.note("marker")
		return r.marker()
	case what < 64:
		r.note("roll")
		return r.l.Roll()
	case what < 74:
		if n := len(r.m.batches); n > 0 {
			r.l.UpdateHighWatermark(r.m.batches[max(0, n-1-r.rng.IntN(4))].raw.NextOffset())
		}
		r.note("high watermark %d", r.l.HighWatermark())
	case what < 86:
		r.l.UpdateHighWatermark(r.l.LogEndOffset())
		cleaned := r.clean()
		r.passes += b2i(cleaned)
		r.note("clean: %v", cleaned)
		return r.m.check(r.l, false)
	case what < 89:
		r.note("flush")
		if err := r.b.store.FlushDirty(); err != nil {
			return err
		}
		r.m.flushed = r.l.LogEndOffset()
	case what < 91:
		r.b.clock.now = r.b.clock.now.Add(time.Duration(r.rng.IntN(20)) * time.Second)
		r.b.store.RemoveDue()
		r.note("later")
	case what < 92:
		hw := r.l.HighWatermark()
		if at := r.l.LogStartOffset() + r.rng.Int64N(10); at <= hw {
			r.note("log start %d", at)
			if err := r.l.IncrementLogStartOffset(at); err != nil {
				return err
			}
			r.m.start = max(r.m.start, at)
		}
	case what < 93:
		r.note("truncate")
		return r.truncate()
	case what < 96:
		r.note("reopen")
		if err := r.b.store.Close(); err != nil {
			return err
		}
		if err := r.open(); err != nil {
			return err
		}
		r.forget()
		return r.m.check(r.l, false)
	default:
		return r.crash()
	}
	return nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// truncate cuts what no pass could have touched.
func (r *cleanRun) truncate() error {
	from := max(r.m.stable, r.l.HighWatermark(), r.m.start)
	if from >= r.m.end() {
		return nil
	}
	if err := r.l.TruncateTo(from); err != nil {
		return err
	}
	r.m.cut(from)
	r.m.begin = r.l.LogStartOffset()
	r.m.start = min(r.m.start, r.m.begin) // a batch that lies across the start went as a whole
	r.forget()
	if err := r.b.store.FlushDirty(); err != nil { // or a power cut may undo it
		return err
	}
	r.m.flushed = r.l.LogEndOffset()
	return r.m.check(r.l, false)
}

// forget makes the producers what the model says after records went. A producer of which nothing is left from the log
// start on may be unknown now, as with Apache Kafka, and begins anew.
func (r *cleanRun) forget() {
	clear(r.seq)
	clear(r.txn)
	known := map[int64]int32{}
	for _, p := range r.l.ActiveProducers() {
		known[p.ProducerID] = p.LastSequence
	}
	for _, b := range r.m.batches {
		id := b.raw.ProducerID()
		if b.raw.IsControl() {
			r.txn[id] = false
		} else if id >= 1 {
			r.seq[id], r.txn[id] = b.raw.LastSequence()+1, id >= 4
			if last, ok := known[id]; b.raw.LastOffset() < r.m.start && (!ok || last < 0) {
				r.seq[id] = 0
			}
		}
	}
}

// crash ends the process, or the machine, at some operation of a flush, a cleaning, appends and another flush.
func (r *cleanRun) crash() error {
	r.crashes++
	r.l.UpdateHighWatermark(r.l.LogEndOffset())
	at := r.rng.IntN(60)
	r.fault.CrashAfter(r.fault.Count() + at)
	before := len(r.m.batches)
	for range 1 + r.rng.IntN(3) {
		r.clean()
	}
	if !r.fault.Crashed() && r.rng.IntN(2) == 0 {
		_ = r.b.store.WriteCheckpoints()
	}
	kill := r.rng.IntN(2) == 0
	r.note("crash after %d operations, kill %v", at, kill)
	if kill {
		r.disk = r.disk.Clone()
	} else {
		r.disk = r.disk.CrashClone(rand.New(rand.NewPCG(r.rng.Uint64(), 1)))
	}
	if before != len(r.m.batches) {
		panic("a cleaning appended")
	}
	if err := r.open(); err != nil {
		return err
	}
	end := r.l.LogEndOffset()
	if end < r.m.flushed || kill && end != r.m.end() {
		return fmt.Errorf("the log ends at %d after a crash, it ended at %d and was flushed to %d", end, r.m.end(), r.m.flushed)
	}
	r.m.cut(end)
	r.m.flushed = max(r.m.flushed, r.l.RecoveryPoint())
	r.m.limit, r.m.stable = min(r.m.limit, end), min(r.m.stable, end)
	r.forget()
	r.l.UpdateHighWatermark(end)
	return r.m.check(r.l, false)
}
