package assign

import "github.com/dohle-io/dohle/protocol"

// A table numbers the partitions of the topics of a group from 0 on, topic by topic in ascending order, and holds the
// owner of each. Members are numbered too.
type table struct {
	topics []protocol.UUID         // ascending
	index  map[protocol.UUID]int32 // topic → place in topics
	first  []int32                 // place of a topic → number of its partition 0; one more at the end
	owner  []int32                 // number of a partition → member, or nobody
}

const nobody = -1

// newTable makes a table of topics, in ascending order, without owners.
func newTable(topics []protocol.UUID, partitions func(protocol.UUID) (int32, bool)) (*table, error) {
	t := &table{topics: topics, index: make(map[protocol.UUID]int32, len(topics)), first: make([]int32, len(topics)+1)}
	for i, topic := range topics {
		n, ok := partitions(topic)
		if !ok {
			return nil, noTopic(topic)
		}
		t.index[topic] = int32(i)
		t.first[i+1] = t.first[i] + n
	}
	t.owner = make([]int32, t.first[len(topics)])
	for i := range t.owner {
		t.owner[i] = nobody
	}
	return t, nil
}

// partitions are the numbers of a topic's partitions, from first to below end.
func (t *table) partitions(topic int32) (first, end int32) { return t.first[topic], t.first[topic+1] }

// take makes a member the owner of what it has at present, but for what it is not subscribed to, what does not exist and
// what another member took before. whole says that nothing was left out.
func (t *table) take(member int32, current Assignment, subscribed func(topic int32) bool) (numbers []int32, whole bool) {
	whole = true
	numbers = make([]int32, 0, current.Size())
	for _, tp := range current {
		topic, ok := t.index[tp.Topic]
		if !ok || !subscribed(topic) {
			whole = false
			continue
		}
		first, end := t.partitions(topic)
		for _, p := range tp.Partitions {
			n := first + p
			if p < 0 || n >= end || t.owner[n] != nobody {
				whole = false
				continue
			}
			t.owner[n] = member
			numbers = append(numbers, n)
		}
	}
	return numbers, whole
}

// assignment is the partitions of ascending numbers.
func (t *table) assignment(numbers []int32) Assignment {
	if len(numbers) == 0 {
		return nil
	}
	var out Assignment
	all := make([]int32, len(numbers))
	topic, end := int32(-1), int32(0)
	for i, n := range numbers {
		all[i] = n
		for n >= end {
			topic++
			end = t.first[topic+1]
		}
		first := t.first[topic]
		if last := len(out) - 1; last >= 0 && out[last].Topic == t.topics[topic] {
			out[last].Partitions = out[last].Partitions[:len(out[last].Partitions)+1]
		} else {
			out = append(out, TopicPartitions{t.topics[topic], all[i : i+1]})
		}
		all[i] = n - first
	}
	for i := range out { // nobody appends into a neighbour
		out[i].Partitions = out[i].Partitions[:len(out[i].Partitions):len(out[i].Partitions)]
	}
	return out
}
