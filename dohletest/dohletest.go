package dohletest

import (
	"context"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker"
	"github.com/dohle-io/dohle/broker/peer"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/memnet"
	"github.com/dohle-io/dohle/internal/vfs"
)

// Broker is a running broker that ends with its test.
type Broker struct {
	t    testing.TB
	b    *broker.Broker
	net  memnet.Net
	time *clock.Movable // nil without MovableTime
}

// Start starts a broker and returns when it serves. Any failure fails the test at once.
func Start(t testing.TB, opts ...Option) *Broker {
	t.Helper()
	o := options{configs: map[string]string{}}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	if o.err != nil {
		t.Fatalf("dohletest: %v", o.err)
	}
	b := &Broker{t: t, net: memnet.OS}
	start, err := o.broker(b)
	if err != nil {
		t.Fatalf("dohletest: %v", err)
	}
	ctx, cancel := clock.WithTimeout(context.Background(), startPatience)
	defer cancel()
	if b.b, err = broker.Start(ctx, start); err != nil {
		t.Fatalf("dohletest: the broker did not start: %v", err)
	}
	t.Cleanup(b.Stop)
	for _, topic := range o.topics {
		b.createTopic(ctx, topic)
	}
	return b
}

const (
	startPatience = 30 * time.Second
	stopPatience  = 10 * time.Second
)

func (o *options) broker(b *Broker) (broker.Options, error) {
	start := broker.Options{FormatEmpty: true, ClusterID: o.clusterID, Seed: o.seed, Clocks: clock.System(), FS: vfs.OS}
	if o.dir == "" {
		o.dir, start.FS = "/data", vfs.NewMem()
	}
	if o.network != nil {
		b.net, start.Net = o.network, o.network
	}
	if o.movable {
		b.time = clock.NewMovable(clock.Machine)
		start.Clocks.Broker = b.time
	}
	if o.log != nil {
		start.Log = *o.log
	} else {
		start.Log = zerolog.New(zerolog.NewTestWriter(b.t)).Level(zerolog.WarnLevel)
	}
	if o.listeners == "" {
		o.listeners = "PLAINTEXT://127.0.0.1:0"
	}
	base := map[string]string{
		"process.roles": "broker,controller", "node.id": "1", "log.dirs": o.dir,
		"listeners":                           o.listeners + ",CONTROLLER://127.0.0.1:0",
		"controller.listener.names":           "CONTROLLER",
		"controller.quorum.bootstrap.servers": "127.0.0.1:0",
	}
	maps.Copy(base, config.DevProfile(1))
	maps.Copy(base, o.configs)
	file, warnings, err := config.LoadFrom(config.Sources{Base: base, FS: start.FS, Strict: true})
	for _, w := range warnings {
		b.t.Logf("dohletest: %s: %s", w.Key, w.Message)
	}
	start.Config = file
	return start, err
}

// Bootstrap is the address of the first client listener, host:port.
func (b *Broker) Bootstrap() string { return b.b.Ready().Bootstrap }

// Listener is the address of a listener by its name, host:port; it fails the test when there is none of that name.
func (b *Broker) Listener(name string) string {
	b.t.Helper()
	ready := b.b.Ready()
	if addrs := ready.Listeners[strings.ToUpper(name)]; len(addrs) > 0 {
		return addrs[0]
	}
	b.t.Fatalf("dohletest: there is no listener %s, but %s", name, strings.Join(ready.Where(), " "))
	return ""
}

// ClusterID is the id of the cluster that the broker alone is.
func (b *Broker) ClusterID() string { return b.b.Ready().ClusterID }

// Dial connects to addr on the network that the broker listens on: the dialer of a client in a synctest bubble.
func (b *Broker) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return b.net.Dial(ctx, network, addr)
}

// Advance moves broker time forward; the broker must have been started with MovableTime.
func (b *Broker) Advance(d time.Duration) {
	b.t.Helper()
	if b.time == nil {
		b.t.Fatal("dohletest: Advance needs the option MovableTime")
	}
	if d < 0 {
		b.t.Fatalf("dohletest: time does not go back: Advance(%v)", d)
	}
	b.time.Advance(d)
}

// Request sends one request of the Kafka protocol to the broker and returns its answer. For what a test wants to ask
// without a client library.
func (b *Broker) Request(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	c := peer.New(peer.Options{Net: b.net, Clock: clock.Machine, Log: zerolog.Nop(), ClientID: "dohletest"})
	defer c.Close()
	return c.Send(ctx, b.Bootstrap(), req)
}

// Stop stops the broker cleanly; the test's end does it otherwise. Calling it again is harmless.
func (b *Broker) Stop() {
	ctx, cancel := clock.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	if err := b.b.Stop(ctx); err != nil {
		b.t.Errorf("dohletest: the broker did not stop cleanly: %v", err)
	}
	if err := b.b.Err(); err != nil {
		b.t.Errorf("dohletest: the broker failed: %v", err)
	}
}

func (b *Broker) createTopic(ctx context.Context, want topic) {
	b.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(startPatience / time.Millisecond)
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = want.name, want.partitions, -1
	for k, v := range want.configs {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = k, &v
		t.Configs = append(t.Configs, c)
	}
	req.Topics = append(req.Topics, t)
	resp, err := b.Request(ctx, req)
	if err != nil {
		b.t.Fatalf("dohletest: topic %s: %v", want.name, err)
	}
	for _, t := range resp.(*kmsg.CreateTopicsResponse).Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			message := ""
			if t.ErrorMessage != nil {
				message = *t.ErrorMessage
			}
			b.t.Fatalf("dohletest: topic %s: %v %s", want.name, err, message)
		}
	}
}
