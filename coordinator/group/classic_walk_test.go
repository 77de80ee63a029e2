package group

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
)

// walker is a client that does anything that a client can do, one request at a time.
type walker struct {
	id         string // "" = has none
	instance   *string
	generation int32
	leads      bool
	members    []string
	call       *call
}

// A group that clients, timers, refusing logs and new coordinators treat in any order stays consistent, answers every
// request, and is empty when nobody speaks any more. The rig compares its log with its state besides.
func TestClassicGroupSurvivesAnything(t *testing.T) {
	seeds := uint64(150)
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			r := newClassicRig(t, map[string]string{"group.max.size": "5"})
			clients := make([]*walker, 8)
			for i := range clients {
				clients[i] = &walker{}
				if i%3 == 0 {
					instance := fmt.Sprint("i", i%2) // two of them claim the same
					clients[i].instance = &instance
				}
			}
			for range 300 {
				w := clients[rng.IntN(len(clients))]
				w.hear()
				if w.call == nil || rng.IntN(8) == 0 { // a client that loses its connection asks on another one
					w.act(r, rng)
				}
				if rng.IntN(4) == 0 {
					r.advance(time.Duration(rng.IntN(8)) * time.Second)
				}
				switch rng.IntN(60) {
				case 0:
					r.refuse = kerr.CoordinatorNotAvailable
				case 1:
					r.restart()
					for _, w := range clients {
						w.call = nil
					}
				}
				if g, ok := r.state.groups["g"].(*classicGroup); ok {
					r.consistent(g.round())
				}
			}
			r.refuse = nil
			r.advance(time.Hour)
			require.Empty(t, r.rig.parked, "requests that wait for ever")
			require.Contains(t, []string{"Empty", "Dead"}, r.stateName())
			require.Empty(t, r.groupTimers())
		})
	}
}

// hear takes what the last answer says.
func (w *walker) hear() {
	if w.call == nil || w.call.resp == nil {
		return
	}
	switch resp := w.call.resp.(type) {
	case *kmsg.JoinGroupResponse:
		w.id, w.members = resp.MemberID, nil
		if resp.ErrorCode == 0 {
			w.generation, w.leads = resp.Generation, resp.LeaderID == resp.MemberID && !resp.SkipAssignment
			w.members = memberIDs(resp)
		}
	}
	w.call = nil
}

func (w *walker) act(r *classicRig, rng *rand.Rand) {
	id := w.id
	if rng.IntN(10) == 0 {
		id = []string{"", "stranger"}[rng.IntN(2)]
	}
	static := func(req *kmsg.JoinGroupRequest) {
		if w.instance != nil {
			req.InstanceID = w.instance
			if rng.IntN(4) == 0 {
				req.MemberID = ""
			}
		}
	}
	protocols := [][]string{{"range"}, {"range", "sticky"}, {"sticky", "range"}}[rng.IntN(3)]
	version := func(req *kmsg.JoinGroupRequest) {
		req.Version = int16(rng.IntN(10))
		if req.InstanceID != nil {
			req.Version = 5 + int16(rng.IntN(5))
		}
	}
	switch n := rng.IntN(10); {
	case n < 5:
		w.call = r.join(id, speaks(protocols...), static, version)
	case n < 7:
		assignments := map[string]string{}
		if w.leads {
			for _, m := range w.members {
				assignments[m] = m
			}
		}
		w.call = r.sync(id, w.generation, assignments)
	case n < 9:
		r.tryHeartbeat(id, w.generation)
	default:
		req := &kmsg.LeaveGroupRequest{Version: 3, Group: "g", Members: []kmsg.LeaveGroupRequestMember{{MemberID: id, InstanceID: w.instance}}}
		w.call = r.ask(func(s *State, t coordinator.Turn) coordinator.Result { return s.leave(t, r.by, req) })
	}
	if w.call != nil && w.call.resp == nil && r.rig.parked[w.call.token] == nil { // answered by the framework: refused
		w.call = nil
	}
}

func (r *classicRig) tryHeartbeat(id string, generation int32) {
	req := &kmsg.HeartbeatRequest{Version: 4, Group: "g", MemberID: id, Generation: generation}
	r.ask(func(s *State, t coordinator.Turn) coordinator.Result { return s.heartbeat(t, r.by, req) })
}

// consistent checks what is true of a round at any moment.
func (r *classicRig) consistent(g *classicRound) {
	t := r.t
	awaiting, supported, static := 0, map[string]int{}, 0
	ids := []string{}
	for _, m := range g.members {
		ids = append(ids, m.id)
		require.Same(t, m, g.byID[m.id])
		if m.join.token != 0 {
			awaiting++
			require.Contains(t, r.rig.parked, m.join.token)
			require.Equal(t, statePreparing, g.state)
		}
		if m.sync.token != 0 {
			require.Equal(t, stateCompleting, g.state)
		}
		if m.instance != nil {
			static++
			require.Same(t, m, g.static[*m.instance])
		}
		for _, p := range m.protocols {
			supported[p.name]++
		}
		_, session := r.timers[coordinator.Timer{Kind: timerClassicSession, Group: "g", Member: m.id}]
		require.True(t, session || m.join.token != 0 || m.sync.token != 0, "member %s never expires", m.id)
	}
	require.Len(t, g.byID, len(g.members))
	require.Len(t, g.static, static)
	require.Equal(t, awaiting, g.awaiting)
	require.LessOrEqual(t, g.awaiting, 5)
	for name, n := range g.supported {
		require.Equal(t, supported[name], n)
	}
	if len(g.members) > 0 {
		require.Contains(t, ids, g.leader)
	} else {
		require.Empty(t, g.leader)
	}
	_, joining := r.timers[coordinator.Timer{Kind: timerJoin, Group: "g"}]
	require.Equal(t, g.state == statePreparing, joining)
	require.Equal(t, joining, !g.joinBy.IsZero())
	_, syncing := r.timers[coordinator.Timer{Kind: timerSync, Group: "g"}]
	require.Equal(t, !g.syncBy.IsZero(), syncing)
	require.Equal(t, syncing, len(g.mustSync) > 0)
	switch g.state {
	case stateEmpty:
		require.Empty(t, g.members)
	case stateStable, stateCompleting:
		require.NotEmpty(t, g.members)
		for _, m := range g.members {
			require.True(t, slices.ContainsFunc(m.protocols, func(p classicProtocol) bool { return p.name == *g.protocol }))
		}
	}
	for id := range g.pending {
		require.Contains(t, r.timers, coordinator.Timer{Kind: timerPendingMember, Group: "g", Member: id})
	}
}
