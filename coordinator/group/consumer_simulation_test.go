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
)

// simulated is a group of consumers whose requests and answers get lost, come late and in another order, whose topics
// change, and whose coordinator restarts. It checks that no partition is ever read by two of them (robustness G13).
type simulated struct {
	*rig
	rng     *rand.Rand
	members []*simulatedMember
	next    int
	topic   map[string]int32
	flight  []message
	static  bool
	regex   bool
}

type simulatedMember struct {
	*consumer
	alive     bool
	lastHeard time.Time // when an answer last came: a client without one for a session stops reading
}

// message is a request on its way; answers are taken in when it arrives, or never.
type message struct {
	m      *simulatedMember
	req    *kmsg.ConsumerGroupHeartbeatRequest
	lost   bool // its answer is
	resent bool
}

func TestNoPartitionIsEverReadByTwo(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 10
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { simulate(t, seed, 250) })
	}
}

func simulate(t *testing.T, seed uint64, steps int) {
	rng := rand.New(rand.NewPCG(seed, 848))
	s := &simulated{rig: newRig(t, map[string]string{"group.consumer.assignment.interval.ms": []string{"0", "1000"}[seed%2]}), rng: rng, topic: map[string]int32{"a": 5, "b": 3},
		static: seed%3 == 1, regex: seed%3 == 2}
	s.topics(s.topic)
	for range steps {
		s.step()
		s.check()
	}
	// It heals: everybody who is alive settles, everything is read.
	s.flight = nil
	var alive []*consumer
	instances := map[string]bool{}
	for _, m := range s.members {
		if m.alive && (m.instance == nil || !instances[*m.instance]) {
			alive = append(alive, m.consumer)
			if m.instance != nil {
				instances[*m.instance] = true
			}
		}
	}
	s.advance(50 * time.Second) // the dead are gone, and so are those alive: they come again
	for _, c := range alive {
		c.epoch, c.has = 0, map[partitionID]bool{}
	}
	if len(alive) == 0 {
		return
	}
	s.settle848(alive...)
	s.advance(11 * time.Second)
	s.settle848(alive...)
	s.check()
	require.Equal(t, "Stable", s.state.groups["g"].StateName())
	got := 0
	for _, c := range alive {
		got += len(c.has)
	}
	want := 0
	g := s.state.consumer("g")
	for name, n := range s.topic {
		if g.SubscribedTo(name) {
			want += int(n)
		}
	}
	require.Equal(t, want, got, "every partition has a reader")
}

func (s *simulated) step() {
	switch p := s.rng.IntN(100); {
	case p < 8 && len(s.members) < 40:
		s.join()
	case p < 12:
		s.withMember(func(m *simulatedMember) { m.alive, m.has = false, map[partitionID]bool{} }) // kill -9
	case p < 15:
		s.withMember(func(m *simulatedMember) { // leaves; the answer does not matter
			req := m.request()
			req.MemberEpoch = epochLeave
			if m.instance != nil && s.rng.IntN(2) == 0 {
				req.MemberEpoch = epochLeaveStatic
			}
			m.alive, m.has = false, map[partitionID]bool{}
			s.flight = append(s.flight, message{m: m, req: req, lost: true})
		})
	case p < 17:
		s.restart()
	case p < 19:
		name := fmt.Sprint("t", s.rng.IntN(3))
		if _, ok := s.topic[name]; ok && s.rng.IntN(2) == 0 {
			delete(s.topic, name)
			s.deleteTopic(name)
		} else {
			s.topic[name] = max(s.topic[name], 1+s.rng.Int32N(4))
			s.topics(map[string]int32{name: s.topic[name]})
		}
	case p < 30:
		s.advance(time.Duration(s.rng.IntN(4000)) * time.Millisecond)
	case p < 60:
		s.withMember(s.send)
	default:
		s.arrive()
	}
}

func (s *simulated) withMember(do func(*simulatedMember)) {
	var alive []*simulatedMember
	for _, m := range s.members {
		if m.alive {
			alive = append(alive, m)
		}
	}
	if len(alive) > 0 {
		do(alive[s.rng.IntN(len(alive))])
	}
}

func (s *simulated) join() {
	topics := [][]string{{"a", "b", "t0"}, {"a", "b", "t0"}, {"a"}, {"b", "t1", "t2"}}[s.rng.IntN(4)]
	s.next++
	m := &simulatedMember{consumer: s.consumer("g", fmt.Sprint("m", s.next), topics...), alive: true, lastHeard: s.now}
	m.timeoutMs = 5000 + s.rng.Int32N(20000)
	if s.regex && s.rng.IntN(2) == 0 {
		pattern := []string{"a|t.*", "[ab]"}[s.rng.IntN(2)]
		m.topics, m.regex = nil, &pattern
	}
	if s.static && s.rng.IntN(2) == 0 {
		instance := fmt.Sprint("i", s.rng.IntN(4))
		m.instance = &instance
	}
	s.members = append(s.members, m)
	s.send(m)
}

// send puts a heartbeat on the way, in place of one that the client has given up on: there is one at a time.
func (s *simulated) send(m *simulatedMember) {
	s.flight = slices.DeleteFunc(s.flight, func(msg message) bool { return msg.m == m })
	s.flight = append(s.flight, message{m: m, req: m.request(), lost: s.rng.IntN(8) == 0})
}

// arrive brings one of the requests on the way to the coordinator, not always the oldest; some come twice, a client that
// had no answer sends its request again.
func (s *simulated) arrive() {
	if len(s.flight) == 0 {
		return
	}
	i := s.rng.IntN(min(len(s.flight), 4))
	msg := s.flight[i]
	if s.rng.IntN(12) != 0 || msg.resent {
		s.flight = slices.Delete(s.flight, i, i+1)
	} else {
		s.flight[i].resent, msg.lost = true, true
	}
	if s.rng.IntN(10) == 0 {
		return // lost
	}
	resp := s.beat(msg.req)
	m := msg.m
	if msg.lost || !m.alive {
		return
	}
	stale := msg.req.MemberEpoch != m.epoch
	switch resp.ErrorCode {
	case 0:
		if !stale {
			m.take(resp)
			m.adopt()
			m.lastHeard = s.now
		}
	case kerr.FencedMemberEpoch.Code, kerr.UnknownMemberID.Code:
		if !stale { // it drops everything and joins again
			m.epoch, m.has, m.told = 0, map[partitionID]bool{}, false
			if m.instance != nil {
				s.next++
				m.id = fmt.Sprint("m", s.next)
			}
		}
	default: // fenced or unreleased instance
		m.alive, m.has = false, map[partitionID]bool{}
	}
}

// check looks at what clients read, as far as the coordinator still counts them as members: a client that was removed
// because it was silent for a session has stopped by itself.
func (s *simulated) check() {
	g := s.state.consumer("g")
	if g == nil {
		return
	}
	reads := map[partitionID]string{}
	for _, m := range s.members {
		if !m.alive || s.now.Sub(m.lastHeard) >= 45*time.Second || g.members[m.id] == nil {
			continue
		}
		for p := range m.has {
			other, taken := reads[p]
			require.False(s.t, taken, "%s and %s read %v", other, m.id, p)
			reads[p] = m.id
		}
	}
	// And so does the coordinator's own view.
	owners := map[partitionID]string{}
	for id, m := range g.members {
		for _, h := range []holding{m.assigned, m.revoking} {
			for _, t := range h {
				for _, p := range t.partitions {
					other, taken := owners[partitionID{t.topic, p}]
					require.False(s.t, taken, "%s and %s have %v-%d", other, id, t.topic, p)
					owners[partitionID{t.topic, p}] = id
					require.Equal(s.t, m.epoch, g.owner(t.topic, p))
				}
			}
		}
	}
	require.Len(s.t, g.owners, len(owners))
}

// compacted is the log as the cleaner may leave it: of the records below limit only the last of each key, without
// tombstones when they are old enough; from limit on everything.
func (r *rig) compacted(limit int, dropTombstones bool) *State {
	r.t.Helper()
	last := map[string]int{}
	for i, l := range r.log[:limit] {
		last[string(l.record.Key)] = i
	}
	fresh := NewState(r.env, 0, r.image)
	for i, l := range r.log {
		if i < limit && (last[string(l.record.Key)] != i || dropTombstones && l.record.Value == nil) {
			continue
		}
		require.NoError(r.t, fresh.Replay(l.record, l.at))
	}
	return fresh
}

// Robustness G13: what compaction leaves of the log loads, and is the same state. The first records that are left of a
// group may be of any kind.
func TestCompactedLogsOfConsumerGroupsLoadEqual(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 13))
			s := &simulated{rig: newRig(t, nil), rng: rng, topic: map[string]int32{"a": 5, "b": 3}, static: seed%3 == 1, regex: seed%3 == 2}
			s.topics(s.topic)
			for range 200 {
				s.step()
			}
			want := s.state.hard()
			for range 20 {
				require.Equal(t, want, s.compacted(rng.IntN(len(s.log)+1), false).hard())
			}
			require.Equal(t, want, s.compacted(len(s.log), true).hard())
		})
	}
}
