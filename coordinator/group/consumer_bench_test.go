package group

import (
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// crowd is consumers that heartbeat as often as they are told to, and at once when they have given something up.
type crowd struct {
	*rig
	members []*consumer
	due     []time.Time
}

func newCrowd(tb *testing.T, members int, partitions int32) *crowd {
	c := &crowd{rig: newRig(tb, nil)}
	c.topics(map[string]int32{"a": partitions})
	for i := range members {
		c.add(fmt.Sprintf("m%02d", i))
	}
	return c
}

func (c *crowd) add(id string) {
	c.members = append(c.members, c.consumer("g", id, "a"))
	c.due = append(c.due, c.now)
}

// beatNext has the member heartbeat that is due next.
func (c *crowd) beatNext() {
	next := 0
	for i := range c.members {
		if c.due[i].Before(c.due[next]) {
			next = i
		}
	}
	c.advance(max(c.due[next].Sub(c.now), 0))
	m, had := c.members[next], len(c.members[next].has)
	m.beat()
	c.due[next] = c.now.Add(time.Duration(m.interval) * time.Millisecond)
	if len(m.has) < had {
		c.due[next] = c.now
	}
}

func (c *crowd) idle(d time.Duration) {
	for until := c.now.Add(d); c.now.Before(until); {
		c.beatNext()
	}
}

// settle lets time pass until the group is stable and every member knows its part, and says how much that was.
func (c *crowd) settle() time.Duration {
	c.t.Helper()
	start := c.now
	for range 10_000 {
		if g := c.state.consumer("g"); g != nil && g.StateName() == consumerStable && len(g.members) == len(c.members) && c.know() {
			return c.now.Sub(start)
		}
		c.beatNext()
	}
	c.t.Fatal("the group does not settle")
	return 0
}

func (c *crowd) know() bool {
	g := c.state.consumer("g")
	for _, m := range c.members {
		if m.epoch != g.targetEpoch || len(m.has) != assignmentOf(g.members[m.id].assigned).Size() {
			return false
		}
	}
	return true
}

// Fifty members and a hundred partitions: the time that timers take, on a clock that costs nothing.
func TestFiftyConsumersSettleSoon(t *testing.T) {
	c := newCrowd(t, 50, 100)
	joined := c.settle()
	c.idle(3 * time.Second)
	c.members[7].leave()
	c.members, c.due = append(c.members[:7:7], c.members[8:]...), append(c.due[:7:7], c.due[8:]...)
	left := c.settle()
	c.idle(3 * time.Second)
	c.add("new")
	one := c.settle()
	t.Logf("all join %v, one leaves %v, one joins %v", joined, left, one)
	require.LessOrEqual(t, joined, 1300*time.Millisecond, "the assignment interval, and a heartbeat")
	require.LessOrEqual(t, left, 600*time.Millisecond)
	require.LessOrEqual(t, one, 600*time.Millisecond)
}

// BenchmarkConsumersJoin: fifty consumers join and settle on a hundred partitions, decisions and replay only.
func BenchmarkConsumersJoin(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		s := NewState(benchEnvironment(b), 0, metadata.Empty())
		d := metadata.NewDelta(s.image)
		id := topicID("a")
		require.NoError(b, d.Replay(1, 1, &metadata.TopicRecord{Name: "a", TopicId: id}))
		for p := range int32(100) {
			require.NoError(b, d.Replay(2, 1, &metadata.PartitionRecord{PartitionId: p, TopicId: id, Replicas: []int32{1}, Isr: []int32{1}, Leader: 1}))
		}
		d.At(3, 1, 0)
		img := d.Apply()
		s.NewImage(img, d, time.Unix(1, 0))
		now := time.UnixMilli(1_700_000_000_000)
		carry := func(req *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
			r := s.consumerHeartbeat(coordinator.Turn{Token: 1, Now: now}, Caller{ClientID: "c", Host: "/127.0.0.1"}, req)
			for _, rec := range r.Records {
				require.NoError(b, s.Replay(rec, coordinator.Position{}))
			}
			if r.Then != nil {
				r.Then()
			}
			return r.Replies[0].Response.(*kmsg.ConsumerGroupHeartbeatResponse)
		}
		crowd := make([]*consumer, 50)
		for i := range crowd {
			crowd[i] = &consumer{group: "g", id: fmt.Sprintf("m%02d", i), topics: []string{"a"}, timeoutMs: 300_000, version: 1, has: map[partitionID]bool{}}
		}
		for s.consumer("g") == nil || s.consumer("g").StateName() != consumerStable || len(s.consumer("g").members) < len(crowd) {
			for _, c := range crowd {
				resp := carry(c.request())
				require.Zero(b, resp.ErrorCode)
				c.take(resp)
				c.adopt()
			}
			now = now.Add(time.Second)
		}
	}
}

func benchEnvironment(b *testing.B) *Environment {
	file, err := config.NewStatic(map[string]string{"process.roles": "broker,controller", "node.id": "1", "controller.listener.names": "CONTROLLER",
		"listeners": "PLAINTEXT://:9092,CONTROLLER://:9093", "controller.quorum.bootstrap.servers": "localhost:9093"})
	require.NoError(b, err)
	return &Environment{NodeID: 1, Config: file, UUID: func() protocol.UUID { return protocol.UUID{1} }, Log: zerolog.Nop()}
}

// The turn that computes a target for 200 members with 5,000 topics each: the partition's other groups wait for it.
func BenchmarkAssignmentOfManyTopics(b *testing.B) {
	s := NewState(benchEnvironment(b), 0, metadata.Empty())
	names := make([]string, 5000)
	d := metadata.NewDelta(s.image)
	for i := range names {
		names[i] = fmt.Sprintf("%04d-the-usual-length-of-a-name", i)
		require.NoError(b, d.Replay(1, 1, &metadata.TopicRecord{Name: names[i], TopicId: topicID(names[i])}))
		require.NoError(b, d.Replay(2, 1, &metadata.PartitionRecord{TopicId: topicID(names[i]), Replicas: []int32{1}, Isr: []int32{1}, Leader: 1}))
	}
	d.At(3, 1, 0)
	s.NewImage(d.Apply(), d, time.Unix(1, 0))
	g := newConsumerGroup("g", s.topicIndex)
	for i := range 200 {
		m := newConsumerMember(fmt.Sprint("m", i))
		m.topics = distinctTopics(names)
		g.put(m)
	}
	m := g.members["m0"]
	b.ReportAllocs()
	for b.Loop() {
		_, _, err := s.decide(g, time.Unix(2, 0)).assign(2, m, m, false)
		require.NoError(b, err)
	}
}
