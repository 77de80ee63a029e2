package group

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/coordinator/group/assign"
	"github.com/dohle-io/dohle/protocol"
)

// assign computes the target assignment of a group epoch, with m in place of old, when there is none and the assignment
// interval has passed since the last one. It returns the newest target epoch and m's part in it.
func (d *consumerDecision) assign(epoch int32, old, m *consumerMember, isMixed bool) (int32, assign.Assignment, error) {
	g := d.g
	if _, ok := g.targetAge(d.now); g.targetEpoch >= epoch || ok && d.now.Before(d.s.assignmentDue(g)) {
		return g.targetEpoch, g.targetOf(m), nil
	}
	name := d.s.assignorOr(preferredAssignor(d.assignorsWith(old, m)))
	assignor := assign.ByName(name)
	if assignor == nil {
		assignor = assign.Uniform
	}

	members := make([]*consumerMember, 0, len(g.members)+1)
	for _, id := range sortedKeys(g.members) {
		if other := g.members[id]; id != m.id && (m.instance == nil || g.instances[*m.instance] != id) {
			members = append(members, other)
		}
	}
	at, _ := slices.BinarySearchFunc(members, m.id, func(o *consumerMember, id string) int { return compareStrings(o.id, id) })
	members = slices.Insert(members, at, m)

	spec := assign.Spec{Mixed: isMixed, Members: make([]assign.Member, len(members)), Partitions: d.s.partitionCount}
	topics := d.s.newTopicResolver(g)
	for i, o := range members {
		spec.Members[i] = assign.Member{ID: o.id, Topics: topics.of(o), Current: g.target[o.id]}
		if o.instance != nil {
			spec.Members[i].InstanceID = *o.instance
		}
	}
	spec.Members[at].Current = g.targetOf(m)
	if _, ok := g.target[m.id]; ok && (m.instance == nil || g.instances[*m.instance] == "") {
		spec.Members[at].Current = g.target[m.id]
	}
	targets, err := assignor(spec)
	if err != nil {
		message := fmt.Sprintf("Failed to compute a new target assignment for epoch %d: %s", epoch, err)
		d.s.logger().Error().Str("group", g.id).Msg(message)
		return 0, nil, refusal{kerr.UnknownServerError, message}
	}
	for i, o := range members {
		if before, ok := g.target[o.id]; !ok || !equalAssignment(before, targets[i]) {
			d.write(targetRecord(g.id, o.id, targets[i]))
		}
	}
	d.write(targetEpochRecord(g.id, epoch, d.now.UnixMilli()))
	return epoch, targets[at], nil
}

// assignmentDue is from when on a new target may be computed: not before the interval has passed since the last one, so
// that many changes at once cost one assignment. The zero time when it is not known when that was.
func (s *State) assignmentDue(g *consumerGroup) time.Time {
	interval := config.ConsumerAssignmentIntervalMs.Get(s.groupView(g.id))
	if g.targetAt == 0 || interval == 0 {
		return time.Time{}
	}
	return time.UnixMilli(g.targetAt).Add(interval)
}

// targetAge is how long ago the target was computed. ok is false when that is not known, or was said by a clock that was
// ahead of this one: a group must not stand still until then.
func (g *consumerGroup) targetAge(now time.Time) (age time.Duration, ok bool) {
	age = now.Sub(time.UnixMilli(g.targetAt))
	return age, g.targetAt != 0 && age >= 0
}

func (s *State) partitionCount(topic protocol.UUID) (int32, bool) {
	t := s.image.Topics.ByID(topic)
	if t == nil {
		return 0, false
	}
	return int32(len(t.Partitions)), true
}

// topicResolver turns what members subscribe to into ids of topics that exist.
type topicResolver struct {
	s     *State
	g     *consumerGroup
	known map[string][]protocol.UUID // by subscription, as key writes it: members of a group mostly subscribe to the same
	key   []byte
}

func (s *State) newTopicResolver(g *consumerGroup) *topicResolver {
	return &topicResolver{s: s, g: g, known: map[string][]protocol.UUID{}}
}

// of is the ids of a member's topics, ascending. A regular expression that is not resolved yet matches nothing.
func (r *topicResolver) of(m *consumerMember) []protocol.UUID {
	r.key = r.key[:0]
	put := func(text string) { // its length, too: names may be made of anything
		r.key = append(binary.AppendUvarint(r.key, uint64(len(text))), text...)
	}
	put(m.pattern())
	for _, name := range m.topics {
		put(name)
	}
	ids, ok := r.known[string(r.key)]
	if ok {
		return ids
	}
	add := func(names []string) {
		for _, name := range names {
			if t := r.s.image.Topics.ByName(name); t != nil {
				ids = append(ids, t.ID)
			}
		}
	}
	add(m.topics)
	if resolved := r.g.resolved[m.pattern()]; resolved != nil {
		add(resolved.topics)
	}
	slices.SortFunc(ids, protocol.UUID.Compare)
	ids = slices.Compact(ids)
	r.known[string(r.key)] = ids
	return ids
}

// reconcile moves m towards its target and writes what it comes to. r has what the request said.
func (d *consumerDecision) reconcile(m *consumerMember, r reconciliation) (*consumerMember, error) {
	if !r.subscriptionChanged && m.reconciled(r.targetEpoch) {
		return m, nil
	}
	topics := d.s.newTopicResolver(d.g).of(m)
	resolved := d.g.resolved[m.pattern()]
	r.member, r.owner = m, d.g.owner
	r.subscribesNothing = len(m.topics) == 0 && (resolved == nil || len(resolved.topics) == 0)
	r.subscribed = func(topic protocol.UUID) bool {
		_, ok := slices.BinarySearchFunc(topics, topic, protocol.UUID.Compare)
		return ok
	}
	next, err := r.next()
	if err != nil || next.sameAssignment(m) {
		return m, err
	}
	d.write(currentRecord(d.g.id, next))
	switch {
	case next.classic != nil:
	case next.state == memberUnrevoked:
		d.revokeBy(next)
	default:
		d.revoked(next.id)
	}
	return next, nil
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
