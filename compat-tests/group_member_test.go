package compat

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A group member is a process of its own, so that it can be killed and paused: this test binary, told by COMPAT_MEMBER
// what to be. It prints an event per line.
type memberOptions struct {
	Bootstrap string
	Group     string
	Topic     string
	Name      string
	Protocol  string // range, cooperative, consumer
	Instance  string // group.instance.id
}

func (o memberOptions) clientID() string {
	if o.Instance != "" {
		return o.Instance
	}
	return o.Name
}

// memberEvent is a line that a member prints.
type memberEvent struct {
	At     int64  `json:"at"` // nanoseconds; one machine, one clock
	Member string `json:"member"`
	Owner  string `json:"owner"` // static members share their instance's, one after the other
	Kind   string `json:"kind"`  // owns, read, committed, failed

	Epoch      int32           `json:"epoch,omitempty"` // owns: generation or member epoch
	Partitions []int32         `json:"partitions,omitempty"`
	Offsets    map[int32]int64 `json:"offsets,omitempty"` // read: first of the poll; committed: next to read
	Values     []string        `json:"values,omitempty"`
	Error      string          `json:"error,omitempty"`
}

func TestMain(m *testing.M) {
	if text := os.Getenv("COMPAT_MEMBER"); text != "" {
		var o memberOptions
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		o.run()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type member struct {
	memberOptions
	mu    sync.Mutex
	owned map[int32]bool
	out   *json.Encoder
}

func (m *member) say(e memberEvent) {
	e.At, e.Member, e.Owner = time.Now().UnixNano(), m.Name, m.clientID()
	m.mu.Lock()
	defer m.mu.Unlock()
	_ = m.out.Encode(e)
}

// owns changes what the member holds and says what it is now.
func (m *member) owns(client *kgo.Client, change func(owned map[int32]bool)) {
	m.mu.Lock()
	change(m.owned)
	var list []int32
	for p := range m.owned {
		list = append(list, p)
	}
	m.mu.Unlock()
	slices.Sort(list)
	_, epoch := client.GroupMetadata()
	m.say(memberEvent{Kind: "owns", Epoch: epoch, Partitions: list})
}

func (o memberOptions) run() {
	m := &member{memberOptions: o, owned: map[int32]bool{}, out: json.NewEncoder(os.Stdout)}
	opts := []kgo.Opt{
		kgo.SeedBrokers(o.Bootstrap), kgo.ConsumerGroup(o.Group), kgo.ConsumeTopics(o.Topic), kgo.ClientID(o.clientID()), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(500 * time.Millisecond),
		kgo.RebalanceTimeout(6 * time.Second), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(500 * time.Millisecond), kgo.RetryTimeout(20 * time.Second),
		kgo.OnPartitionsAssigned(func(_ context.Context, c *kgo.Client, parts map[string][]int32) {
			m.owns(c, func(owned map[int32]bool) {
				for _, p := range parts[o.Topic] {
					owned[p] = true
				}
			})
		}),
	}
	gone := func(_ context.Context, c *kgo.Client, parts map[string][]int32) {
		m.owns(c, func(owned map[int32]bool) {
			for _, p := range parts[o.Topic] {
				delete(owned, p)
			}
		})
	}
	opts = append(opts, kgo.OnPartitionsRevoked(gone), kgo.OnPartitionsLost(gone))
	switch o.Protocol {
	case "range":
		opts = append(opts, kgo.Balancers(kgo.RangeBalancer()))
	case "cooperative":
		opts = append(opts, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	case "consumer":
		opts = append(opts, kgo.Balancers(kgo.StickyBalancer()), kgo.ServerSideBalancer())
	}
	if o.Instance != "" {
		opts = append(opts, kgo.InstanceID(o.Instance))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		m.say(memberEvent{Kind: "failed", Error: err.Error()})
		return
	}
	stop := make(chan struct{})
	go func() { // a line on stdin asks for an orderly end
		var b [1]byte
		_, _ = os.Stdin.Read(b[:])
		close(stop)
	}()
	for {
		select {
		case <-stop:
			client.Close() // leaves the group
			m.say(memberEvent{Kind: "left"})
			return
		default:
		}
		m.poll(client)
	}
}

func (m *member) poll(client *kgo.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	defer client.AllowRebalance()
	fetches := client.PollRecords(ctx, 500)
	fetches.EachError(func(_ string, _ int32, err error) {
		if ctx.Err() == nil && !strings.Contains(err.Error(), "context") {
			m.say(memberEvent{Kind: "failed", Error: err.Error()})
		}
	})
	records := fetches.Records()
	if len(records) == 0 {
		return
	}
	first, next := map[int32]int64{}, map[int32]int64{}
	var values []string
	for _, r := range records {
		if _, ok := first[r.Partition]; !ok {
			first[r.Partition] = r.Offset
		}
		next[r.Partition] = r.Offset + 1
		values = append(values, string(r.Value))
	}
	m.say(memberEvent{Kind: "read", Offsets: first, Values: values})
	commit, end := context.WithTimeout(context.Background(), 5*time.Second)
	defer end()
	if err := client.CommitRecords(commit, records...); err != nil {
		m.say(memberEvent{Kind: "failed", Error: "commit: " + err.Error()})
		return
	}
	m.say(memberEvent{Kind: "committed", Offsets: next})
}
