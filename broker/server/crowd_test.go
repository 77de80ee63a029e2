package server

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/protocol"
)

// TestCrowd runs many clients of all kinds against a budget that is far too small: late and immediate produce, large
// frames, spliced answers, clients that leave in the middle. All that stay get every answer in order, and nothing is
// left in the end. The seed is the test's name; time is the bubble's, so a deadlock is an error at once.
func TestCrowd(t *testing.T) {
	for seed := range uint64(2) {
		synctest.Test(t, func(t *testing.T) { crowd(t, seed) })
	}
}

func crowd(t *testing.T, seed uint64) {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 1))
	draw := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return rng.IntN(n)
	}
	var released atomic.Int64
	made := int64(0)
	fetchRow := splicing([]int{300_000, -1, 200_000, 3}, false, &released)
	spliced := fetchRow.Handle
	fetchRow.Handle = func(c *Ctx, req kmsg.Request) Answer {
		if draw(2) == 0 {
			c.Park()
			clock.Sleep(c.Context, clock.Machine, time.Duration(draw(50))*time.Millisecond)
		}
		mu.Lock()
		defer mu.Unlock()
		made += 3
		return spliced(c, req)
	}
	d := rows{1: fetchRow, 18: answering(18, 0, 4), 0: {Key: 0, Name: "Produce", Min: 3, Max: 13, Pipelined: true, Handle: func(c *Ctx, req kmsg.Request) Answer {
		resp := req.ResponseKind()
		if req.(*kmsg.ProduceRequest).Acks == 1 {
			return Reply(resp)
		}
		wait := time.Duration(draw(30)) * time.Millisecond
		due := clock.Machine.Now().Add(wait)
		return Later(func(ctx context.Context) Answer {
			if err := clock.Sleep(ctx, clock.Machine, due.Sub(clock.Machine.Now())); err != nil {
				return Close(err)
			}
			return Reply(resp)
		}).WhenReady(func() bool { return !clock.Machine.Now().Before(due) })
	}}}
	r := start(t, d, func(o *Options) { o.Budget, o.MaxLate = NewBudget(1<<20), 4 })
	var clients sync.WaitGroup
	for range 24 {
		clients.Go(func() {
			c := r.dial()
			leaves := draw(4) == 0
			done := make(chan struct{})
			ids := make(chan int32, 100)
			go func() { // reads while the other half writes, as clients do
				defer close(done)
				for id := range ids {
					if leaves {
						continue
					}
					frame, err := c.frame()
					if err != nil || int32(frame[0])<<24|int32(frame[1])<<16|int32(frame[2])<<8|int32(frame[3]) != id {
						t.Errorf("seed %d: answer to %d: %v", seed, id, err)
						return
					}
				}
			}()
			for i := range int32(30) {
				var req kmsg.Request
				switch draw(6) {
				case 0:
					req = fetch(12)
				case 1:
					req = versions(3)
				case 2:
					req = produce(1, draw(700_000))
				default:
					req = produce(-1, draw(40_000))
				}
				ids <- i
				_, err := c.nc.Write(protocol.AppendRequest(nil, "crowd", i, req))
				if leaves && err != nil { // cut, because it reads no answers
					break
				}
				require.NoError(t, err, "seed %d request %d", seed, i)
				if leaves && draw(20) == 0 {
					break
				}
			}
			close(ids)
			if leaves {
				c.nc.Close()
			}
			<-done
			c.nc.Close()
		})
	}
	clients.Wait()
	synctest.Wait()
	clock.Sleep(context.Background(), clock.Machine, time.Second)
	synctest.Wait()
	require.Equal(t, made, released.Load(), "bodies made and released")
	stats := r.Stats()
	require.Zero(t, stats.BudgetUsed)
	require.Zero(t, stats.Connections)
	require.Zero(t, stats.DecodingFaults)
}
