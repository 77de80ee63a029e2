package api

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/broker/server"
)

// Producers and consumers at once, with and without sessions: every consumer sees every record once and in order, and
// no wake-up is lost. A lost one would cost a whole wait.
func TestFetchUnderLoadMissesNothing(t *testing.T) {
	const partitions, producers, each = 4, 2, 150
	const wait = 20 * time.Second
	r := memRig(t)
	r.topic("a", partitions)
	start := time.Now()
	var wg sync.WaitGroup
	for producer := range producers {
		wg.Go(func() {
			for i := range each {
				index := int32(i % partitions)
				c := r.ctx()
				c.Conn = nil
				req := produceRequest(12, -1, "a", map[int32][]byte{index: batchOf(fmt.Sprintf("%d/%d", producer, i))})
				if p := r.produced(r.h.produce(c, req)); p.ErrorCode != 0 {
					t.Error(p.ErrorCode)
				}
				if i%10 == 0 {
					time.Sleep(time.Millisecond) // let the consumers drain and park
				}
			}
		})
	}
	for consumer := range 6 {
		wg.Go(func() {
			c := r.ctx()
			c.Conn = &server.ConnState{ID: uint64(consumer)}
			offsets := make([]int64, partitions)
			session, epoch := int32(0), int32(-1)
			if consumer%2 == 0 {
				epoch = 0
			}
			for got := 0; got < producers*each; {
				var asks []fetchAsk
				for i, offset := range offsets {
					asks = append(asks, fetchAsk{topic: "a", index: int32(i), offset: offset})
				}
				req := fetchRequest(int16(12+consumer%3), asks...)
				req.SessionID, req.SessionEpoch, req.MaxWaitMillis = session, epoch, int32(wait/time.Millisecond)
				resp := r.fetchAs(c, req)
				if resp.ErrorCode != 0 {
					t.Errorf("consumer %d: error %d", consumer, resp.ErrorCode)
					return
				}
				if epoch >= 0 {
					session, epoch = resp.SessionID, nextEpoch(epoch)
				}
				for _, topic := range resp.Topics {
					for _, p := range topic.Partitions {
						n := len(r.values(p))
						offsets[p.Partition] += int64(n)
						got += n
					}
				}
			}
			for i, offset := range offsets {
				if end := r.partition("a", int32(i)).Log().LogEndOffset(); offset > end {
					t.Errorf("consumer %d read to %d of %d", consumer, offset, end)
				}
			}
		})
	}
	wg.Wait()
	require.Less(t, time.Since(start), wait)
	require.Equal(t, 3, r.h.Data.Sessions.Len())
}
