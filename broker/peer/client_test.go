package peer

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/memnet"
	"github.com/dohle-io/dohle/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is the other side: it answers requests with the functions given, one connection after the other.
type node struct {
	t      *testing.T
	addr   string
	accept atomic.Int32
	mute   atomic.Bool // read, never answer

	mu     sync.Mutex
	answer func(h protocol.RequestHeader, req kmsg.Request) kmsg.Response // nil response = none
	seen   []protocol.RequestHeader
}

// serve starts a node that knows versions; it ends with the network's listener.
func serve(t *testing.T, n *memnet.Network, versions map[int16][2]int16) *node {
	l, err := n.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &node{t: t, addr: l.Addr().String()}
	s.answer = func(_ protocol.RequestHeader, req kmsg.Request) kmsg.Response { return req.ResponseKind() }
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			s.accept.Add(1)
			go func() {
				defer nc.Close()
				for {
					var head [4]byte
					if _, err := readFull(nc, head[:]); err != nil {
						return
					}
					frame := make([]byte, binary.BigEndian.Uint32(head[:]))
					if _, err := readFull(nc, frame); err != nil {
						return
					}
					h, body, err := protocol.ParseRequestHeader(frame)
					if err != nil {
						return
					}
					req, err := protocol.DecodeRequest(h, body)
					if err != nil {
						return
					}
					s.mu.Lock()
					s.seen = append(s.seen, h)
					answer := s.answer
					s.mu.Unlock()
					var resp kmsg.Response
					if h.Key == 18 {
						resp = versionsAnswer(req, versions)
					} else if !s.mute.Load() {
						resp = answer(h, req)
					}
					if resp != nil {
						if _, err := nc.Write(protocol.AppendResponse(nil, h.CorrelationID, resp)); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return s
}

func readFull(nc interface{ Read([]byte) (int, error) }, b []byte) (int, error) {
	for got := 0; got < len(b); {
		n, err := nc.Read(b[got:])
		if got += n; err != nil && got < len(b) {
			return got, err
		}
	}
	return len(b), nil
}

func versionsAnswer(req kmsg.Request, versions map[int16][2]int16) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	for key, v := range versions {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = key, v[0], v[1]
		resp.ApiKeys = append(resp.ApiKeys, k)
	}
	return resp
}

func client(t *testing.T, n memnet.Net, change func(*Options)) *Client {
	o := Options{Net: n, Clock: clock.Machine, Log: zerolog.Nop(), ClientID: "tester"}
	if change != nil {
		change(&o)
	}
	c := New(o)
	t.Cleanup(c.Close)
	return c
}

var usual = map[int16][2]int16{3: {0, 13}, 62: {0, 4}, 63: {0, 2}, 1: {4, 17}, 52: {0, 2}, 58: {0, 0}}

func TestSendPicksTheHighestCommonVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		s := serve(t, n, map[int16][2]int16{3: {0, 9}, 1: {4, 50}, 19: {90, 99}})
		c := client(t, n, nil)
		ctx := context.Background()
		_, err := c.Send(ctx, s.addr, kmsg.NewPtrMetadataRequest())
		require.NoError(t, err)
		_, err = c.Send(ctx, s.addr, kmsg.NewPtrFetchRequest())
		require.NoError(t, err)
		_, err = c.Send(ctx, s.addr, kmsg.NewPtrCreateTopicsRequest())
		assert.ErrorIs(t, err, ErrUnsupported)
		_, err = c.Send(ctx, s.addr, kmsg.NewPtrVoteRequest())
		assert.ErrorIs(t, err, ErrUnsupported)
		s.mu.Lock()
		defer s.mu.Unlock()
		got := map[int16]int16{}
		for _, h := range s.seen {
			got[h.Key] = h.Version
		}
		assert.Equal(t, map[int16]int16{18: 3, 3: 9, 1: 18}, got)
	})
}

func TestManySendersShareOneConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		s := serve(t, n, usual)
		s.answer = func(_ protocol.RequestHeader, req kmsg.Request) kmsg.Response {
			resp := req.ResponseKind().(*kmsg.MetadataResponse)
			name := *req.(*kmsg.MetadataRequest).Topics[0].Topic
			resp.ClusterID = &name
			return resp
		}
		c := client(t, n, nil)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				name := string(rune('a' + i%26))
				req := kmsg.NewPtrMetadataRequest()
				topic := kmsg.NewMetadataRequestTopic()
				topic.Topic = &name
				req.Topics = append(req.Topics, topic)
				resp, err := c.Send(context.Background(), s.addr, req)
				if assert.NoError(t, err) {
					assert.Equal(t, name, *resp.(*kmsg.MetadataResponse).ClusterID)
				}
			})
		}
		wg.Wait()
		assert.Equal(t, int32(1), s.accept.Load())
	})
}

func TestLanesKeepLongWaitsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		s := serve(t, n, usual)
		parked := make(chan struct{})
		s.answer = func(h protocol.RequestHeader, req kmsg.Request) kmsg.Response {
			if h.Key == 1 {
				<-parked
			}
			return req.ResponseKind()
		}
		c := client(t, n, nil)
		done := make(chan error)
		go func() {
			_, err := c.Send(context.Background(), s.addr, kmsg.NewPtrFetchRequest())
			done <- err
		}()
		synctest.Wait()
		_, err := c.Send(context.Background(), s.addr, kmsg.NewPtrVoteRequest())
		require.NoError(t, err)
		close(parked)
		require.NoError(t, <-done)
		assert.Equal(t, int32(2), s.accept.Load())
	})
}

func TestTimeoutKillsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		s := serve(t, n, usual)
		s.mute.Store(true)
		c := client(t, n, func(o *Options) { o.RequestTimeout = 2 * time.Second })
		begun := clock.Machine.Now()
		_, err := c.Send(context.Background(), s.addr, kmsg.NewPtrMetadataRequest())
		assert.ErrorIs(t, err, ErrTimeout)
		assert.Equal(t, 2*time.Second, clock.Machine.Now().Sub(begun))
		s.mute.Store(false)
		_, err = c.Send(context.Background(), s.addr, kmsg.NewPtrMetadataRequest())
		require.NoError(t, err)
		assert.Equal(t, int32(2), s.accept.Load())
	})
}

func TestCallerThatGivesUpLeavesTheConnectionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		s := serve(t, n, usual)
		release := make(chan struct{})
		s.answer = func(h protocol.RequestHeader, req kmsg.Request) kmsg.Response {
			<-release
			return req.ResponseKind()
		}
		c := client(t, n, nil)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := c.Send(ctx, s.addr, kmsg.NewPtrMetadataRequest())
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		close(release)
		_, err = c.Send(context.Background(), s.addr, kmsg.NewPtrMetadataRequest())
		require.NoError(t, err)
		assert.Equal(t, int32(1), s.accept.Load())
	})
}

func TestFailedDialsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		c := client(t, n, nil)
		begun := clock.Machine.Now()
		for range 8 {
			_, err := c.Send(context.Background(), "127.0.0.1:9", kmsg.NewPtrMetadataRequest())
			assert.ErrorIs(t, err, ErrDisconnected)
		}
		// 50 + 100 + 200 + 400 + 800 + 1000 + 1000 ms
		assert.Equal(t, 3550*time.Millisecond, clock.Machine.Now().Sub(begun))
	})
}

func TestCloseFailsWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		s := serve(t, n, usual)
		s.mute.Store(true)
		c := client(t, n, nil)
		done := make(chan error)
		go func() {
			_, err := c.Send(context.Background(), s.addr, kmsg.NewPtrMetadataRequest())
			done <- err
		}()
		synctest.Wait()
		c.Close()
		assert.ErrorIs(t, <-done, ErrClosed)
		_, err := c.Send(context.Background(), s.addr, kmsg.NewPtrMetadataRequest())
		assert.ErrorIs(t, err, ErrClosed)
	})
}

func TestHostileAnswersEndTheConnection(t *testing.T) {
	for name, bytes := range map[string][]byte{
		"length beyond the bound": {0x7f, 0xff, 0xff, 0xff},
		"negative length":         {0xff, 0xff, 0xff, 0xff},
		"length of nothing":       {0, 0, 0, 0},
		"foreign correlation id":  {0, 0, 0, 8, 0, 0, 1, 1, 0, 0, 0, 0},
		"array bomb":              {0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := memnet.New()
				l, err := n.Listen("tcp", "127.0.0.1:0")
				require.NoError(t, err)
				defer l.Close()
				go func() {
					nc, err := l.Accept()
					if err != nil {
						return
					}
					defer nc.Close()
					readFull(nc, make([]byte, 4))
					nc.Write(bytes)
					readFull(nc, make([]byte, 1<<16))
				}()
				c := client(t, n, nil)
				_, err = c.Send(context.Background(), l.Addr().String(), kmsg.NewPtrMetadataRequest())
				assert.ErrorIs(t, err, ErrDisconnected)
			})
		})
	}
}

// fixedLeader is a LeaderFinder that tests move.
type fixedLeader struct {
	mu   sync.Mutex
	addr quorum.Address
	ok   bool
}

func (f *fixedLeader) Leader() (int32, int32, quorum.Address, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return 1, 1, f.addr, f.ok
}

func (f *fixedLeader) move(s *node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	host, port := splitHostPort(s.addr)
	f.addr, f.ok = quorum.Address{Host: host, Port: port}, true
}

func splitHostPort(addr string) (string, int32) {
	for i := len(addr) - 1; i >= 0; i-- {
		if addr[i] == ':' {
			port := int32(0)
			for _, c := range addr[i+1:] {
				port = port*10 + c - '0'
			}
			return addr[:i], port
		}
	}
	return addr, 0
}

func TestControllerChannelFollowsTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		old, active := serve(t, n, usual), serve(t, n, usual)
		old.answer = func(_ protocol.RequestHeader, req kmsg.Request) kmsg.Response {
			resp := req.ResponseKind().(*kmsg.BrokerHeartbeatResponse)
			resp.ErrorCode = kerr.NotController.Code
			return resp
		}
		leader := &fixedLeader{}
		ch := NewControllerChannel(client(t, n, nil), leader, 0)
		type outcome struct {
			resp kmsg.Response
			err  error
		}
		done := make(chan outcome)
		go func() {
			resp, err := ch.Send(context.Background(), kmsg.NewPtrBrokerHeartbeatRequest())
			done <- outcome{resp, err}
		}()
		clock.Sleep(context.Background(), clock.Machine, time.Second) // no leader yet
		leader.move(old)
		clock.Sleep(context.Background(), clock.Machine, time.Second)
		leader.move(active)
		o := <-done
		require.NoError(t, o.err)
		assert.Zero(t, o.resp.(*kmsg.BrokerHeartbeatResponse).ErrorCode)

		resp, err := ch.SendOnce(context.Background(), kmsg.NewPtrBrokerHeartbeatRequest())
		require.NoError(t, err)
		assert.NotNil(t, resp)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		leader.move(old)
		_, err = ch.Send(ctx, kmsg.NewPtrBrokerHeartbeatRequest())
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestErrorCodeIsFoundAtAnyDepth(t *testing.T) {
	resp := kmsg.NewPtrCreateTopicsResponse()
	assert.False(t, HasErrorCode(resp, 41))
	topic := kmsg.NewCreateTopicsResponseTopic()
	topic.ErrorCode = 41
	resp.Topics = append(resp.Topics, topic)
	assert.True(t, HasErrorCode(resp, 41))
	assert.False(t, HasErrorCode(nil, 41))
}

func BenchmarkSend(b *testing.B) {
	n := memnet.New()
	t := &testing.T{}
	s := serve(t, n, usual)
	c := New(Options{Net: n, Clock: clock.Machine, Log: zerolog.Nop()})
	defer c.Close()
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Send(context.Background(), s.addr, req); err != nil && !errors.Is(err, ErrClosed) {
			b.Fatal(err)
		}
	}
}
