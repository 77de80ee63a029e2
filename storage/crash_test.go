package storage

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

// model is what a log may hold after a crash.
type model struct {
	now     map[int64][]byte   // base offset -> batch, as the process saw the log
	ever    map[int64][][]byte // every batch that ever had that base
	end     int64
	start   int64
	flushed int64  // everything below was made durable, and was not cut since
	durable int64  // a log start that IncrementLogStartOffset made durable
	deleted *model // the log of that name that was deleted: until a flush a power cut may bring it back
}

func newModel() *model {
	return &model{now: map[int64][]byte{}, ever: map[int64][][]byte{}}
}

func (m *model) clone() *model {
	c := *m
	c.now, c.ever = maps.Clone(m.now), maps.Clone(m.ever)
	return &c
}

// crashRun runs a story on a log; step notes the state before and after each step, so that a crash inside one may
// show either.
type crashRun struct {
	b      *bed
	l      *Log
	before *model
	after  *model
}

func (r *crashRun) step(change func(m *model), do func() error) error {
	r.before = r.after
	r.after = r.before.clone()
	if change != nil {
		change(r.after)
	}
	err := do()
	if err == nil {
		r.before = r.after
	}
	return err
}

func (r *crashRun) append(epoch int32, batch []byte) error {
	// The bytes as they will be stored.
	stored := record.Batch(bytes.Clone(batch))
	stored.SetBaseOffset(r.after.end)
	stored.SetPartitionLeaderEpoch(epoch)
	return r.step(func(m *model) {
		base := m.end
		m.now[base] = stored
		m.ever[base] = append(slices.Clone(m.ever[base]), stored)
		m.end = stored.NextOffset()
	}, func() error {
		info, err := r.l.AppendAsLeader(batch, epoch, AppendOptions{})
		if err == nil && info.FirstOffset != stored.BaseOffset() {
			err = fmt.Errorf("appended at %d, not at %d", info.FirstOffset, stored.BaseOffset())
		}
		return err
	})
}

func (r *crashRun) flush() error {
	return r.step(func(m *model) { m.flushed, m.deleted = m.end, nil }, r.b.store.FlushDirty)
}

func (r *crashRun) reopen() error {
	if err := r.step(func(m *model) { m.flushed = m.end }, r.b.store.Close); err != nil {
		return err
	}
	return r.step(nil, func() error {
		if err := r.b.tryOpen(); err != nil {
			return err
		}
		l, err := r.b.store.Create(tp0, testTopicID, r.b.cfg, nil)
		r.l = l
		return err
	})
}

// story goes through everything that changes files: first append, roll, flush, checkpoints, DeleteRecords, retention,
// truncation inside and across segments, full truncation, clean stop, deletion and a new log of the same name.
func (r *crashRun) story() error {
	if err := r.step(nil, r.b.tryOpen); err != nil {
		return err
	}
	l, err := r.b.store.Create(tp0, testTopicID, r.b.cfg, nil)
	if err != nil {
		return err
	}
	r.l = l
	seq := map[int64]int32{}
	put := func(n int, epoch int32) error {
		for i := range n {
			id := int64(i % 3)
			b := batchOf(1+i%3, 60, 1000*r.after.end, producer(id, 0, seq[id]))
			seq[id] += int32(1 + i%3)
			if err := r.append(epoch, b); err != nil {
				return err
			}
		}
		return nil
	}
	truncate := func(offset int64) error {
		clear(seq)
		for base, b := range r.after.now {
			if batch := record.Batch(b); base < offset && batch.LastOffset() < offset {
				seq[batch.ProducerID()] = max(seq[batch.ProducerID()], batch.LastSequence()+1)
			}
		}
		return r.step(func(m *model) {
			m.end = m.start
			for base, b := range m.now {
				if record.Batch(b).LastOffset() >= offset {
					delete(m.now, base)
				} else {
					m.end = max(m.end, record.Batch(b).NextOffset())
				}
			}
			m.flushed = min(m.flushed, m.end)
		}, func() error { return r.l.TruncateTo(offset) })
	}
	for _, do := range []func() error{
		func() error { return put(12, 0) },
		r.flush,
		func() error { return put(20, 0) },
		func() error { r.l.UpdateHighWatermark(40); return nil },
		func() error { return r.step(nil, r.b.store.WriteCheckpoints) },
		func() error {
			return r.step(func(m *model) { m.start, m.durable = 5, 5 }, func() error { return r.l.IncrementLogStartOffset(5) })
		},
		r.flush,
		func() error { return put(20, 1) },
		func() error { return truncate(70) },
		func() error { return put(3, 2) },
		r.flush,
		func() error { return truncate(30) },
		func() error { return put(25, 3) },
		r.reopen,
		func() error { return put(10, 4) },
		func() error {
			r.l.UpdateHighWatermark(r.l.LogEndOffset())
			cfg := r.l.Config()
			cfg.RetentionBytes = 600
			r.l.SetConfig(cfg)
			return r.step(func(m *model) { m.start = 1 << 40 }, func() error {
				_, err := r.l.DeleteOldSegments()
				return err
			})
		},
		func() error { r.after.start = r.l.LogStartOffset(); r.before = r.after; return nil },
		func() error { return r.step(nil, func() error { r.b.store.RemoveDue(); return nil }) },
		func() error { return put(10, 5) },
		r.flush,
		func() error {
			clear(seq)
			return r.step(func(m *model) { *m = *newModel(); m.end, m.start = 500, 500 },
				func() error { return r.l.TruncateFullyAndStartAt(500) })
		},
		func() error { return put(10, 6) },
		r.flush,
		func() error {
			clear(seq)
			return r.step(func(m *model) {
				old := m.clone()
				*m = *newModel()
				m.deleted = old
			}, func() error { return r.b.store.Delete(tp0) })
		},
		func() error {
			r.l, err = r.b.store.Create(tp0, testTopicID, r.b.cfg, nil)
			return err
		},
		func() error { return put(12, 0) },
		r.flush,
		func() error {
			r.b.clock.now = r.b.clock.now.Add(1e12)
			return r.step(nil, func() error { r.b.store.RemoveDue(); return nil })
		},
		func() error { return r.step(nil, r.b.store.WriteCheckpoints) },
		func() error { return r.step(nil, r.b.store.Close) },
	} {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// check opens what a crash has left and compares it with the model. kill: the process died, the disk did not.
func (r *crashRun) check(disk *vfs.Mem, kill bool) error {
	b := newBed(r.b.t, disk)
	b.clock.now = r.b.clock.now
	if err := b.tryOpen(); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	l, err := b.store.Create(tp0, testTopicID, b.cfg, nil)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	may := []*model{r.before, r.after}
	if old := r.before.deleted; old != nil && !kill {
		may = append(may, old)
	}
	var errs []error
	for _, m := range may {
		errs = append(errs, m.allows(l, kill))
	}
	if !slices.Contains(errs, nil) {
		return errors.Join(errs...)
	}
	// It is a log like any other: it takes records and survives a clean stop.
	end := l.LogEndOffset()
	epoch, _ := l.LatestEpoch()
	info, err := l.AppendAsLeader(batchOf(2, 30, 1e6), max(epoch, 0), AppendOptions{})
	if err != nil || info.FirstOffset != end {
		return fmt.Errorf("append after recovery: at %d: %w", info.FirstOffset, err)
	}
	before, err := readAll(l)
	if err != nil {
		return fmt.Errorf("after an append: %w", err)
	}
	if err := b.store.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if err := b.tryOpen(); err != nil {
		return fmt.Errorf("second open: %w", err)
	}
	l, err = b.store.Create(tp0, testTopicID, b.cfg, nil)
	if err != nil {
		return err
	}
	if after, err := readAll(l); err != nil || !slices.Equal(before, after) {
		return fmt.Errorf("a clean stop changed the log from %v to %v: %w", before, after, err)
	}
	return nil
}

// allows says whether the log l may be what a crash left of m.
func (m *model) allows(l *Log, kill bool) error {
	start, end := l.LogStartOffset(), l.LogEndOffset()
	if start < m.durable {
		return fmt.Errorf("the log start is %d, but %d was durable", start, m.durable)
	}
	if start > m.start {
		return fmt.Errorf("the log starts at %d, not at or below %d", start, m.start)
	}
	if kill && end != m.end || end < m.flushed {
		return fmt.Errorf("the log ends at %d; it ended at %d and was flushed to %d", end, m.end, m.flushed)
	}
	offsets, err := readAll(l)
	if err != nil {
		return err
	}
	next, lastEpoch := start, int32(-1)
	for _, base := range offsets {
		got, err := l.ReadBytes(max(base, start), 1, end)
		if err != nil {
			return err
		}
		batch := record.Batch(got)
		if base > next {
			return fmt.Errorf("a hole before offset %d", base)
		}
		if epoch := batch.PartitionLeaderEpoch(); epoch < lastEpoch {
			return fmt.Errorf("epoch %d after %d at offset %d", epoch, lastEpoch, base)
		} else if e, ok := l.EpochForOffset(max(base, start)); !ok || e != epoch {
			return fmt.Errorf("the epoch cache says %d for offset %d, its batch %d", e, base, epoch)
		} else {
			lastEpoch = epoch
		}
		next = batch.NextOffset()
		if base >= m.flushed && !kill {
			if !slices.ContainsFunc(m.ever[base], func(b []byte) bool { return bytes.Equal(b, got) }) {
				return fmt.Errorf("a batch at offset %d that was never appended", base)
			}
		} else if !bytes.Equal(m.now[base], got) {
			return fmt.Errorf("another batch at offset %d", base)
		}
		for offset := max(batch.BaseOffset(), start); offset <= batch.LastOffset(); offset++ { // every offset leads to its batch
			s, err := l.Read(offset, 1, end, true)
			if err != nil {
				return err
			}
			if s.BaseOffset() != base {
				return fmt.Errorf("reading offset %d leads to %d, not to %d", offset, s.BaseOffset(), base)
			}
			s.Release()
		}
		if at, _, _, ok, err := l.OffsetForTimestamp(batch.MaxTimestamp()); err != nil || !ok || at > batch.LastOffset() {
			return fmt.Errorf("timestamp %d of offset %d leads to %d: %w", batch.MaxTimestamp(), base, at, err)
		}
	}
	if next != end {
		return fmt.Errorf("the last batch ends at %d, the log at %d", next, end)
	}
	return nil
}

func TestACrashAtAnyOperationLeavesALegalLog(t *testing.T) {
	t.Run("synced one by one", func(t *testing.T) { sweep(t, false) })
	t.Run("synced together", func(t *testing.T) { sweep(t, true) })
}

func sweep(t *testing.T, together bool) {
	total := vfs.NewFault(vfs.NewMem())
	run := &crashRun{b: crashBed(t, total), before: newModel(), after: newModel()}
	run.b.together = together
	require.NoError(t, run.story())
	t.Logf("%d operations", total.Count())
	require.Greater(t, total.Count(), 300)
	stride := 1
	if testing.Short() {
		stride = 7
	}
	for n := 0; n <= total.Count(); n += stride {
		disk := vfs.NewMem()
		fault := vfs.NewFault(disk)
		fault.CrashAfter(n)
		run := &crashRun{b: crashBed(t, fault), before: newModel(), after: newModel()}
		run.b.together = together
		err := run.story()
		require.Equal(t, err == nil, !fault.Crashed() || n == total.Count(), "operation %d: %v", n, err)
		require.NoError(t, run.check(disk.Clone(), true), "killed at operation %d", n)
		for seed := range uint64(3) {
			require.NoError(t, run.check(disk.CrashClone(rand.New(rand.NewPCG(uint64(n), seed))), false), "power cut at operation %d, seed %d", n, seed)
		}
	}
}

func crashBed(t testing.TB, fs vfs.FS) *bed {
	b := newBed(t, fs)
	b.cfg.SegmentBytes, b.cfg.IndexIntervalBytes = 1500, 200
	return b
}
