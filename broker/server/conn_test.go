package server

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/protocol"
)

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, rows{3: answering(3, 0, 13), 18: answering(18, 0, 4)}, nil).dial()
		var want []int32
		for i := range 200 {
			if i%3 == 0 {
				want = append(want, c.send(versions(3)))
			} else {
				m := kmsg.NewPtrMetadataRequest()
				m.Version = int16(i % 14)
				want = append(want, c.send(m))
			}
		}
		for _, id := range want {
			require.Equal(t, id, c.nextID())
		}
	})
}

func TestLargeFrameComesWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sizes := []int{0, 100, 500, 600, 16<<10 - 80, 16 << 10, 64 << 10, 70 << 10, 3 << 20, 20 << 20}
		var seen []int
		d := rows{0: {Key: 0, Name: "Produce", Min: 3, Max: 13, Handle: func(c *Ctx, req kmsg.Request) Answer {
			seen = append(seen, len(req.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records))
			return Reply(req.ResponseKind())
		}}}
		r := start(t, d, nil)
		c := r.dial()
		for _, n := range sizes {
			id := c.send(produce(1, n))
			require.Equal(t, id, c.nextID())
		}
		assert.Equal(t, sizes, seen)
		synctest.Wait()
		assert.Zero(t, r.Stats().BudgetUsed)
	})
}

// lateGate is a Produce row whose answers wait until they are let go, in any order.
type lateGate struct {
	mu    sync.Mutex
	gates []chan struct{}
}

func (g *lateGate) row() *Row {
	return &Row{Key: 0, Name: "Produce", Min: 3, Max: 13, Pipelined: true, Handle: func(c *Ctx, req kmsg.Request) Answer {
		p := req.(*kmsg.ProduceRequest)
		switch p.Acks {
		case 0:
			return None()
		case 1:
			return Reply(req.ResponseKind())
		}
		g.mu.Lock()
		gate := make(chan struct{})
		g.gates = append(g.gates, gate)
		g.mu.Unlock()
		resp := req.ResponseKind()
		return Later(func(ctx context.Context) Answer {
			select {
			case <-gate:
				return Reply(resp)
			case <-ctx.Done():
				return Close(ctx.Err())
			}
		})
	}}
}

func (g *lateGate) waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.gates)
}

func TestLaterLetsFurtherProduceInAndHoldsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &lateGate{}
		metadata := 0
		d := rows{0: g.row(), 3: {Key: 3, Name: "Metadata", Min: 0, Max: 13, Handle: func(c *Ctx, req kmsg.Request) Answer {
			metadata++
			return Reply(req.ResponseKind())
		}}}
		c := start(t, d, nil).dial()
		first := c.send(produce(-1, 10))
		second := c.send(produce(-1, 10))
		third := c.send(produce(1, 10)) // immediate, but must not pass the two
		c.send(produce(0, 10))          // no answer at all
		m := kmsg.NewPtrMetadataRequest()
		m.Version = 9
		fourth := c.send(m)
		fifth := c.send(produce(-1, 10)) // behind the Metadata, so not even handled
		synctest.Wait()
		assert.Equal(t, 2, g.waiting())
		assert.Zero(t, metadata)
		assert.True(t, c.quiet(time.Second))

		close(g.gates[1])
		assert.True(t, c.quiet(time.Second), "the second must wait for the first")
		close(g.gates[0])
		assert.Equal(t, first, c.nextID())
		assert.Equal(t, second, c.nextID())
		assert.Equal(t, third, c.nextID())
		assert.Equal(t, fourth, c.nextID())
		synctest.Wait()
		assert.Equal(t, 1, metadata)
		require.Equal(t, 3, g.waiting())
		close(g.gates[2])
		assert.Equal(t, fifth, c.nextID())
	})
}

func TestPeerThatLeavesEndsItsLateAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &lateGate{}
		closed := make(chan uint64, 1)
		r := start(t, rows{0: g.row()}, func(o *Options) {
			o.ConnectionClosed = func(c *ConnState, listener string, controller bool) { closed <- c.ID }
		})
		c := r.dial()
		c.send(produce(-1, 10))
		synctest.Wait()
		c.nc.Close()
		assert.Equal(t, uint64(1), <-closed)
		assert.Zero(t, r.Stats().Connections)
	})
}

func TestFullLateQueueStopsTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &lateGate{}
		c := start(t, rows{0: g.row()}, func(o *Options) { o.MaxLate = 4 }).dial()
		for range 20 {
			c.send(produce(-1, 10))
		}
		synctest.Wait()
		assert.LessOrEqual(t, g.waiting(), 6)
		for i := range 20 {
			synctest.Wait()
			close(g.gates[i])
			assert.Equal(t, int32(i+1), c.nextID())
		}
	})
}

// bytesBody counts its releases.
type bytesBody struct {
	b        []byte
	short    bool
	released *atomic.Int64
}

func (b bytesBody) Len() int { return len(b.b) }
func (b bytesBody) Release() { b.released.Add(1) }
func (b bytesBody) ReadAt(p []byte, off int64) (int, error) {
	if b.short && off+int64(len(p)) > int64(len(b.b)/2) {
		return 0, io.ErrUnexpectedEOF
	}
	return copy(p, b.b[off:]), nil
}

// splicing answers Fetch with bodies of the sizes given; a size of -1 is a null.
func splicing(sizes []int, short bool, released *atomic.Int64) *Row {
	return &Row{Key: 1, Name: "Fetch", Min: 4, Max: 18, Handle: func(c *Ctx, req kmsg.Request) Answer {
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic = "t"
		var bodies []Body
		for i, n := range sizes {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition = int32(i)
			topic.Partitions = append(topic.Partitions, p)
			if n < 0 {
				bodies = append(bodies, nil)
				continue
			}
			b := make([]byte, n)
			for j := range b {
				b[j] = byte(i + j)
			}
			bodies = append(bodies, bytesBody{b, short, released})
		}
		resp.Topics = append(resp.Topics, topic)
		head, cuts := protocol.EncodeFetchHead(c.Scratch(), c.Header.CorrelationID, resp, sizes)
		return Spliced(head, cuts, bodies)
	}}
}

func fetch(v int16) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version = v
	return req
}

func TestSplicedBodiesArriveInPlace(t *testing.T) {
	sizes := []int{0, 1, 70_000, -1, 3 << 20, 5, 1 << 20, 12}
	for _, v := range []int16{4, 11, 12, 17} {
		synctest.Test(t, func(t *testing.T) {
			var released atomic.Int64
			r := start(t, rows{1: splicing(sizes, false, &released), 18: answering(18, 0, 4)}, nil)
			c := r.dial()
			c.send(versions(3))
			req := fetch(v)
			c.send(req)
			c.send(versions(3))
			assert.Equal(t, int32(1), c.nextID())
			frame, err := c.frame()
			require.NoError(t, err)
			_, resp, err := protocol.DecodeResponse(req, frame)
			require.NoError(t, err)
			parts := resp.(*kmsg.FetchResponse).Topics[0].Partitions
			require.Len(t, parts, len(sizes))
			for i, n := range sizes {
				require.Len(t, parts[i].RecordBatches, max(n, 0))
				for j, b := range parts[i].RecordBatches {
					if b != byte(i+j) {
						t.Fatalf("byte %d of partition %d is %d", j, i, b)
					}
				}
			}
			assert.Equal(t, int32(3), c.nextID())
			assert.EqualValues(t, len(sizes)-1, released.Load())
			synctest.Wait()
			assert.Zero(t, r.Stats().BudgetUsed)
		})
	}
}

func TestBodyThatFailsClosesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var released atomic.Int64
		r := start(t, rows{1: splicing([]int{10, 4 << 20}, true, &released)}, nil)
		c := r.dial()
		c.send(fetch(12))
		_, err := c.frame()
		require.Error(t, err)
		synctest.Wait()
		assert.EqualValues(t, 2, released.Load())
		assert.Zero(t, r.Stats().BudgetUsed)
	})
}

func TestSlowReaderIsClosedAndHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var released atomic.Int64
		r := start(t, rows{1: splicing([]int{8 << 20}, false, &released), 18: answering(18, 0, 4)}, nil)
		slow, good := r.dial(), r.dial()
		slow.send(fetch(12)) // never read
		for range 10 {
			good.send(versions(3))
			good.nextID()
		}
		clock.Sleep(context.Background(), clock.Machine, 2*time.Minute)
		synctest.Wait()
		assert.EqualValues(t, 1, released.Load())
		assert.Equal(t, 1, r.Stats().Connections)
		assert.Zero(t, r.Stats().BudgetUsed)
	})
}

func TestIdleConnectionIsClosedAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, rows{18: answering(18, 0, 4)}, func(o *Options) { o.IdleTimeout = 10 * time.Minute })
		c := r.dial()
		for range 3 {
			clock.Sleep(context.Background(), clock.Machine, 9*time.Minute+59*time.Second)
			c.send(versions(3))
			c.nextID()
		}
		begun := clock.Machine.Now()
		c.closed()
		assert.InDelta(t, 600, clock.Machine.Now().Sub(begun).Seconds(), 1)
	})
}

// waiters are the ways in which a connection waits for something but its peer; each leaves c in such a wait, for ever.
var waiters = map[string]func(r *running, c *client){
	"a poll":               func(_ *running, c *client) { c.send(kmsg.NewPtrMetadataRequest()) },
	"a decision":           func(_ *running, c *client) { c.send(&kmsg.CreateTopicsRequest{Version: 5}) },
	"behind a late answer": func(_ *running, c *client) { c.send(produce(-1, 1)); c.send(versions(3)) },
}

// startWaiting is a server whose requests wait for what does not come before the test's end.
func startWaiting(t *testing.T, change func(*Options)) *running {
	until := func(wait func(*Ctx) <-chan struct{}) func(*Ctx, kmsg.Request) Answer {
		return func(c *Ctx, req kmsg.Request) Answer {
			<-wait(c)
			return Reply(req.ResponseKind())
		}
	}
	return start(t, rows{
		0:  (&lateGate{}).row(),
		3:  {Key: 3, Name: "Metadata", Max: 13, Handle: until(func(c *Ctx) <-chan struct{} { return c.Park().Done() })},
		18: answering(18, 0, 4),
		19: {Key: 19, Name: "CreateTopics", Max: 7, Handle: until(func(c *Ctx) <-chan struct{} { c.Park(); return c.Context.Done() })},
	}, change)
}

func TestWaitForTheIdleTimeIsClosed(t *testing.T) {
	for name, wait := range waiters {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := startWaiting(t, func(o *Options) { o.IdleTimeout = 10 * time.Minute })
				c, gone := r.dial(), r.dial()
				c.send(versions(3)) // time before the wait is not its own
				c.nextID()
				clock.Sleep(context.Background(), clock.Machine, 9*time.Minute)
				wait(r, c)
				if name == "a poll" { // whose client is no more
					gone.send(kmsg.NewPtrMetadataRequest())
					synctest.Wait()
				}
				gone.nc.Close()
				begun := clock.Machine.Now()
				c.closed()
				assert.InDelta(t, 640, clock.Machine.Now().Sub(begun).Seconds(), 41) // in an eighth of the time after it
				synctest.Wait()
				assert.Zero(t, r.Stats().Connections)
			})
		})
	}
}

func TestHalfFrameIsClosedAfterThirtySeconds(t *testing.T) {
	for _, claimed := range []byte{0, 2} { // inside the read buffer, and beyond it
		synctest.Test(t, func(t *testing.T) {
			r := start(t, rows{18: answering(18, 0, 4)}, nil)
			c := r.dial()
			begun := clock.Machine.Now()
			c.raw([]byte{0, claimed, 1, 0, 0, 18, 0, 3})
			c.closed()
			assert.InDelta(t, 30, clock.Machine.Now().Sub(begun).Seconds(), 31)
			synctest.Wait()
			assert.Zero(t, r.Stats().BudgetUsed)
		})
	}
}

func TestSpentBudgetStopsReadingAndDropsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := make(chan struct{})
		var handled sync.WaitGroup
		d := rows{0: {Key: 0, Name: "Produce", Min: 3, Max: 13, Handle: func(c *Ctx, req kmsg.Request) Answer {
			<-held // not parked: it keeps its bytes
			handled.Done()
			return Reply(req.ResponseKind())
		}}}
		r := start(t, d, func(o *Options) { o.Budget = NewBudget(4 << 20) })
		var clients []*client
		for range 12 {
			c := r.dial()
			handled.Add(1)
			clients = append(clients, c)
			go c.send(produce(1, 1<<20))
		}
		synctest.Wait()
		assert.LessOrEqual(t, r.Stats().BudgetUsed, int64(6<<20), "at most one frame over the bound")
		assert.Less(t, r.Stats().Requests, int64(12))
		close(held)
		handled.Wait()
		for _, c := range clients {
			assert.Equal(t, int32(1), c.nextID())
		}
		synctest.Wait()
		assert.Zero(t, r.Stats().BudgetUsed)
	})
}

func TestParkGivesTheFrameBackAndSendsWhatCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := make(chan struct{})
		d := rows{18: answering(18, 0, 4), 3: {Key: 3, Name: "Metadata", Min: 0, Max: 13, Handle: func(c *Ctx, req kmsg.Request) Answer {
			c.Park()
			<-wait
			return Reply(req.ResponseKind())
		}}}
		r := start(t, d, nil)
		c := r.dial()
		m := kmsg.NewPtrMetadataRequest()
		m.Version = 9
		c.raw(protocol.AppendRequest(protocol.AppendRequest(nil, "x", 1, versions(3)), "x", 2, m)) // in one write
		assert.Equal(t, int32(1), c.nextID())
		assert.Zero(t, r.Stats().BudgetUsed)
		close(wait)
		assert.Equal(t, int32(2), c.nextID())
	})
}

func TestCloseAnswersEarlierRequestsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := rows{18: answering(18, 0, 4), 0: {Key: 0, Name: "Produce", Min: 3, Max: 13, Pipelined: true, Handle: func(*Ctx, kmsg.Request) Answer {
			return Close(errors.New("acks=0 failed"))
		}}}
		c := start(t, d, nil).dial()
		c.raw(protocol.AppendRequest(protocol.AppendRequest(nil, "x", 1, versions(3)), "x", 2, produce(0, 1)))
		assert.Equal(t, int32(1), c.nextID())
		c.closed()
	})
}

func TestStopLetsRequestsFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := rows{3: {Key: 3, Name: "Metadata", Min: 0, Max: 13, Handle: func(c *Ctx, req kmsg.Request) Answer {
			<-c.Park().Done()
			return Reply(req.ResponseKind())
		}}}
		r := start(t, d, nil)
		c, idle := r.dial(), r.dial()
		m := kmsg.NewPtrMetadataRequest()
		id := c.send(m)
		synctest.Wait()
		begun := clock.Machine.Now()
		r.stop()
		assert.Zero(t, clock.Machine.Now().Sub(begun))
		assert.Equal(t, id, c.nextID())
		c.closed()
		idle.closed()
		_, err := r.net.Dial(context.Background(), "tcp", r.addr)
		assert.Error(t, err)
	})
}

func TestStopEndsStubbornRequestsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &lateGate{}
		d := rows{0: g.row(), 3: {Key: 3, Name: "Metadata", Min: 0, Max: 13, Handle: func(c *Ctx, req kmsg.Request) Answer {
			<-c.Context.Done()
			return Reply(req.ResponseKind())
		}}}
		r := start(t, d, nil)
		a, b := r.dial(), r.dial()
		id := a.send(kmsg.NewPtrMetadataRequest())
		b.send(produce(-1, 1))
		synctest.Wait()
		begun := clock.Machine.Now()
		r.stop()
		assert.Equal(t, defaultStopTimeout, clock.Machine.Now().Sub(begun))
		assert.Equal(t, id, a.nextID())
		b.closed()
	})
}

func TestConnectionCaps(t *testing.T) {
	t.Run("an address over its bound is refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, rows{18: answering(18, 0, 4)}, func(o *Options) {
				o.Limits = func() Limits { return Limits{MaxPerIP: 2} }
			})
			a, b, c := r.dial(), r.dial(), r.dial()
			c.closed()
			a.send(versions(0))
			a.nextID()
			b.nc.Close()
			synctest.Wait()
			d := r.dial()
			d.send(versions(0))
			d.nextID()
		})
	})
	t.Run("a full broker lets the next one wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, rows{18: answering(18, 0, 4)}, func(o *Options) {
				o.Limits = func() Limits { return Limits{MaxConnections: 1} }
			})
			a := r.dial()
			synctest.Wait()
			b := r.dial()
			b.send(versions(0))
			assert.True(t, b.quiet(time.Second))
			a.nc.Close()
			b.nextID()
		})
	})
	for name, wait := range waiters {
		t.Run("the protected listener makes room: "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { makesRoom(t, wait) })
		})
	}
	t.Run("the protected listener makes room: idle", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { makesRoom(t, func(*running, *client) {}) })
	})
}

// makesRoom has a connection wait, and another one of the protected listener come to a full broker.
func makesRoom(t *testing.T, wait func(*running, *client)) {
	r := startWaiting(t, func(o *Options) {
		o.Listeners = append(o.Listeners, Listener{Name: "INTERNAL", Host: "localhost"})
		o.Limits = func() Limits { return Limits{MaxConnections: 1, ProtectedListener: "INTERNAL"} }
	})
	a := r.dial()
	wait(r, a)
	synctest.Wait()
	nc, err := r.net.Dial(context.Background(), "tcp", r.Addrs()["INTERNAL"][0].String())
	require.NoError(t, err)
	defer nc.Close()
	b := &client{t: t, nc: nc}
	b.send(versions(0))
	b.nextID()
	a.closed()
	synctest.Wait()
	assert.Equal(t, 1, r.Stats().Connections)
}
