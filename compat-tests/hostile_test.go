package compat

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Thousands of hostile connections, and a good client beside them that must not notice. What the sender of each case
// sees is what Apache Kafka shows it: testdata/hostile.txt has its effects as COMPAT_SELF=1 UPDATE=1 wrote them, and
// testdata/hostile_differs.txt ours where they differ, each with its row of docs/divergence.md.
func TestHostileBytesHurtOnlyTheirSender(t *testing.T) {
	const recorded, differing = "testdata/hostile.txt", "testdata/hostile_differs.txt"
	self := os.Getenv("COMPAT_SELF") != ""
	dir, ports := t.TempDir(), freePorts(t, 2)
	n := startDohle(t, dir, single(t, filepath.Join(dir, "data"), ports[0], ports[1]), "-t", clusterID, "--standalone")
	good := startGoodClient(t, n.bootstrap)
	good.awaits(t, 200) // both sides warm

	want, differs := readCases(t, recorded), readCases(t, differing)
	expected := func(name string) string {
		if ours, differ := differs[name]; differ && !self {
			return ours
		}
		return want[name]
	}
	cases := hostileCases()
	effects := make([]string, len(cases))
	before := n.memory()
	var next atomic.Int64
	var peak atomic.Int64
	var senders sync.WaitGroup
	crowd := 8
	if self {
		crowd = 1 // a bomb stops Apache Kafka for everybody for a while: its effect is to be its own
	}
	for range crowd {
		senders.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(cases); i = next.Add(1) - 1 {
				began := time.Now()
				effect, err := cases[i].effect(n.bootstrap, expected(cases[i].name))
				if took := time.Since(began); took > 2*time.Second {
					t.Logf("%s took %v", cases[i].name, took)
					if self && i < int64(len(cases)-1) {
						recovered(t, n.bootstrap)
					}
				}
				if err != nil {
					effect = "failed: " + err.Error()
				}
				effects[i] = effect
			}
		})
	}
	watching := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for {
			select {
			case <-watching:
				return
			case <-time.After(20 * time.Millisecond):
				if now := n.memory(); now > peak.Load() {
					if now-peak.Load() > 8<<20 {
						t.Logf("%d MiB around %s", now>>20, cases[min(int(next.Load()), len(cases)-1)].name)
					}
					peak.Store(now)
				}
			}
		}
	})
	senders.Wait()
	close(watching)
	watcher.Wait()
	if !self {
		good.awaits(t, good.read.Load()+200)
		// The good client goes on and asks for more than before: an idle Go program collects every two minutes only, and
		// gives a pooled buffer back to the system after two collections.
		began := time.Now()
		eventually(t, 5*time.Minute, "memory is back within 64 MiB of where it was", func() bool {
			for range 200 {
				good.ask()
			}
			return n.memory()-before <= 64<<20
		})
		t.Logf("memory is back after %v", time.Since(began).Round(time.Millisecond))
	}
	good.stop(t)

	t.Logf("%d cases; the good client wrote and read %d records and waited for %v at most; memory %d MiB before, %d at most, %d after", len(cases), good.read.Load(), time.Duration(good.slowest.Load()), before>>20, peak.Load()>>20, n.memory()>>20)
	select {
	case <-n.exited:
		t.Fatal("the broker has ended")
	default:
	}
	if self && os.Getenv("UPDATE") != "" {
		var b strings.Builder
		for i, c := range cases {
			fmt.Fprintf(&b, "%s\t%s\n", c.name, effects[i])
		}
		must(t, os.WriteFile(recorded, []byte(b.String()), 0o644))
	}
	want = readCases(t, recorded)
	for i, c := range cases {
		if expect := expected(c.name); effects[i] != expect {
			t.Errorf("%s: %s, want %s", c.name, effects[i], expect)
		}
	}
	for _, c := range cases {
		delete(differs, c.name)
	}
	if self {
		return
	}
	// A megabyte of topics costs some 60 MiB while it is answered: the budget of requests bounds the peak, and what
	// stays is bounded here.
	if grown := peak.Load() - before; grown > 256<<20 {
		t.Errorf("memory has grown by %d MiB at its peak", grown>>20)
	}
	for name := range differs {
		t.Errorf("%s: %s names a case that is not there", name, differing)
	}
	out := n.log.String()
	for _, bad := range []string{"panic", "goroutine ", "\x1b", "\x00", "\nERROR forged"} {
		if strings.Contains(out, bad) {
			t.Errorf("the broker's output contains %q", bad)
		}
	}
	if lines := strings.Count(out, "\n"); lines > len(cases)+100 {
		t.Errorf("%d lines of output for %d cases", lines, len(cases))
	}
}

// recovered waits until every network thread of Apache Kafka answers again.
func recovered(t *testing.T, addr string) {
	t.Helper()
	eventually(t, 5*time.Minute, "all network threads answer", func() bool {
		for range 6 {
			began := time.Now()
			if effect, err := whole("", nil).effect(addr, "0 answers, open"); err != nil || effect != "0 answers, open" || time.Since(began) > time.Second {
				return false
			}
		}
		return true
	})
}

// readCases reads lines of name, tab, effect, and in the file of differences another tab and the row's id.
func readCases(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	all := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if fields := strings.Split(s.Text(), "\t"); len(fields) >= 2 && !strings.HasPrefix(s.Text(), "#") {
			all[fields[0]] = fields[1]
		}
	}
	return all
}

// memory is the resident memory of the process in bytes.
func (n *node) memory() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// A goodClient produces and consumes all the time and remembers every error, a lost connection included.
type goodClient struct {
	client *kgo.Client
	cancel context.CancelFunc
	done   sync.WaitGroup
	acked  atomic.Int64
	read   atomic.Int64

	slowest atomic.Int64 // nanoseconds from a record to its acknowledgement

	mu     sync.Mutex
	errors []string
	ending atomic.Bool
}

func startGoodClient(t *testing.T, bootstrap string) *goodClient {
	g := &goodClient{}
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.AllowAutoTopicCreation(), kgo.ConsumeTopics("good"), kgo.DefaultProduceTopic("good"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.ProducerLinger(0), kgo.RecordRetries(0), kgo.WithHooks(g),
		kgo.ConnIdleTimeout(15*time.Minute)) // the client ends no connection of its own accord
	must(t, err)
	g.client = client
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	eventually(t, patience, "the topic is there", func() bool { // the first attempt creates it
		return client.ProduceSync(ctx, kgo.StringRecord("first")).FirstErr() == nil
	})
	g.acked.Add(1)
	g.done.Go(func() {
		for ctx.Err() == nil {
			began := time.Now()
			client.Produce(context.Background(), kgo.StringRecord("a good record"), func(_ *kgo.Record, err error) {
				g.slowest.Store(max(g.slowest.Load(), int64(time.Since(began))))
				if err != nil {
					g.fail("produce: %v", err)
				}
				g.acked.Add(1)
			})
			time.Sleep(2 * time.Millisecond)
		}
	})
	g.done.Go(func() {
		for {
			fetches := client.PollFetches(ctx)
			g.read.Add(int64(fetches.NumRecords()))
			if ctx.Err() != nil {
				return
			}
			fetches.EachError(func(topic string, _ int32, err error) {
				if !strings.Contains(err.Error(), "UNKNOWN_TOPIC_OR_PARTITION") || g.read.Load() > 0 {
					g.fail("fetch of %s: %v", topic, err)
				}
			})
		}
	})
	t.Cleanup(func() {
		g.ending.Store(true)
		cancel()
		client.Close()
	})
	return g
}

func (g *goodClient) fail(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.errors = append(g.errors, fmt.Sprintf(format, args...))
}

// ask asks for the metadata of all topics.
func (g *goodClient) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := g.client.Request(ctx, kmsg.NewPtrMetadataRequest()); err != nil {
		g.fail("metadata: %v", err)
	}
}

// OnBrokerDisconnect is a hook of franz-go.
func (g *goodClient) OnBrokerDisconnect(meta kgo.BrokerMetadata, _ net.Conn) {
	if !g.ending.Load() && meta.NodeID >= 0 { // connections to a seed are given up by the client
		g.fail("disconnected from broker %d", meta.NodeID)
	}
}

// awaits waits until the client has read n records.
func (g *goodClient) awaits(t *testing.T, n int64) {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("the good client has read %d records", n), func() bool { return g.read.Load() >= n })
}

// stop ends the load and fails the test for every error the client saw.
func (g *goodClient) stop(t *testing.T) {
	t.Helper()
	g.ending.Store(true)
	g.cancel()
	g.done.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := g.client.Flush(ctx); err != nil {
		g.fail("flush: %v", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range slices.Compact(g.errors) {
		if os.Getenv("COMPAT_SELF") != "" {
			t.Logf("the good client: %s", e)
		} else {
			t.Errorf("the good client: %s", e)
		}
	}
}
