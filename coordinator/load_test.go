package coordinator

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol/record"
)

// A log that compaction left with gaps, also at its end, is loaded up to its end offset (G7).
func TestLoadEndsAtTheEndOfTheLogWhereRecordsAreMissing(t *testing.T) {
	bubble(t, func(r *rig) {
		for i := range 10 {
			r.ask(write(fmt.Sprint("k", i), fmt.Sprint(i)))
		}
		var kept []byte
		for rest := r.log.bytes; len(rest) > 0; {
			var b record.Batch
			var err error
			b, rest, err = record.Next(rest)
			require.NoError(t, err)
			if at := b.BaseOffset(); at == 0 || at == 4 || at == 5 {
				kept = append(kept, b...)
			}
		}
		for name, bytes := range map[string][]byte{"gaps": kept, "nothing is left": nil} {
			other := r.newLog()
			other.bytes, other.end, other.high = bytes, 10, 10
			r.shards.Lead(1, int32(len(name)), other)
			synctest.Wait()
			want := "map[k0:0 k4:4 k5:5]"
			if bytes == nil {
				want = "map[]"
			}
			got := said(r.shards.Ask(context.Background(), 1, refusal, func(w *words, turn Turn) Result { return turn.Answer(say(fmt.Sprint(w.values))) }))
			require.Equal(t, want, got, name)
			r.shards.Resign(1, int32(len(name)))
		}
	})
}

// A load that a later leadership, or its end, overtakes leaves nothing behind (G7).
func TestLoadsAndResignationsThatCrossFollowTheNewestEpoch(t *testing.T) {
	bubble(t, func(r *rig) {
		r.ask(write("a", "1"))
		slow := r.newLog()
		slow.bytes, slow.end, slow.high, slow.gate = r.log.bytes, r.log.end, r.log.high, make(chan struct{})
		r.shards.Lead(1, 7, slow)
		synctest.Wait() // the load of epoch 7 waits for its disk
		ask := func() string { return said(r.shards.Ask(context.Background(), 1, refusal, read("a"))) }
		r.shards.Lead(1, 6, r.newLog()) // late news
		r.shards.Resign(1, 6)
		require.Equal(t, kerr.CoordinatorLoadInProgress.Message, ask())
		fast := r.newLog()
		r.shards.Lead(1, 8, fast)
		close(slow.gate)
		synctest.Wait()
		require.Empty(t, ask(), "epoch 8 has an empty log")
		r.shards.Resign(1, 8)
		require.Equal(t, kerr.NotCoordinator.Message, ask())
	})
}

// Requests, timers, images, and leaderships that come and go at once neither race nor lock each other out, and every
// request is answered (G14). The race detector and the bubble's deadlock check are the judges.
func TestStormOfRequestsAndLeadershipsEnds(t *testing.T) {
	bubble(t, func(r *rig) {
		logs := []*memLog{r.newLog(), r.newLog(), r.newLog()}
		var storm sync.WaitGroup
		for p := range logs {
			storm.Go(func() {
				for epoch := range int32(50) {
					r.shards.Lead(int32(p), 10+epoch, logs[p])
					time.Sleep(time.Millisecond)
					if epoch%3 == 0 {
						r.shards.Resign(int32(p), 10+epoch)
					}
				}
				r.shards.Lead(int32(p), 100, logs[p])
			})
		}
		for n := range 8 {
			storm.Go(func() {
				for i := range 200 {
					partition := int32((n + i) % len(logs))
					r.shards.Ask(context.Background(), partition, refusal, func(w *words, turn Turn) Result {
						res := write(fmt.Sprint("k", i%7), fmt.Sprint(n))(w, turn)
						res.Timers = []Set{{Timer{Group: fmt.Sprint("t", i%5)}, turn.Now.Add(time.Duration(i%9) * time.Millisecond)}}
						return res
					})
					if i%10 == 0 {
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
		storm.Go(func() {
			for i := range 100 {
				r.shards.Publish(&metadata.Image{Offset: int64(i)}, nil)
				r.shards.Moved(int32(i % 3))
				time.Sleep(500 * time.Microsecond)
			}
		})
		storm.Wait()
		synctest.Wait()
		for p := range logs {
			var images []int64
			require.True(t, r.shards.View(int32(p), func(w *words) { images = w.images }))
			require.IsIncreasing(t, append([]int64{-2}, images...))
			require.Equal(t, int64(99), images[len(images)-1])
		}
	})
}
