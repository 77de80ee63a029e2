package group

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
)

// mixedGroup is a group that clients of both protocols use at once, so that it changes its kind again and again.
type mixedGroup struct {
	*classicRig
	rng      *rand.Rand
	classics []*walker
	modern   []*consumer
	made     int
}

// A group that changes its kind under clients of both protocols, with timers, refusing logs, new coordinators, and what
// clients may send in embedded subscriptions, stays consistent, answers every request, and serves whoever comes afterwards.
func TestGroupSurvivesChangesOfItsKind(t *testing.T) {
	seeds := uint64(100)
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			g := &mixedGroup{classicRig: newClassicRig(t, map[string]string{"group.max.size": "5", "group.consumer.max.size": "7"}), rng: rand.New(rand.NewPCG(seed, 1))}
			g.topics(map[string]int32{"a": 5, "b": 2})
			for i := range 5 {
				w := &walker{}
				if i%3 == 0 {
					w.instance = new("i")
				}
				g.classics = append(g.classics, w)
			}
			for range 3 {
				g.modern = append(g.modern, g.newModern())
			}
			for range 300 {
				g.step()
				g.consistent()
			}
			g.refuse = nil
			before := g.state.hard()
			require.Equal(t, before, g.compacted(g.rng.IntN(len(g.log)+1), false).hard())
			require.Equal(t, before, g.compacted(len(g.log), true).hard())
			g.afterwards()
		})
	}
}

func (g *mixedGroup) newModern() *consumer {
	g.made++
	c := g.consumer("g", fmt.Sprint("m", g.made), "a")
	c.timeoutMs = 20_000
	switch g.rng.IntN(4) {
	case 0:
		c.topics = []string{"a", "b"}
	case 1:
		c.topics, c.regex = nil, new("a|b")
	case 2:
		c.instance = new("i")
	}
	return c
}

func (g *mixedGroup) step() {
	switch n := g.rng.IntN(100); {
	case n < 50:
		g.classic(g.classics[g.rng.IntN(len(g.classics))])
	case n < 70:
		i := g.rng.IntN(len(g.modern))
		if g.beats(g.modern[i]) {
			g.modern[i] = g.newModern()
		}
	case n < 92:
		g.advance(time.Duration(g.rng.IntN(4000)) * time.Millisecond)
	case n < 94:
		g.advance(50 * time.Second)
	case n < 96:
		g.refuse = kerr.CoordinatorNotAvailable
	case n < 97:
		g.restart()
	case n < 98:
		g.topics(map[string]int32{"b": 2 + g.rng.Int32N(2)})
	case n < 99:
		if g.image.Topics.ByName("b") != nil {
			g.deleteTopic("b")
		}
	default:
		g.ask(func(s *State, t coordinator.Turn) coordinator.Result {
			records, _ := s.deletion("g")
			return coordinator.Result{Records: records, Split: true}.And(t.Answer(&kmsg.DeleteGroupsResponse{}))
		})
	}
}

// beats sends a heartbeat of a consumer, and says whether it is gone.
func (g *mixedGroup) beats(c *consumer) (gone bool) {
	req := c.request()
	leaves := g.rng.IntN(6) == 0
	if leaves {
		req.MemberEpoch, req.SubscribedTopicNames, req.SubscribedTopicRegex = epochLeave, nil, nil
		if c.instance != nil && g.rng.IntN(2) == 0 {
			req.MemberEpoch = epochLeaveStatic
		}
	}
	call := g.ask(func(s *State, t coordinator.Turn) coordinator.Result { return s.consumerHeartbeat(t, g.by, req) })
	if call.resp == nil { // the log refused it
		return leaves
	}
	resp := call.resp.(*kmsg.ConsumerGroupHeartbeatResponse)
	if leaves || resp.ErrorCode != 0 {
		return true
	}
	c.take(resp)
	c.adopt()
	return false
}

// classic sends a request of a classic client, which may be in the middle of another one.
func (g *mixedGroup) classic(w *walker) {
	w.hear()
	id := w.id
	switch n := g.rng.IntN(10); {
	case n < 5:
		protocols := [][]string{{"range"}, {"range", "sticky"}, {"sticky", "range"}}[g.rng.IntN(3)]
		subscribe := owning([]string{"a", "a", "b"}[g.rng.IntN(3)])
		if g.rng.IntN(20) == 0 { // what else clients may send
			subscribe = func(req *kmsg.JoinGroupRequest) {
				req.Protocols[g.rng.IntN(len(req.Protocols))].Metadata = [][]byte{nil, {0}, {0, 1, 0, 0, 0, 9}, {0xff, 0xff}}[g.rng.IntN(4)]
			}
		}
		w.call = g.join(id, speaks(protocols...), subscribe, func(req *kmsg.JoinGroupRequest) {
			req.Version = int16(g.rng.IntN(10))
			if w.instance != nil {
				req.Version, req.InstanceID = 5+int16(g.rng.IntN(5)), w.instance
				if g.rng.IntN(4) == 0 {
					req.MemberID = ""
				}
			}
		})
	case n < 7:
		assignments := map[string]string{}
		if w.leads {
			for i, m := range w.members {
				assignments[m] = embedded("a", int32(i), int32(i+len(w.members)))
			}
			if len(w.members) > 0 && g.rng.IntN(20) == 0 {
				assignments[w.members[0]] = "x"
			}
		}
		w.call = g.sync(id, w.generation, assignments, func(req *kmsg.SyncGroupRequest) { req.InstanceID = w.instance })
	case n < 9:
		g.tryHeartbeat(id, w.generation)
	default:
		req := &kmsg.LeaveGroupRequest{Version: 3, Group: "g", Members: []kmsg.LeaveGroupRequestMember{{MemberID: id, InstanceID: w.instance}}}
		w.call = g.ask(func(s *State, t coordinator.Turn) coordinator.Result { return s.leave(t, g.by, req) })
	}
}

// consistent checks what is true of the group at any moment, whatever its kind.
func (g *mixedGroup) consistent() {
	t := g.t
	switch group := g.state.groups["g"].(type) {
	case *classicGroup:
		g.classicRig.consistent(group.round())
		require.Empty(t, g.state.topicIndex)
	case *consumerGroup:
		owners := map[partitionID]string{}
		for id, m := range group.members {
			require.Contains(t, g.timers, coordinator.Timer{Kind: timerConsumerSession, Group: "g", Member: id}, "member %s never expires", id)
			for _, h := range []holding{m.assigned, m.revoking} {
				for _, held := range h {
					for _, p := range held.partitions {
						require.Empty(t, owners[partitionID{held.topic, p}], "of %d too", p)
						owners[partitionID{held.topic, p}] = id
					}
				}
			}
		}
		require.Len(t, group.owners, len(owners))
		for id := range group.deadlines {
			require.Contains(t, group.members, id)
		}
		for id := range group.target {
			require.Contains(t, group.members, id)
		}
		for pattern := range group.resolved {
			require.Contains(t, group.patterns, pattern)
		}
		require.Len(t, g.state.topicIndex, len(group.topics))
		for token := range g.rig.parked {
			t.Fatalf("request %d waits in a consumer group", token)
		}
	case nil:
		require.Empty(t, g.state.topicIndex)
		require.Empty(t, g.rig.parked)
	}
}

// afterwards nobody is heard of for an hour: nothing waits and nothing is left but an empty group, in which consumers of
// either protocol find everything.
func (g *mixedGroup) afterwards() {
	t := g.t
	g.advance(time.Hour)
	require.Empty(t, g.rig.parked, "requests that wait for ever")
	require.Contains(t, []string{"Empty", "Dead"}, g.stateName())
	for _, timer := range g.groupTimers() {
		require.NotContains(t, []uint8{timerJoin, timerSync, timerPendingMember}, timer.Kind)
	}
	require.Empty(t, g.state.topicIndex)
	one, two := g.consumer("g", "one", "a"), g.consumer("g", "two", "a")
	g.settle848(one, two)
	require.Len(t, one.has, 5-len(two.has))
	two.leave()
	one.leave()
	members, _ := g.stable(2)
	require.Len(t, members, 2)
	g.advance(time.Hour)
	require.Equal(t, "Dead", g.stateName(), "an empty group without offsets goes at the next look")
}
