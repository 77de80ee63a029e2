package dohletest_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/dohletest"
)

// recorder is a test whose failures are read instead of reported.
type recorder struct {
	testing.TB
	fatal    string
	errors   []string
	cleanups []func()
}

func (r *recorder) Helper()             {}
func (r *recorder) Logf(string, ...any) {}
func (r *recorder) Log(...any)          {}
func (r *recorder) Cleanup(f func())    { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

type ended struct{}

func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = fmt.Sprintf(format, args...)
	panic(ended{})
}

func (r *recorder) Fatal(args ...any) {
	r.fatal = fmt.Sprint(args...)
	panic(ended{})
}

// fatal runs f as a test of its own, cleanups included, and returns the sentence it failed with, "" if it did not.
func fatal(t *testing.T, f func(testing.TB)) (sentence string) {
	t.Helper()
	r := &recorder{TB: t}
	defer func() {
		if p := recover(); p != nil && p != (ended{}) {
			panic(p)
		}
		for i := len(r.cleanups) - 1; i >= 0; i-- {
			r.cleanups[i]()
		}
		require.Empty(t, r.errors)
		sentence = r.fatal
	}()
	f(r)
	return ""
}

func TestWhatCannotStartFailsTheTestWithASentence(t *testing.T) {
	taken := dohletest.Start(t)
	for name, c := range map[string]struct {
		opts []dohletest.Option
		want string
	}{
		"no number":       {[]dohletest.Option{dohletest.Config("log.retention.hours", "soon")}, "log.retention.hours"},
		"no such key":     {[]dohletest.Option{dohletest.Config("num.partition", "3")}, "Did you mean num.partitions?"},
		"half a pair":     {[]dohletest.Option{dohletest.Topic("t", 1, "retention.ms")}, "topic t: configs come in pairs"},
		"out of bounds":   {[]dohletest.Option{dohletest.Config("log.segment.bytes", "1")}, "log.segment.bytes"},
		"no listener":     {[]dohletest.Option{dohletest.Listeners("nonsense")}, "nonsense"},
		"port in use":     {[]dohletest.Option{dohletest.Listeners("PLAINTEXT://" + taken.Bootstrap())}, "in use"},
		"topic name":      {[]dohletest.Option{dohletest.Topic("no spaces", 1)}, "topic no spaces: INVALID_TOPIC_EXCEPTION"},
		"topic config":    {[]dohletest.Option{dohletest.Topic("t", 1, "retention.ms", "x")}, "topic t: INVALID_CONFIG"},
		"no such config":  {[]dohletest.Option{dohletest.Topic("t", 1, "retention.moons", "1")}, "retention.moons"},
		"no partitions":   {[]dohletest.Option{dohletest.Topic("t", 0)}, "topic t: INVALID_PARTITIONS"},
		"directory taken": {[]dohletest.Option{dohletest.Dir("/dev/null/x")}, "/dev/null"},
	} {
		t.Run(name, func(t *testing.T) {
			got := fatal(t, func(tb testing.TB) { dohletest.Start(tb, c.opts...) })
			require.Contains(t, got, "dohletest: ")
			require.Contains(t, got, c.want)
			t.Log(got)
		})
	}
	roundTrip(t, taken, "still-there", 1)
}

func TestADirectoryInUseIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := dohletest.Start(t, dohletest.Dir(dir))
	got := fatal(t, func(tb testing.TB) { dohletest.Start(tb, dohletest.Dir(dir)) })
	require.Contains(t, got, dir)
	roundTrip(t, first, "unharmed", 1)
}

func TestSeveralListeners(t *testing.T) {
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here")
	}
	probe.Close()
	b := dohletest.Start(t, dohletest.Topic("t", 1),
		dohletest.Listeners("SIX://[::1]:19440,FOUR://127.0.0.1:19441"),
		dohletest.Config("listener.security.protocol.map", "SIX:PLAINTEXT,FOUR:PLAINTEXT,CONTROLLER:PLAINTEXT"),
		dohletest.Config("inter.broker.listener.name", "FOUR"))
	require.Equal(t, "[::1]:19440", b.Bootstrap(), "the first one")
	require.Equal(t, "127.0.0.1:19441", b.Listener("four"))
	require.Contains(t, fatal(t, func(tb testing.TB) { dohletest.Start(tb, nil).Listener("FIVE") }), "no listener FIVE, but CONTROLLER://127.0.0.1:")
	roundTrip(t, b, "t", 3)
	for _, addr := range []string{"[::1]:19440", "127.0.0.1:19441"} {
		c, err := kgo.NewClient(kgo.SeedBrokers(addr))
		require.NoError(t, err)
		req := kmsg.NewPtrMetadataRequest()
		resp, err := req.RequestWith(context.Background(), c)
		require.NoError(t, err)
		c.Close()
		host, port := resp.Brokers[0].Host, resp.Brokers[0].Port
		require.Equal(t, addr, net.JoinHostPort(host, fmt.Sprint(port)), "each listener tells of itself")
	}
}

func TestConfigIsWhatServerPropertiesSays(t *testing.T) {
	b := dohletest.Start(t, dohletest.Config("num.partitions", "7"), dohletest.Config("auto.create.topics.enable", "false"), dohletest.Topic("defaults", -1))
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr("defaults")
	none := kmsg.NewMetadataRequestTopic()
	none.Topic = kmsg.StringPtr("none")
	req.Topics = append(req.Topics, topic, none)
	req.AllowAutoTopicCreation = true
	got := ask[*kmsg.MetadataResponse](t, b, req)
	require.Len(t, got.Topics[0].Partitions, 7)
	require.Equal(t, kerr.UnknownTopicOrPartition.Code, got.Topics[1].ErrorCode)
}

func TestSeedTopicsAreThereWhenStartReturns(t *testing.T) {
	b := dohletest.Start(t, dohletest.Topic("seeded", 3, "retention.ms", "1000", "max.message.bytes", "2000"), dohletest.Topic("plain", 1))
	req := kmsg.NewPtrDescribeConfigsRequest()
	res := kmsg.NewDescribeConfigsRequestResource()
	res.ResourceType, res.ResourceName, res.ConfigNames = kmsg.ConfigResourceTypeTopic, "seeded", []string{"retention.ms", "max.message.bytes"}
	req.Resources = append(req.Resources, res)
	values := map[string]string{}
	for _, c := range ask[*kmsg.DescribeConfigsResponse](t, b, req).Resources[0].Configs {
		values[c.Name] = *c.Value
	}
	require.Equal(t, map[string]string{"retention.ms": "1000", "max.message.bytes": "2000"}, values)
	roundTrip(t, b, "plain", 10)
}

// One seed, one run of ids. Which producer ids a client gets depends on its order of requests, not on chance.
func TestASeedFixesEveryDrawnID(t *testing.T) {
	run := func(seed uint64) (ids []string) {
		dir := t.TempDir()
		b := dohletest.Start(t, dohletest.Seed(seed), dohletest.Dir(dir), dohletest.Topic("a", 2), dohletest.Topic("b", 1))
		defer b.Stop()
		ids = append(ids, b.ClusterID(), directoryID(t, dir))
		topics := topicIDs(t, b)
		ids = append(ids, fmt.Sprintf("%x", topics["a"]), fmt.Sprintf("%x", topics["b"]))
		return ids
	}
	first, again, other := run(7), run(7), run(8)
	require.Equal(t, first, again)
	for i := range first {
		require.NotEqual(t, first[i], other[i])
	}
}

// The same seed on the same directory goes on; it does not draw the ids of the first start again.
func TestASeededBrokerStartsAgain(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		b := dohletest.Start(t, dohletest.Seed(7), dohletest.Dir(dir), dohletest.Topic(fmt.Sprint("t", i), 1))
		seen := map[[16]byte]bool{}
		for _, id := range topicIDs(t, b) {
			seen[id] = true
		}
		require.Len(t, seen, i+1)
		b.Stop()
	}
}

func directoryID(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "meta.properties"))
	require.NoError(t, err)
	_, id, ok := strings.Cut(string(text), "directory.id=")
	require.True(t, ok)
	id, _, _ = strings.Cut(id, "\n")
	return id
}

func TestClusterIDIsTaken(t *testing.T) {
	const id = "MkU3OEVBNTcwNTJENDM2Qg"
	require.Equal(t, id, dohletest.Start(t, dohletest.ClusterID(id)).ClusterID())
}
