package api

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"reflect"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/controller"
	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/memnet"
	"github.com/dohle-io/dohle/protocol"
)

// stubController refuses everything: the answer's shape is what is tested.
type stubController struct{ last controller.Call }

func (s *stubController) Handle(_ context.Context, call controller.Call, req kmsg.Request) (kmsg.Response, error) {
	s.last = call
	return nil, protocol.Errorf(kerr.PolicyViolation, "not today")
}

type stubQuorum struct{}

func (stubQuorum) Handle(context.Context, kmsg.Request) (kmsg.Response, error) {
	return nil, kerr.NotLeaderForPartition
}
func (stubQuorum) Leader() (int32, int32, quorum.Address, bool) { return 1, 3, quorum.Address{}, true }

// loop is a ControllerClient that hands requests to this node's own controller rows.
type loop struct{ d *Dispatcher }

func (l loop) Send(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	row, _ := l.d.Lookup(req.Key(), true)
	c := &server.Ctx{Header: protocol.RequestHeader{Key: req.Key(), Version: req.GetVersion()}, Listener: "CONTROLLER", Controller: true, Context: ctx,
		Client: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}, Conn: &server.ConnState{ID: 77}, Now: clock.Machine.Now()}
	return row.Handle(c, req).Response(), nil
}

// wiredRig is a dataRig with the other rooms filled in.
func wiredRig(t testing.TB) (*dataRig, *Dispatcher, *stubController) {
	r := memRig(t)
	r.topic("plain", 3)
	r.topic("__consumer_offsets", 2)
	stub := &stubController{}
	h := r.h
	h.ClusterID, h.Images, h.Quorum, h.Store, h.Controller = "abcdefghijklmnopqrstuv", NewImages(), stubQuorum{}, r.store, stub
	file, err := config.NewStatic(map[string]string{"node.id": "1", "process.roles": "broker", "controller.listener.names": "CONTROLLER",
		"controller.quorum.bootstrap.servers": "localhost:1", "listeners": "PLAINTEXT://localhost:9092", "log.dirs": "/data"})
	require.NoError(t, err)
	h.Config, h.Groups = file, leaderless(file)
	h.Images.Publish(r.img)
	d := NewDispatcher(Table, h)
	h.Controllers = loop{d}
	return r, d, stub
}

// randomize fills the exported fields of a message with small random values that encode; depth bounds nesting.
func randomize(r *rand.Rand, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Pointer:
		if depth > 4 || r.IntN(4) == 0 {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		randomize(r, v.Elem(), depth+1)
	case reflect.Struct:
		if d, ok := v.Addr().Interface().(interface{ Default() }); ok {
			d.Default()
		}
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Version" && name != "UnknownTags" && v.Field(i).CanSet() {
				randomize(r, v.Field(i), depth+1)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, r.IntN(20))
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			v.SetBytes(b)
			return
		}
		n := r.IntN(3)
		if depth > 5 {
			n = 0
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			randomize(r, v.Index(i), depth+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(r.Uint32N(256)))
		}
	case reflect.String:
		v.SetString([]string{"plain", "x", "", "no/such", "other-topic", "1"}[r.IntN(6)])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.IntN(6)) - 1)
	case reflect.Float64:
		v.SetFloat(r.Float64())
	}
}

// quiet takes the waits out of a random request.
func quiet(req kmsg.Request) {
	switch q := req.(type) {
	case *kmsg.FetchRequest:
		q.MaxWaitMillis, q.ReplicaID, q.SessionEpoch = 0, -1, -1
	case *kmsg.ProduceRequest:
		q.Acks = 1
	case *kmsg.DeleteRecordsRequest:
		q.TimeoutMillis = 1
	}
}

// TestEveryRowAnswersEveryVersion sends random requests of each key and version to a server in this process and
// walks the answers.
func TestEveryRowAnswersEveryVersion(t *testing.T) {
	_, d, _ := wiredRig(t)
	network := memnet.New()
	s := server.New(server.Options{Net: network, Clock: clock.Machine, Log: zerolog.Nop(), Dispatcher: d, Listeners: []server.Listener{
		{Name: "PLAINTEXT", Host: "localhost"}, {Name: "CONTROLLER", Host: "localhost", Controller: true}}})
	require.NoError(t, s.Listen())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	rng := rand.New(rand.NewPCG(7, 7))
	for _, a := range Table {
		for _, on := range []Listeners{OnBroker, OnController} {
			if a.On()&on == 0 {
				continue
			}
			name := map[Listeners]string{OnBroker: "PLAINTEXT", OnController: "CONTROLLER"}[on]
			for v := a.Min; v <= a.Max; v++ {
				t.Run(fmt.Sprintf("%s v%d on %s", a.Name, v, name), func(t *testing.T) {
					nc, err := network.Dial(ctx, "tcp", s.Addrs()[name][0].String())
					require.NoError(t, err)
					defer nc.Close()
					for i := range 20 {
						req := kmsg.RequestForKey(a.Key)
						if i > 0 { // the first is empty
							randomize(rng, reflect.ValueOf(req).Elem(), 0)
						}
						req.SetVersion(v)
						quiet(req)
						sendAndWalk(t, nc, int32(i), req)
					}
				})
			}
		}
	}
	require.Zero(t, s.Stats().DecodingFaults)
}

func sendAndWalk(t *testing.T, nc net.Conn, id int32, req kmsg.Request) {
	t.Helper()
	nc.SetDeadline(clock.Machine.Now().Add(10 * time.Second))
	_, err := nc.Write(protocol.AppendRequest(nil, "test", id, req))
	require.NoError(t, err)
	var head [4]byte
	_, err = io.ReadFull(nc, head[:])
	require.NoError(t, err, "%+v", req)
	frame := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err = io.ReadFull(nc, frame)
	require.NoError(t, err)
	got, resp, err := protocol.DecodeResponse(req, frame)
	require.NoError(t, err, "%+v", req)
	require.Equal(t, id, got)
	require.Equal(t, req.GetVersion(), resp.GetVersion())
}
