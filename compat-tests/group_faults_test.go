package compat

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	faultMembers    = 8
	faultPartitions = 12
	faultTopic      = "faults"
)

// Members of groups and the broker are killed and paused, EPISODES times (4 unless set; LONG=1 60). Committed offsets never go back, no two
// members own a partition in one generation or epoch, every acknowledged record is read by each group, and a group is
// stable again with all its members within the session timeout and ten seconds after the trouble is over.
func TestGroupsSurviveFaults(t *testing.T) {
	episodes := 4
	if long {
		episodes = 60
	}
	if n, err := strconv.Atoi(os.Getenv("EPISODES")); err == nil {
		episodes = n
	}
	seed := seeded(t, uint64(time.Now().UnixNano()))

	dir, ports := t.TempDir(), freePorts(t, 2)
	p := single(t, filepath.Join(dir, "data"), ports[0], ports[1]).with(props{
		"num.partitions": strconv.Itoa(faultPartitions), "group.min.session.timeout.ms": "6000", "group.initial.rebalance.delay.ms": "500",
		"group.consumer.min.session.timeout.ms": "6000", "group.consumer.session.timeout.ms": "6000",
		"group.consumer.min.heartbeat.interval.ms": "500", "group.consumer.heartbeat.interval.ms": "500",
	})
	f := &faults{t: t, rng: rand.New(rand.NewPCG(seed, 0)), dir: dir, props: p, lows: map[string]map[int32]int64{}}
	f.broker = startDohle(t, dir, p, "-t", clusterID, "--standalone")
	f.bootstrap = f.broker.bootstrap
	ctx, stop := context.WithCancel(t.Context())
	w := &writer{topic: faultTopic, opts: []kgo.Opt{kgo.RequiredAcks(kgo.AllISRAcks())}}
	var background sync.WaitGroup
	background.Go(func() { w.pace(ctx, t, f.bootstrap) })
	background.Go(func() { f.watchCommits(ctx) })

	for _, protocol := range []string{"range", "cooperative", "consumer"} {
		f.groups = append(f.groups, &faultGroup{faults: f, name: protocol})
	}
	for _, g := range f.groups {
		for i := range faultMembers {
			g.start(i)
		}
	}
	f.stable("at the start")
	for i := range episodes {
		f.episode(i)
	}
	stop()
	background.Wait()
	f.drained(w)
	for _, g := range f.groups {
		g.end()
		g.check(w)
	}
}

type faults struct {
	t         *testing.T
	rng       *rand.Rand
	dir       string
	props     props
	bootstrap string
	broker    *node
	groups    []*faultGroup

	mu   sync.Mutex
	lows map[string]map[int32]int64 // group -> partition -> highest committed offset that the broker has shown
}

// faultGroup is one group of member processes.
type faultGroup struct {
	*faults
	name    string
	members [faultMembers]*memberProcess
	started int

	mu     sync.Mutex
	events []memberEvent
}

type memberProcess struct {
	client string // client id: a static member's replacement shows that of the first
	cmd    *exec.Cmd
	stdin  interface{ Close() error }
	done   chan struct{}
}

func (g *faultGroup) start(i int) {
	g.t.Helper()
	g.started++
	o := memberOptions{Bootstrap: g.bootstrap, Group: g.name, Topic: faultTopic, Name: fmt.Sprintf("%s-%d-%d", g.name, i, g.started), Protocol: g.name}
	if i%4 == 0 {
		o.Instance = fmt.Sprintf("%s-%d", g.name, i)
	}
	text, err := json.Marshal(o)
	must(g.t, err)
	self, err := os.Executable()
	must(g.t, err)
	m := &memberProcess{client: o.clientID(), cmd: exec.Command(self), done: make(chan struct{})}
	m.cmd.Env = append(os.Environ(), "COMPAT_MEMBER="+string(text), "GOMAXPROCS=1")
	m.cmd.Stderr = os.Stderr
	stdin, err := m.cmd.StdinPipe()
	must(g.t, err)
	m.stdin = stdin
	stdout, err := m.cmd.StdoutPipe()
	must(g.t, err)
	must(g.t, m.cmd.Start())
	g.members[i] = m
	g.t.Cleanup(func() { m.cmd.Process.Kill() })
	go func() {
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			var e memberEvent
			if json.Unmarshal(lines.Bytes(), &e) == nil { // the last line of a killed process may be cut
				g.mu.Lock()
				g.events = append(g.events, e)
				g.mu.Unlock()
			}
		}
		m.cmd.Wait()
		close(m.done)
	}()
}

func (m *memberProcess) signal(s syscall.Signal) { m.cmd.Process.Signal(s) }

// episode makes one kind of trouble, ends it, and waits until all is well.
func (f *faults) episode(i int) {
	f.t.Helper()
	g := f.groups[f.rng.IntN(len(f.groups))]
	n := f.rng.IntN(faultMembers)
	m := g.members[n]
	var what string
	switch i % 6 {
	case 0:
		what = "member killed"
		m.signal(syscall.SIGKILL)
		<-m.done
		f.pause(0, 3*time.Second)
		g.start(n)
	case 1:
		what = "broker killed"
		f.broker.kill()
		f.pause(0, 2*time.Second)
		f.broker = startDohle(f.t, f.dir, f.props)
	case 2:
		what = "member paused"
		m.signal(syscall.SIGSTOP)
		f.pause(time.Second, 9*time.Second)
		m.signal(syscall.SIGCONT)
	case 3:
		what = "member left and another came"
		m.stdin.Close()
		<-m.done
		f.pause(0, time.Second)
		g.start(n)
	case 4:
		what = "broker paused"
		f.broker.cmd.Process.Signal(syscall.SIGSTOP)
		f.pause(time.Second, 8*time.Second)
		f.broker.cmd.Process.Signal(syscall.SIGCONT)
	case 5:
		what = "half of the members killed and the broker with them"
		for k := range faultMembers / 2 {
			g.members[k].signal(syscall.SIGKILL)
		}
		f.broker.kill()
		f.broker = startDohle(f.t, f.dir, f.props)
		for k := range faultMembers / 2 {
			<-g.members[k].done
			g.start(k)
		}
	}
	f.stable(fmt.Sprintf("episode %d: %s (%s-%d)", i, what, g.name, n))
}

func (f *faults) pause(least, most time.Duration) {
	time.Sleep(least + time.Duration(f.rng.Int64N(int64(most-least)))) // the trouble's length, not a wait for something
}

// stable waits until every group has its living members, no others, and they own all partitions.
func (f *faults) stable(after string) {
	f.t.Helper()
	began := time.Now()
	client, err := kgo.NewClient(kgo.SeedBrokers(f.bootstrap))
	must(f.t, err)
	defer client.Close()
	var took machineTime
	last := map[string]string{}
	for _, g := range f.groups {
		for {
			state, ok := g.describe(client)
			last[g.name] = state
			if ok {
				break
			}
			if took.since(began) > 16*time.Second { // session timeout and ten seconds
				f.t.Fatalf("%s: not stable within 16 s, which were %v here: %v", after, time.Since(began).Round(time.Millisecond), last)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	f.t.Logf("%s: stable after %v", after, time.Since(began).Round(time.Millisecond))
}

func (g *faultGroup) describe(client *kgo.Client) (state string, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if g.name == "consumer" {
		req := kmsg.NewPtrConsumerGroupDescribeRequest()
		req.Groups = []string{g.name}
		resp, err := req.RequestWith(ctx, client)
		if err != nil || len(resp.Groups) != 1 {
			return fmt.Sprint(err), false
		}
		d := resp.Groups[0]
		owned, settled := 0, true
		var members []string
		for _, m := range d.Members {
			members = append(members, m.ClientID)
			for _, t := range m.Assignment.TopicPartitions {
				owned += len(t.Partitions)
			}
			settled = settled && m.MemberEpoch == d.Epoch
		}
		return fmt.Sprintf("%s, %d members, %d partitions, settled %t, code %d", d.State, len(d.Members), owned, settled, d.ErrorCode), d.State == "Stable" && g.alive(members) && owned == faultPartitions && settled
	}
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{g.name}
	resp, err := req.RequestWith(ctx, client)
	if err != nil || len(resp.Groups) != 1 {
		return fmt.Sprint(err), false
	}
	d := resp.Groups[0]
	owned := 0
	var members []string
	for _, m := range d.Members {
		members = append(members, m.ClientID)
		var a kmsg.ConsumerMemberAssignment
		if a.ReadFrom(m.MemberAssignment) == nil {
			for _, t := range a.Topics {
				owned += len(t.Partitions)
			}
		}
	}
	return fmt.Sprintf("%s, %d members, %d partitions, code %d", d.State, len(d.Members), owned, d.ErrorCode), d.State == "Stable" && g.alive(members) && owned == faultPartitions
}

// alive says whether members are the processes that live.
func (g *faultGroup) alive(members []string) bool {
	var want []string
	for _, m := range g.members {
		want = append(want, m.client)
	}
	slices.Sort(want)
	slices.Sort(members)
	return slices.Equal(members, want)
}

// watchCommits looks at the committed offsets all the time: they never fall, also across the broker's end.
func (f *faults) watchCommits(ctx context.Context) {
	client, err := kgo.NewClient(kgo.SeedBrokers(f.bootstrap))
	if err != nil {
		f.t.Error(err)
		return
	}
	defer client.Close()
	for ctx.Err() == nil {
		for _, name := range []string{"range", "cooperative", "consumer"} {
			timed, cancel := context.WithTimeout(ctx, 2*time.Second)
			offsets, err := committed(timed, client, name)
			cancel()
			if err != nil {
				continue
			}
			f.mu.Lock()
			if f.lows[name] == nil {
				f.lows[name] = map[int32]int64{}
			}
			for p, low := range f.lows[name] {
				if at, ok := offsets[p]; !ok || at < low {
					f.t.Errorf("%s: the committed offset of partition %d fell from %d to %d (there: %t)", name, p, low, at, ok)
				}
			}
			for p, at := range offsets {
				f.lows[name][p] = at
			}
			f.mu.Unlock()
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func committed(ctx context.Context, client *kgo.Client, group string) (map[int32]int64, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	if len(resp.Groups) != 1 {
		return nil, errors.New("no group in the answer")
	}
	if err := kerr.ErrorForCode(resp.Groups[0].ErrorCode); err != nil {
		return nil, err
	}
	offsets := map[int32]int64{}
	for _, t := range resp.Groups[0].Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				return nil, kerr.ErrorForCode(p.ErrorCode)
			}
			offsets[p.Partition] = p.Offset
		}
	}
	return offsets, nil
}

// drained waits until every group has committed all that was written.
func (f *faults) drained(w *writer) {
	f.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(f.bootstrap))
	must(f.t, err)
	defer client.Close()
	ends := endOffsets(f.t, f.t.Context(), client, faultTopic)
	for _, g := range f.groups {
		eventually(f.t, patience, g.name+" has committed the ends", func() bool {
			offsets, err := committed(f.t.Context(), client, g.name)
			if err != nil {
				return false
			}
			for p, end := range ends {
				if end > 0 && offsets[p] != end {
					return false
				}
			}
			return true
		})
	}
}

func (g *faultGroup) end() {
	for _, m := range g.members {
		m.stdin.Close()
	}
	for _, m := range g.members {
		select {
		case <-m.done:
		case <-time.After(patience):
			g.t.Errorf("%s: a member does not end", g.name)
			m.signal(syscall.SIGKILL)
			<-m.done
		}
	}
}

// check looks at what the members have told.
func (g *faultGroup) check(w *writer) {
	g.t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	slices.SortStableFunc(g.events, func(a, b memberEvent) int { return int(a.At - b.At) })
	type claim struct {
		epoch     int32
		partition int32
	}
	owners := map[claim]string{}
	best := map[int32]int64{}            // highest commit that was acknowledged
	fresh := map[string]map[int32]bool{} // member -> partitions that it got and has not read from
	owned := map[string][]int32{}
	read := map[string]bool{}
	failures := map[string]int{}
	epochs := map[int32]bool{}
	for _, e := range g.events {
		switch e.Kind {
		case "owns":
			epochs[e.Epoch] = true
			for _, p := range e.Partitions {
				c := claim{e.Epoch, p}
				if who, ok := owners[c]; ok && who != e.Owner {
					g.t.Errorf("%s: %s and %s own partition %d in epoch %d", g.name, who, e.Owner, p, e.Epoch)
				}
				owners[c] = e.Owner
				if !slices.Contains(owned[e.Member], p) {
					if fresh[e.Member] == nil {
						fresh[e.Member] = map[int32]bool{}
					}
					fresh[e.Member][p] = true
				}
			}
			owned[e.Member] = e.Partitions
		case "read":
			for p, at := range e.Offsets {
				if fresh[e.Member][p] {
					delete(fresh[e.Member], p)
					if at < best[p]-faultBacklog {
						g.t.Errorf("%s: %s began partition %d at %d, committed was %d", g.name, e.Member, p, at, best[p])
					}
				}
			}
			for _, v := range e.Values {
				read[v] = true
			}
		case "committed":
			for p, at := range e.Offsets {
				best[p] = max(best[p], at)
			}
		case "failed":
			failures[e.Error]++
		}
	}
	missed := 0
	for value := range w.acked {
		if !read[value] {
			missed++
		}
	}
	if missed > 0 {
		g.t.Errorf("%s: %d of %d acknowledged records were read by no member", g.name, missed, len(w.acked))
	}
	g.t.Logf("%s: %d events, %d epochs, %d records; client errors %v", g.name, len(g.events), len(epochs), len(read), failures)
}

// faultBacklog: a commit is acknowledged in another process than the one that begins after it; what may lie between is
// what one poll returns.
const faultBacklog = 500

// pace writes some hundred records a second.
func (w *writer) pace(ctx context.Context, t *testing.T, bootstrap string) {
	w.acked = map[string]int64{}
	client, err := kgo.NewClient(append(w.opts, kgo.SeedBrokers(bootstrap), kgo.AllowAutoTopicCreation(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordRetries(1<<30), kgo.UnknownTopicRetries(-1))...)
	if err != nil {
		t.Error(err)
		return
	}
	defer client.Close()
	for i := 0; ctx.Err() == nil; i++ {
		r := &kgo.Record{Topic: w.topic, Partition: int32(i % faultPartitions), Value: fmt.Appendf(nil, "%08d", i)}
		client.Produce(context.Background(), r, func(r *kgo.Record, err error) {
			if err != nil {
				t.Errorf("%s was refused: %v", r.Value, err)
				return
			}
			w.mu.Lock()
			w.acked[string(r.Value)] = r.Offset
			w.mu.Unlock()
		})
		time.Sleep(3 * time.Millisecond)
	}
	flush, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := client.Flush(flush); err != nil {
		t.Error(err)
	}
}
