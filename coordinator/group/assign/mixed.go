package assign

import (
	"cmp"
	"slices"

	"github.com/dohle-io/dohle/protocol"
)

// maxRounds bounds how often mixed goes round the topics, as Kafka bounds it. Where all subscribers of a topic have the
// same subscriptions one round balances and the next sees that; where subscriptions overlap, each about halves what is left.
const maxRounds = 16

// mixing is the work of mixed.
type mixing struct {
	*table
	subscribers [][]int32 // topic → members, ascending
	load        []int     // member → partitions it has now
	balancer    balancer
}

// mixed serves a group whose members differ in their subscriptions:
//
//	keep      members keep what they are still subscribed to
//	hand out  partitions without an owner go to the least loaded subscribers, topic by topic
//	balance   partitions go from the most to the least loaded subscribers, topic by topic and round by round, until a
//	          round moves nothing
//
// Topics come in the order of partitions per subscriber, the most first: few subscribers leave the least choice.
func mixed(s Spec) ([]Assignment, error) {
	out := make([]Assignment, len(s.Members))
	order := s.members(byID)
	var topics []protocol.UUID
	subscriptions := make([][]protocol.UUID, len(order))
	for member, i := range order {
		subscriptions[member] = distinct(s.Members[i].Topics)
		topics = append(topics, subscriptions[member]...)
	}
	topics = distinct(topics)
	if len(topics) == 0 {
		return out, nil
	}
	t, err := newTable(topics, s.Partitions)
	if err != nil {
		return nil, err
	}
	m := &mixing{table: t, subscribers: make([][]int32, len(topics)), load: make([]int, len(order))}
	m.balancer.load = m.load
	for member, subscribed := range subscriptions {
		for _, topic := range subscribed {
			i := t.index[topic]
			m.subscribers[i] = append(m.subscribers[i], int32(member))
		}
	}

	for member, i := range order {
		kept, _ := t.take(int32(member), normal(s.Members[i].Current), func(topic int32) bool {
			subscribers := m.subscribers[topic]
			_, found := slices.BinarySearch(subscribers, int32(member))
			return found
		})
		m.load[member] = len(kept)
	}
	sorted := m.sortedTopics()
	for _, topic := range sorted {
		m.handOut(topic)
	}
	m.balance(slices.DeleteFunc(sorted, func(topic int32) bool { return len(m.subscribers[topic]) < 2 }))

	numbers := make([][]int32, len(order))
	for member, n := range m.load {
		numbers[member] = make([]int32, 0, n)
	}
	for n, member := range t.owner {
		numbers[member] = append(numbers[member], int32(n))
	}
	for member, i := range order {
		out[i] = t.assignment(numbers[member])
	}
	return out, nil
}

// sortedTopics are the topics by partitions per subscriber, the most first; then by subscribers, the fewest first; then by
// id. Each has a subscriber.
func (m *mixing) sortedTopics() []int32 {
	list := make([]int32, len(m.topics))
	share := make([]float64, len(m.topics))
	for i := range list {
		list[i] = int32(i)
		share[i] = float64(m.first[i+1]-m.first[i]) / float64(len(m.subscribers[i]))
	}
	slices.SortFunc(list, func(a, b int32) int {
		return cmp.Or(cmp.Compare(share[b], share[a]), cmp.Compare(len(m.subscribers[a]), len(m.subscribers[b])), cmp.Compare(a, b))
	})
	return list
}

// give makes a member the owner of a partition.
func (m *mixing) give(number, member int32) {
	if before := m.owner[number]; before != nobody {
		m.load[before]--
	}
	m.owner[number] = member
	m.load[member]++
}

// handOut gives the partitions of a topic that nobody has to its least loaded subscribers.
func (m *mixing) handOut(topic int32) {
	started := false
	for n, end := m.partitions(topic); n < end; n++ {
		if m.owner[n] != nobody {
			continue
		}
		if !started {
			m.balancer.start(m.subscribers[topic])
			started = true
		}
		m.give(n, m.balancer.least())
	}
}

// balance goes round topics that have several subscribers until a whole round has moved nothing.
func (m *mixing) balance(topics []int32) {
	owned := make([][]int32, len(m.load))
	lastMoved := -1
	for range maxRounds {
		for i, topic := range topics {
			if i == lastMoved {
				return
			}
			if m.balanceTopic(topic, owned) || lastMoved < 0 {
				lastMoved = i
			}
		}
	}
}

// balanceTopic moves partitions of a topic from its most to its least loaded subscribers until those differ by one at
// most, and reports whether any was moved. owned is room for a list for each member.
func (m *mixing) balanceTopic(topic int32, owned [][]int32) (moved bool) {
	if spread := m.balancer.start(m.subscribers[topic]); spread <= 1 {
		return false
	}
	for _, member := range m.subscribers[topic] {
		owned[member] = owned[member][:0]
	}
	for n, end := m.partitions(topic); n < end; n++ {
		owned[m.owner[n]] = append(owned[m.owner[n]], n)
	}
	for !m.balancer.balanced() {
		from, found := m.balancer.most()
		for found && len(owned[from]) == 0 {
			m.balancer.exclude()
			from, found = m.balancer.most()
		}
		if !found {
			break
		}
		last := len(owned[from]) - 1
		number := owned[from][last]
		owned[from] = owned[from][:last]
		to := m.balancer.least()
		if m.balancer.balanced() {
			break
		}
		m.give(number, to)
		moved = true
	}
	return moved
}
