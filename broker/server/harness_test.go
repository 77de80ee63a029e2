package server

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/memnet"
	"github.com/dohle-io/dohle/protocol"
)

// rows is a Dispatcher by hand.
type rows map[int16]*Row

func (r rows) Lookup(key int16, _ bool) (*Row, bool) {
	row, ok := r[key]
	return row, ok
}

// answering is a row that replies with the empty response of the request.
func answering(key, minVersion, maxVersion int16) *Row {
	return &Row{Key: key, Name: kmsg.NameForKey(key), Min: minVersion, Max: maxVersion,
		Handle: func(c *Ctx, req kmsg.Request) Answer { return Reply(req.ResponseKind()) }}
}

// running is a server on a network in memory, or another one.
type running struct {
	*Server
	t    testing.TB
	net  memnet.Net
	addr string
	stop func()
}

const testListener = "PLAINTEXT"

// start runs a server until the test's end, or until stop, whichever is first.
func start(t testing.TB, d Dispatcher, change func(*Options)) *running {
	t.Helper()
	o := Options{
		Listeners:  []Listener{{Name: testListener, Host: "localhost"}},
		Net:        memnet.New(),
		Clock:      clock.Machine,
		Log:        zerolog.Nop(),
		Dispatcher: d,
		Budget:     NewBudget(64 << 20),
	}
	if change != nil {
		change(&o)
	}
	s := New(o)
	require.NoError(t, s.Listen())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	r := &running{Server: s, t: t, net: o.Net, addr: s.Addrs()[o.Listeners[0].Name][0].String()}
	r.stop = func() { cancel(); <-ended }
	t.Cleanup(r.stop)
	return r
}

// client is a raw connection.
type client struct {
	t  testing.TB
	nc net.Conn
	id int32
}

func (r *running) dial() *client {
	r.t.Helper()
	nc, err := r.net.Dial(context.Background(), "tcp", r.addr)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { nc.Close() })
	return &client{t: r.t, nc: nc}
}

// send writes a request and returns its correlation id.
func (c *client) send(req kmsg.Request) int32 {
	c.t.Helper()
	c.id++
	_, err := c.nc.Write(protocol.AppendRequest(nil, "test", c.id, req))
	require.NoError(c.t, err)
	return c.id
}

// frame reads one answer without its length.
func (c *client) frame() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.nc, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(c.nc, b)
	return b, err
}

// nextID reads one answer and returns its correlation id.
func (c *client) nextID() int32 {
	c.t.Helper()
	b, err := c.frame()
	require.NoError(c.t, err)
	return int32(binary.BigEndian.Uint32(b))
}

// closed reports how the connection ended; it fails the test if an answer comes instead.
func (c *client) closed() {
	c.t.Helper()
	b, err := c.frame()
	require.Error(c.t, err, "an answer of %d bytes came", len(b))
}

func (c *client) raw(b []byte) {
	c.t.Helper()
	_, err := c.nc.Write(b)
	require.NoError(c.t, err)
}

func versions(v int16) *kmsg.ApiVersionsRequest {
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = v, "test", "1"
	return req
}

func produce(acks int16, records int) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 9, acks, 1000
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic = "t"
	part := kmsg.NewProduceRequestTopicPartition()
	part.Records = make([]byte, records)
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	return req
}

// quiet reports whether no byte comes within d (fake time in a bubble).
func (c *client) quiet(d time.Duration) bool {
	c.nc.SetReadDeadline(clock.Machine.Now().Add(d))
	defer c.nc.SetReadDeadline(time.Time{})
	var one [1]byte
	_, err := c.nc.Read(one[:])
	return errors.Is(err, os.ErrDeadlineExceeded)
}
