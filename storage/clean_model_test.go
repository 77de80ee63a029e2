package storage

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/compress"
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
	r.forget()
	if err := r.b.store.FlushDirty(); err != nil { // or a power cut may undo it
		return err
	}
	r.m.flushed = r.l.LogEndOffset()
	return r.m.check(r.l, false)
}

// forget makes the producers what the model says after records went.
func (r *cleanRun) forget() {
	clear(r.seq)
	clear(r.txn)
	for _, b := range r.m.batches {
		id := b.raw.ProducerID()
		if b.raw.IsControl() {
			r.txn[id] = false
		} else if id >= 1 {
			r.seq[id], r.txn[id] = b.raw.LastSequence()+1, id >= 4
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

// retries sends the last batch of each idempotent producer once more: it must be known (P6).
func (r *cleanRun) retries() error {
	last := map[int64]record.Batch{}
	for _, b := range r.m.batches {
		if id := b.raw.ProducerID(); id >= 1 && !b.raw.IsControl() {
			last[id] = b.raw
		}
	}
	for _, id := range slices.Sorted(maps.Keys(last)) {
		b := last[id]
		again := record.Batch(bytes.Clone(b))
		again.SetBaseOffset(0)
		info, err := r.l.AppendAsLeader(again, 0, AppendOptions{})
		if err != nil || !info.Duplicate || info.FirstOffset != b.BaseOffset() {
			return fmt.Errorf("the last batch of producer %d, at offset %d, came again and was not known: %+v %v", id, b.BaseOffset(), info, err)
		}
	}
	return nil
}

func (r *cleanRun) settle() error {
	for id := int64(4); id < 8; id++ {
		if r.txn[id] {
			r.txn[id] = false
			if err := r.put(markerBatch(id, 0, false, 0, clockMillis(r.b))); err != nil {
				return err
			}
		}
	}
	for range 4 {
		if err := r.put(batchOf(1, 1, clockMillis(r.b))); err != nil { // keys of its own make the log dirty again
			return err
		}
		if err := r.l.Roll(); err != nil {
			return err
		}
		r.l.UpdateHighWatermark(r.l.LogEndOffset())
		cfg := r.b.cfg
		cfg.MinCleanableRatio, cfg.MinCompactionLag = 0, 0
		r.l.SetConfig(cfg)
		for n := 0; r.clean(); n++ {
			if n > 1000 {
				return fmt.Errorf("the cleaning does not come to an end")
			}
		}
		r.b.clock.now = r.b.clock.now.Add(time.Minute)
	}
	if len(r.b.store.Uncleanable()) > 0 {
		return fmt.Errorf("uncleanable: %v", r.b.store.Uncleanable())
	}
	return r.m.check(r.l, r.cfg.DedupeBytes == DefaultCleanerConfig().DedupeBytes)
}

func (r *cleanRun) run(steps int) error {
	if err := r.open(); err != nil {
		return err
	}
	for range steps {
		if err := r.step(); err != nil {
			return err
		}
		if len(r.b.store.Uncleanable()) > 0 {
			return fmt.Errorf("uncleanable: %v", r.b.store.Uncleanable())
		}
	}
	if err := r.retries(); err != nil {
		return err
	}
	if err := r.settle(); err != nil {
		return fmt.Errorf("settled: %w", err)
	}
	if err := r.b.store.Close(); err != nil {
		return err
	}
	if err := r.open(); err != nil {
		return err
	}
	if err := r.m.check(r.l, false); err != nil {
		return fmt.Errorf("after the last stop: %w", err)
	}
	return r.retries()
}

var (
	cleanSeeds = flag.Int("seeds", 60, "runs of the compaction model")
	cleanSeed  = flag.Uint64("seed", 1, "the first seed")
)

func TestCompactionModel(t *testing.T) { // C12, SC-16
	crashes, passes := 0, 0
	for seed := *cleanSeed; seed < *cleanSeed+uint64(*cleanSeeds); seed++ {
		r := newCleanRun(t, seed)
		err := r.run(120)
		if err != nil {
			t.Logf("seed %d: %v", seed, r.trace)
		}
		require.NoError(t, err, "seed %d", seed)
		crashes, passes = crashes+r.crashes, passes+r.passes
	}
	t.Logf("%d runs, %d passes, %d crashes", *cleanSeeds, passes, crashes)
}
