package compat

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The broker is killed at random moments under load and started again, KILLS times (8 unless set; `make kills` and LONG=1 60).
// Nothing acknowledged is lost, and with idempotence nothing is there twice or out of order.
func TestKillsLoseNothing(t *testing.T) {
	kills := 8
	if long {
		kills = 60
	}
	if n, err := strconv.Atoi(os.Getenv("KILLS")); err == nil {
		kills = n
	}
	seed := seeded(t, uint64(time.Now().UnixNano()))
	rng := rand.New(rand.NewPCG(seed, 0))

	dir, ports := t.TempDir(), freePorts(t, 2)
	p := single(t, filepath.Join(dir, "data"), ports[0], ports[1]).with(props{"num.partitions": "3", "log.segment.bytes": "1048576"})
	n := startDohle(t, dir, p, "-t", clusterID, "--standalone")

	ctx, stop := context.WithCancel(t.Context())
	writers := []*writer{
		{topic: "all-acks", opts: []kgo.Opt{kgo.RequiredAcks(kgo.AllISRAcks())}, once: true},
		{topic: "one-ack", opts: []kgo.Opt{kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite()}},
	}
	var done sync.WaitGroup
	for _, w := range writers {
		done.Go(func() { w.run(ctx, t, n.bootstrap) })
	}
	var back []time.Duration
	for range kills {
		select {
		case <-time.After(time.Duration(200+rng.IntN(1500)) * time.Millisecond):
		case <-ctx.Done():
		}
		n.kill()
		start := time.Now()
		n = startDohle(t, dir, p)
		back = append(back, time.Since(start))
	}
	stop()
	done.Wait()
	slices.Sort(back)
	t.Logf("serving again after a kill: median %v, longest %v of %d", back[len(back)/2], back[len(back)-1], kills)
	for _, w := range writers {
		w.check(t, n.bootstrap)
	}
}

// writer produces numbered values until its context ends and remembers which were acknowledged where.
type writer struct {
	topic string
	opts  []kgo.Opt
	once  bool // the producer is idempotent: each value stands in the log exactly once

	mu    sync.Mutex
	acked map[string]int64 // value -> offset, by partition in the value's head
}

func (w *writer) run(ctx context.Context, t *testing.T, bootstrap string) {
	w.acked = map[string]int64{}
	client, err := kgo.NewClient(append(w.opts, kgo.SeedBrokers(bootstrap), kgo.AllowAutoTopicCreation(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(2*time.Millisecond), kgo.RecordRetries(1<<30), kgo.UnknownTopicRetries(-1))...)
	if err != nil {
		t.Error(err)
		return
	}
	defer client.Close()
	for i := 0; ctx.Err() == nil; i++ {
		r := &kgo.Record{Topic: w.topic, Partition: int32(i % 3), Value: fmt.Appendf(nil, "%d-%08d", i%3, i)}
		client.Produce(context.Background(), r, func(r *kgo.Record, err error) {
			if err != nil {
				t.Errorf("%s: %s was refused: %v", w.topic, r.Value, err)
				return
			}
			w.mu.Lock()
			w.acked[string(r.Value)] = r.Offset
			w.mu.Unlock()
		})
		if i%50 == 0 {
			time.Sleep(time.Millisecond) // a bounded load: about 50,000 a second
		}
	}
	flush, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := client.Flush(flush); err != nil {
		t.Errorf("%s: %v", w.topic, err)
	}
}

func (w *writer) check(t *testing.T, bootstrap string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(w.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	must(t, err)
	defer client.Close()
	seen, last := map[string]int64{}, map[int32]string{}
	ends := endOffsets(t, ctx, client, w.topic)
	for done := map[int32]bool{}; len(done) < len(ends); {
		fetches := client.PollFetches(ctx)
		must(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			value := string(r.Value)
			if at, twice := seen[value]; twice && w.once {
				t.Errorf("%s: %s stands at %d and at %d", w.topic, value, at, r.Offset)
			} else if !twice {
				seen[value] = r.Offset
			}
			if w.once && value <= last[r.Partition] {
				t.Errorf("%s: %s comes after %s", w.topic, value, last[r.Partition])
			}
			last[r.Partition] = value
			if at, ok := w.acked[value]; ok && w.once && at != r.Offset {
				t.Errorf("%s: %s was acknowledged at %d and stands at %d", w.topic, value, at, r.Offset)
			}
			if r.Offset >= ends[r.Partition]-1 {
				done[r.Partition] = true
			}
		})
	}
	lost := 0
	for value := range w.acked {
		if _, ok := seen[value]; !ok {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%s: %d of %d acknowledged records are lost", w.topic, lost, len(w.acked))
	}
	t.Logf("%s: %d acknowledged, %d read, %d lost", w.topic, len(w.acked), len(seen), lost)
}
