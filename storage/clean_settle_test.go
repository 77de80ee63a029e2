package storage

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/protocol/record"
)

// retries sends the last batch of each idempotent producer once more: it must be known (P6).
func (r *cleanRun) retries() error {
	last := map[int64]record.Batch{}
	for _, b := range r.m.batches {
		if id := b.raw.ProducerID(); id >= 1 && !b.raw.IsControl() {
			last[id] = b.raw
			if b.raw.LastOffset() < r.m.start {
				delete(last, id)
			}
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
