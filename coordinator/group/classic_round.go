package group

import (
	"slices"
	"time"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/record"
)

// classicState is the state of a classic group, by Kafka's name. "Dead" is what views say of a group that is not there.
type classicState string

const (
	stateEmpty      classicState = "Empty"
	statePreparing  classicState = "PreparingRebalance"  // members join
	stateCompleting classicState = "CompletingRebalance" // members sync; the leader has not assigned yet
	stateStable     classicState = "Stable"
)

// classicRound is what a coordinator knows of a classic group besides the log: who has joined, who waits, what is
// assigned. It dies with the leadership.
type classicRound struct {
	id       string
	state    classicState
	previous classicState // "" after a load
	since    int64        // of state; milliseconds, -1 = unknown: written by a release before 2.1

	generation   int32
	protocolType string  // "" = none yet
	protocol     *string // chosen for the generation; nil = none
	leader       string  // "" = none

	members   []*classicMember // in the order that they came in; a static member keeps its place
	byID      map[string]*classicMember
	static    map[string]*classicMember // by instance id
	supported map[string]int            // protocol name → members that can speak it

	pending  map[string]time.Time // member ids that were given out and not used (KIP-394), with their expiry
	awaiting int                  // members whose join is parked
	mustSync map[string]struct{}  // member ids that have joined the generation and not synced

	topics map[string]struct{} // that the members of the generation subscribe to; nil = not known

	// The join phase ends at joinBy at the latest; zero = no join phase. For a first generation it is extended by delay
	// as long as somebody new came (newcomer) and some of extendable is left (KIP-134).
	joinBy            time.Time
	first             bool
	delay, extendable time.Duration
	newcomer          bool

	syncBy time.Time // members that have not synced by then are removed; zero = none is awaited
}

// classicMember is a member of a round.
type classicMember struct {
	id              string
	instance        *string // nil = dynamic
	clientID, host  string
	rebalanceMillis int32
	sessionMillis   int32
	protocols       []classicProtocol // in the order of preference
	assignment      []byte
	join, sync      parked
	isNew           bool      // has never got an answer to a join: it can't heartbeat
	expires         time.Time // the session
}

// classicProtocol is one protocol that a member can speak, with its subscription.
type classicProtocol struct {
	name     string
	metadata []byte
}

// parked is a request that waits for the round; token zero = none.
type parked struct {
	token   coordinator.Token
	version int16
}

func newRound(id string, now time.Time) *classicRound {
	return &classicRound{id: id, state: stateEmpty, since: now.UnixMilli()}
}

// roundOf starts from what is written; v may be nil.
func roundOf(id string, v *record.GroupMetadataValue) *classicRound {
	g := &classicRound{id: id, state: stateEmpty, since: -1}
	if v == nil {
		return g
	}
	g.generation, g.protocolType, g.protocol, g.since = v.Generation, v.ProtocolType, v.Protocol, v.CurrentStateTimestamp
	if v.Leader != nil {
		g.leader = *v.Leader
	}
	name := ""
	if v.Protocol != nil {
		name = *v.Protocol
	}
	for i := range v.Members {
		w := &v.Members[i]
		m := &classicMember{
			id: w.MemberId, instance: w.GroupInstanceId, clientID: w.ClientId, host: w.ClientHost,
			rebalanceMillis: w.RebalanceTimeout, sessionMillis: w.SessionTimeout,
			protocols: []classicProtocol{{name, w.Subscription}}, assignment: w.Assignment,
		}
		if m.rebalanceMillis == -1 { // a version 0 record
			m.rebalanceMillis = m.sessionMillis
		}
		if g.byID[m.id] == nil {
			g.add(m)
		}
	}
	if len(g.members) > 0 {
		g.state = stateStable
	}
	g.topics = g.subscribedTopics()
	return g
}

func (g *classicRound) moveTo(state classicState, now time.Time) {
	g.previous, g.state, g.since = g.state, state, now.UnixMilli()
}

// add takes a member in. The first one sets the protocol type and leads.
func (g *classicRound) add(m *classicMember) {
	if g.byID == nil {
		g.byID, g.supported = map[string]*classicMember{}, map[string]int{}
	}
	if m.instance != nil {
		if g.static == nil {
			g.static = map[string]*classicMember{}
		}
		g.static[*m.instance] = m
	}
	if g.leader == "" {
		g.leader = m.id
	}
	g.members = append(g.members, m)
	g.byID[m.id] = m
	g.support(m, 1)
	if m.join.token != 0 {
		g.awaiting++
	}
	delete(g.pending, m.id)
}

// remove takes a member or a pending id out; the one that came in first after a leader becomes leader.
func (g *classicRound) remove(id string) {
	if m := g.byID[id]; m != nil {
		delete(g.byID, id)
		g.members = slices.DeleteFunc(g.members, func(o *classicMember) bool { return o == m })
		g.support(m, -1)
		if m.join.token != 0 {
			g.awaiting--
		}
		if m.instance != nil {
			delete(g.static, *m.instance)
		}
	}
	if g.leader == id {
		g.leader = ""
		if len(g.members) > 0 {
			g.leader = g.members[0].id
		}
	}
	delete(g.pending, id)
	delete(g.mustSync, id)
}

// update gives a member what its newest join says.
func (g *classicRound) update(m *classicMember, protocols []classicProtocol, rebalanceMillis, sessionMillis int32, join parked) {
	g.support(m, -1)
	m.protocols, m.rebalanceMillis, m.sessionMillis = protocols, rebalanceMillis, sessionMillis
	g.support(m, 1)
	g.setJoin(m, join)
}

// setJoin parks a join, or with a zero token takes the parked one away.
func (g *classicRound) setJoin(m *classicMember, join parked) {
	if m.join.token != 0 {
		g.awaiting--
	}
	if join.token != 0 {
		g.awaiting++
	}
	m.join = join
}

// support counts a member's protocols, or with n = -1 takes it back. One that is named twice counts once.
func (g *classicRound) support(m *classicMember, n int) {
	named := make(map[string]bool, len(m.protocols)) // of hundred thousands, if a client likes
	for i := range m.protocols {
		if name := m.protocols[i].name; !named[name] {
			named[name] = true
			addTo(g.supported, &name, n)
		}
	}
}

// replaceStatic gives the place of a static member to a new member id (KIP-345); nothing else of it changes. Requests of
// the old one that are parked must have been answered.
func (g *classicRound) replaceStatic(old *classicMember, id string) *classicMember {
	m := &classicMember{
		id: id, instance: old.instance, clientID: old.clientID, host: old.host,
		rebalanceMillis: old.rebalanceMillis, sessionMillis: old.sessionMillis, protocols: old.protocols, assignment: old.assignment,
	}
	g.members[slices.Index(g.members, old)] = m
	delete(g.byID, old.id)
	g.byID[id] = m
	g.static[*m.instance] = m
	if g.leader == old.id {
		g.leader = id
	}
	return m
}

// allJoined says that nobody is waited for in the join phase.
func (g *classicRound) allJoined() bool {
	return len(g.members) == g.awaiting && len(g.pending) == 0
}

// electLeader keeps the leader if it has joined, else takes the first member that has. It is false when none has.
func (g *classicRound) electLeader() bool {
	if m := g.byID[g.leader]; m != nil && m.join.token != 0 {
		return true
	}
	if g.leader == "" {
		return false
	}
	for _, m := range g.members {
		if m.join.token != 0 {
			g.leader = m.id
			return true
		}
	}
	return false
}

// nextGeneration ends the join phase.
func (g *classicRound) nextGeneration(now time.Time) {
	g.generation++
	if len(g.members) > 0 {
		name := g.selectProtocol()
		g.protocol = &name
		g.moveTo(stateCompleting, now)
	} else {
		g.protocol = nil
		g.moveTo(stateEmpty, now)
	}
	g.topics = g.subscribedTopics()
	clear(g.mustSync)
}

// rebalanceTimeout is the longest of the members'.
func (g *classicRound) rebalanceTimeout() time.Duration {
	longest := int32(0)
	for _, m := range g.members {
		longest = max(longest, m.rebalanceMillis)
	}
	return millis(longest)
}

// metadata is the member's subscription under a protocol.
func (m *classicMember) metadata(protocol *string) []byte {
	if protocol == nil {
		return nil
	}
	for i := range m.protocols {
		if m.protocols[i].name == *protocol {
			return m.protocols[i].metadata
		}
	}
	return nil
}
