package group

import (
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/assign"
	"github.com/dohle-io/dohle/protocol"
)

// consumerGroup is a group of KIP-848: the coordinator assigns, members reconcile by member epoch.
//
// Three epochs rule it. The group epoch moves when something happens that the assignment depends on: members, their
// subscriptions, topics, the assignor. The target epoch follows when a new target assignment has been computed. Each
// member follows at its own pace: it first gives up what it must, in its old epoch, then enters the new one and gets what
// is free.
//
//	Empty        no members
//	Assigning    the target assignment is older than the group epoch
//	Reconciling  some member has not reached the target assignment
//	Stable       all have
type consumerGroup struct {
	id string

	// What records say.
	epoch        int32
	metadataHash int64 // over the subscribed topics, to see when they change
	members      map[string]*consumerMember
	targetEpoch  int32
	targetAt     int64 // milliseconds when the target was computed; 0 = not known
	target       map[string]assign.Assignment
	resolved     map[string]*resolvedRegex
	oldMetadata  bool // a subscription metadata record of before 4.1 waits for its tombstone

	// Kept along from members and resolved.
	instances map[string]string          // static members: instance id → member id
	topics    map[string]subscriberCount // subscribed topic names
	patterns  map[string]int             // regular expressions → members
	assignors map[string]int             // server assignors → members that want them
	classics  int                        // members of the classic protocol
	protocols map[string]int             // classic protocols → members that support them
	owners    map[partitionID]int32      // partitions that somebody has, also while giving them up → that member's epoch
	index     topicIndex

	// Soft.
	refreshAt    int64 // milliseconds when the metadata hash is looked at again
	refreshEpoch int32 // ... or as soon as the group epoch is below this: what set refreshAt was not written
	resolving    bool  // a resolution of the regular expressions is due
	resolution   *resolution
	failedAt     int64 // milliseconds when a resolution could not be written; 0 = never
	deadlines    map[string]*memberDeadlines
}

type partitionID struct {
	topic     protocol.UUID
	partition int32
}

// subscriberCount is how many members subscribe to a topic by its name, and how many regular expressions match it.
type subscriberCount struct{ names, patterns int }

// topicIndex says which consumer groups of a partition subscribe to a topic.
type topicIndex map[string]map[string]*consumerGroup

// resolvedRegex is the topics that a regular expression matches, ascending.
type resolvedRegex struct {
	topics    []string
	version   int64 // offset of the image that it was resolved against
	timestamp int64 // milliseconds
}

// memberDeadlines are soft: when a member must have done what it was told. Zero = nothing.
type memberDeadlines struct {
	revokeBy    time.Time
	revokeEpoch int32     // the epoch that the member must have left by revokeBy
	joinBy      time.Time // a classic member: must join again
	syncBy      time.Time // a classic member: must sync
}

func newConsumerGroup(id string, index topicIndex) *consumerGroup {
	return &consumerGroup{
		id: id, epoch: 1, targetEpoch: 1, index: index,
		members: map[string]*consumerMember{}, target: map[string]assign.Assignment{}, resolved: map[string]*resolvedRegex{},
		instances: map[string]string{}, topics: map[string]subscriberCount{}, patterns: map[string]int{}, assignors: map[string]int{},
		protocols: map[string]int{}, owners: map[partitionID]int32{}, deadlines: map[string]*memberDeadlines{},
	}
}

// States of a consumer group.
const (
	consumerEmpty       = "Empty"
	consumerAssigning   = "Assigning"
	consumerReconciling = "Reconciling"
	consumerStable      = "Stable"
)

func (g *consumerGroup) ID() string           { return g.id }
func (g *consumerGroup) Kind() Kind           { return KindConsumer }
func (g *consumerGroup) ProtocolType() string { return "consumer" }
func (g *consumerGroup) Empty() bool          { return len(g.members) == 0 }
func (g *consumerGroup) Vanishes() bool       { return true }

func (g *consumerGroup) StateName() string {
	switch {
	case len(g.members) == 0:
		return consumerEmpty
	case g.epoch > g.targetEpoch:
		return consumerAssigning
	}
	for _, m := range g.members {
		if !m.reconciled(g.targetEpoch) {
			return consumerReconciling
		}
	}
	return consumerStable
}

func (g *consumerGroup) SubscribedTo(topic string) bool {
	_, ok := g.topics[topic]
	return ok
}

// static is the member of an instance id, nil if there is none.
func (g *consumerGroup) static(instance *string) *consumerMember {
	if instance == nil {
		return nil
	}
	return g.members[g.instances[*instance]]
}

// owner is the member epoch under which somebody has a partition, -1 = it is free.
func (g *consumerGroup) owner(topic protocol.UUID, partition int32) int32 {
	if epoch, ok := g.owners[partitionID{topic, partition}]; ok {
		return epoch
	}
	return -1
}

// targetOf is the target assignment of a member; a static member that came back has that of its instance.
func (g *consumerGroup) targetOf(m *consumerMember) assign.Assignment {
	if m.instance == nil {
		return g.target[m.id]
	}
	return g.target[g.instances[*m.instance]]
}

// put replaces or adds a member, and keeps what is derived from members.
func (g *consumerGroup) put(m *consumerMember) {
	old := g.members[m.id]
	g.members[m.id] = m
	if old == nil || !old.sameMetadata(m) { // else there may be thousands of topics to count in vain
		g.count(old, -1)
		g.count(m, +1)
	}
	g.release(old)
	g.own(m.assigned, m.epoch)
	g.own(m.revoking, m.epoch)
	if old != nil && !equalText(old.instance, m.instance) {
		g.forgetInstance(old)
	}
	if m.instance != nil {
		g.instances[*m.instance] = m.id
	}
}

// forgetInstance takes an instance id from a member, unless somebody else has it by now.
func (g *consumerGroup) forgetInstance(m *consumerMember) {
	if m.instance != nil && g.instances[*m.instance] == m.id {
		delete(g.instances, *m.instance)
	}
}

// remove drops a member.
func (g *consumerGroup) remove(id string) {
	old := g.members[id]
	if old == nil {
		return
	}
	delete(g.members, id)
	delete(g.deadlines, id)
	g.count(old, -1)
	g.release(old)
	g.forgetInstance(old)
}

// count adds a member to what is counted over members, or takes it away.
func (g *consumerGroup) count(m *consumerMember, by int) {
	if m == nil {
		return
	}
	for _, name := range m.topics {
		g.subscribe(name, by, 0)
	}
	addTo(g.assignors, m.assignor, by)
	if p := m.pattern(); p != "" {
		addTo(g.patterns, &p, by)
	}
	if m.classic != nil {
		g.classics += by
		named := make(map[string]bool, len(m.classic.SupportedProtocols))
		for i := range m.classic.SupportedProtocols {
			if name := &m.classic.SupportedProtocols[i].Name; !named[*name] {
				named[*name] = true
				addTo(g.protocols, name, by)
			}
		}
	}
}

func addTo(counts map[string]int, key *string, by int) {
	if key == nil {
		return
	}
	if counts[*key] += by; counts[*key] == 0 {
		delete(counts, *key)
	}
}

// subscribe counts subscriptions to a topic, and keeps the index of topics.
func (g *consumerGroup) subscribe(topic string, names, patterns int) {
	c := g.topics[topic]
	c.names += names
	c.patterns += patterns
	if c != (subscriberCount{}) {
		if g.index[topic] == nil {
			g.index[topic] = map[string]*consumerGroup{}
		}
		g.index[topic][g.id] = g
		g.topics[topic] = c
		return
	}
	delete(g.topics, topic)
	delete(g.index[topic], g.id)
	if len(g.index[topic]) == 0 {
		delete(g.index, topic)
	}
}

// resolve sets the topics of a regular expression; nil removes it.
func (g *consumerGroup) resolve(pattern string, to *resolvedRegex) {
	if old := g.resolved[pattern]; old != nil {
		delete(g.resolved, pattern)
		for _, topic := range old.topics {
			g.subscribe(topic, 0, -1)
		}
	}
	if to != nil {
		g.resolved[pattern] = to
		for _, topic := range to.topics {
			g.subscribe(topic, 0, +1)
		}
	}
}

// own notes under which epoch a member has partitions. A log whose older records are compacted away may let two members
// have a partition for a moment; the higher epoch counts then.
func (g *consumerGroup) own(h holding, epoch int32) {
	for _, t := range h {
		for _, p := range t.partitions {
			id := partitionID{t.topic, p}
			if have, ok := g.owners[id]; !ok || have < epoch {
				g.owners[id] = epoch
			}
		}
	}
}

// release forgets what a member had, unless somebody else has it under another epoch.
func (g *consumerGroup) release(m *consumerMember) {
	if m == nil {
		return
	}
	for _, h := range []holding{m.assigned, m.revoking} {
		for _, t := range h {
			for _, p := range t.partitions {
				if id := (partitionID{t.topic, p}); g.owners[id] == m.epoch {
					delete(g.owners, id)
				}
			}
		}
	}
}

// drop forgets the group's traces outside of it.
func (g *consumerGroup) drop() {
	for topic := range maps.Clone(g.topics) {
		delete(g.topics, topic)
		delete(g.index[topic], g.id)
		if len(g.index[topic]) == 0 {
			delete(g.index, topic)
		}
	}
}

// preferredAssignor is the one that most members want; "" when none wants any. Of equals it is the last by name, uniform
// before range.
func preferredAssignor(wanted map[string]int) (name string) {
	most := 0
	for _, n := range sortedKeys(wanted) {
		if wanted[n] >= most {
			name, most = n, wanted[n]
		}
	}
	return name
}

// mixed says that members differ in what they subscribe to.
func mixed(patterns map[string]int, topics map[string]subscriberCount, members int) bool {
	if len(patterns) == 0 {
		for _, c := range topics {
			if c.names != members {
				return true
			}
		}
		return false
	}
	for _, n := range patterns {
		if n != members {
			return true
		}
	}
	for _, c := range topics {
		if c.patterns != 1 || c.names > 0 {
			return true
		}
	}
	return false
}

func (g *consumerGroup) CheckOffsetDelete() error { return nil }

func (g *consumerGroup) CheckDelete() error {
	if !g.Empty() {
		return kerr.NonEmptyGroup
	}
	return nil
}

func (g *consumerGroup) ExpireFrom(o *offset) (millis int64, ok bool) { return o.CommitTimestamp, true }

func (g *consumerGroup) Tombstones() []coordinator.Record {
	return g.tombstones(func(id string) string { return id })
}
