package clients

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	memberTopic      = "shared"
	memberPartitions = 6
	memberRound      = 60 // records, as many in each partition
	memberLimit      = time.Minute
)

// withoutMember are the clients whose program has no member mode.
var withoutMember = []string{"kcat"}

// Two members of every client share a group: they split the partitions, live through a restart of the broker, and who
// comes after resumes exactly. Both protocols, against Dohle and Apache Kafka.
func TestTwoMembers(t *testing.T) {
	if !long {
		t.Skip("left to LONG=1: minutes of rebalances")
	}
	for _, c := range table() {
		t.Run(strings.Map(plain, c.name)+"-"+strings.ReplaceAll(c.version, " ", "-"), func(t *testing.T) {
			if slices.Contains(withoutMember, c.name) {
				t.Skip("its program has no member mode")
			}
			for step, protocol := range map[string]string{"group": "classic", "group-consumer": "consumer"} {
				if _, lacks := c.lacks[step]; lacks {
					continue
				}
				for _, side := range []string{"dohle", "kafka"} {
					t.Run(protocol+"/"+side, func(t *testing.T) {
						t.Parallel()
						c.share(t, side, protocol)
					})
				}
			}
		})
	}
}

// share takes one client through the life of a group.
func (c client) share(t *testing.T, side, protocol string) {
	must(t, installed(c.make))
	_, noRestart := c.lacks["restart"]
	b := startBroker(t, side)
	w := newWriter(t, b.address)
	g := &pair{t: t, client: c, address: b.address, protocol: protocol}

	values := w.round()
	first := g.join("A")
	g.until("A has all partitions", func() bool { return first.hasAll() })
	g.until("A has read all", func() bool { return first.readAll(values) })
	second := g.join("B")
	g.until("A and B have all partitions, each some, none twice", func() bool { return split(first, second) })
	values = append(values, w.round()...)
	g.until("A and B have read all", func() bool { return readTogether(values, first, second) })
	time.Sleep(500 * time.Millisecond) // a record read twice would come now
	for _, v := range values {
		if n := first.count(v) + second.count(v); n != 1 {
			t.Errorf("%s was read %d times before the restart: %d by A, %d by B", v, n, first.count(v), second.count(v))
		}
	}
	if !noRestart {
		b.restart()
		values = w.round()
		g.until("A and B have read all that was written after the restart", func() bool { return readTogether(values, first, second) })
		g.until("A and B have all partitions after the restart, each some, none twice", func() bool { return split(first, second) })
	}
	second.leave()
	g.until("A has all partitions after B left", func() bool { return first.hasAll() })
	values = w.round()
	g.until("A has read all that was written after B left", func() bool { return first.readAll(values) })
	first.leave()
	third := g.join("C")
	g.until("C has all partitions", func() bool { return third.hasAll() })
	values = w.round()
	g.until("C has read all that was written for it", func() bool { return third.readAll(values) })
	third.leave()
	if got := third.all(); !slices.Equal(got, values) {
		t.Errorf("C did not resume exactly: it read %v, want %v", got, values)
	}
}

// pair is the group and who ever was in it.
type pair struct {
	t                 *testing.T
	client            client
	address, protocol string
	members           []*groupMember
}

// until waits for a condition; the members' last lines are told when it does not come.
func (g *pair) until(what string, ok func() bool) {
	g.t.Helper()
	for end := time.Now().Add(memberLimit); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().Before(end) {
			continue
		}
		for _, m := range g.members {
			g.t.Log(m.told())
		}
		g.t.Fatalf("%s %s, %s: not within %v: %s", g.client.name, g.client.version, g.protocol, memberLimit, what)
	}
}

// groupMember is a running program in the mode member and what it has printed.
type groupMember struct {
	pair   *pair
	name   string
	stdin  io.Closer
	exited chan struct{}
	ended  error
	errors bytes.Buffer // read after exited, or under mu
	mu     sync.Mutex
	lines  []string
	has    []int
	left   bool
	read   map[string]int
}

// Write is the program's stderr.
func (m *groupMember) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.errors.Write(p)
}

func (g *pair) join(name string) *groupMember {
	g.t.Helper()
	m := &groupMember{pair: g, name: name, exited: make(chan struct{}), read: map[string]int{}}
	command := append(slices.Clone(g.client.command(g.t)), "--steps", "member", g.address, memberTopic)
	p := exec.Command(command[0], command[1:]...)
	p.Env = append(os.Environ(), "GROUP=sharers", "GROUP_PROTOCOL="+g.protocol)
	p.Stderr = m
	stdin, err := p.StdinPipe()
	must(g.t, err)
	m.stdin = stdin
	stdout, err := p.StdoutPipe()
	must(g.t, err)
	must(g.t, p.Start())
	g.members = append(g.members, m)
	go func() {
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			m.line(lines.Text())
		}
		m.ended = p.Wait()
		close(m.exited)
	}()
	g.t.Cleanup(func() {
		p.Process.Kill()
		<-m.exited
	})
	return m
}

func (m *groupMember) line(s string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lines = append(m.lines, s)
	if value, ok := strings.CutPrefix(s, "member read "); ok {
		m.read[value]++
	} else if s == "member left" {
		m.left = true
	} else if list, ok := strings.CutPrefix(s, "member has"); ok {
		m.has = nil
		for _, field := range strings.Fields(list) {
			n, err := strconv.Atoi(field)
			if err != nil {
				n = -1
			}
			m.has = append(m.has, n)
		}
	}
}

// leave closes the program's standard input; it says that it left and ends with 0.
func (m *groupMember) leave() {
	t := m.pair.t
	t.Helper()
	must(t, m.stdin.Close())
	m.pair.until(m.name+" ends after its standard input was closed", func() bool {
		select {
		case <-m.exited:
			return true
		default:
			return false
		}
	})
	if m.ended != nil || !m.left {
		t.Fatalf("%s ended with %v; it did not leave in order\n%s", m.name, m.ended, m.told())
	}
}

func (m *groupMember) partitions() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.has)
}

func whole(p []int) bool {
	slices.Sort(p)
	for i := range p {
		if p[i] != i {
			return false
		}
	}
	return len(p) == memberPartitions
}

func (m *groupMember) hasAll() bool { return whole(m.partitions()) }

func split(a, b *groupMember) bool {
	p, q := a.partitions(), b.partitions()
	return len(p) > 0 && len(q) > 0 && whole(append(p, q...))
}

func (m *groupMember) count(value string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.read[value]
}

// all is each value read, as often as it was, in the order of the values.
func (m *groupMember) all() (values []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for v, n := range m.read {
		values = append(values, slices.Repeat([]string{v}, n)...)
	}
	slices.Sort(values)
	return values
}

func (m *groupMember) readAll(values []string) bool { return readTogether(values, m) }

func readTogether(values []string, members ...*groupMember) bool {
	return !slices.ContainsFunc(values, func(v string) bool {
		return !slices.ContainsFunc(members, func(m *groupMember) bool { return m.count(v) > 0 })
	})
}

// told is what the member had and read, and the end of its stderr.
func (m *groupMember) told() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var has []string
	for _, l := range m.lines {
		if !strings.HasPrefix(l, "member read ") {
			has = append(has, l)
		}
	}
	e := m.errors.String()
	return fmt.Sprintf("%s: %d values read; %s\n%s", m.name, len(m.read), strings.Join(has, "; "), e[max(0, len(e)-2000):])
}

// valueWriter writes v000, v001, … to all partitions in turn.
type valueWriter struct {
	t       *testing.T
	client  *kgo.Client
	written int
}

func newWriter(t *testing.T, address string) *valueWriter {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.UnknownTopicRetries(-1),
		kgo.RecordDeliveryTimeout(memberLimit), kgo.ProducerLinger(0))
	must(t, err)
	t.Cleanup(c.Close)
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = memberTopic, memberPartitions, 1
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(t.Context(), c)
	must(t, err)
	if code := res.Topics[0].ErrorCode; code != 0 {
		t.Fatalf("CreateTopics was answered with %d", code)
	}
	return &valueWriter{t: t, client: c}
}

func (w *valueWriter) round() (values []string) {
	w.t.Helper()
	var list []*kgo.Record
	for i := range memberRound {
		values = append(values, fmt.Sprintf("v%03d", w.written+i))
		list = append(list, &kgo.Record{Topic: memberTopic, Partition: int32(i % memberPartitions), Value: []byte(values[i])})
	}
	w.written += memberRound
	must(w.t, w.client.ProduceSync(w.t.Context(), list...).FirstErr())
	return values
}
