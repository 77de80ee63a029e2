package assign

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dohle-io/dohle/protocol"
)

// Assignor makes the target assignments of a group, one for each member, in the order of Spec.Members. An error says that
// a member subscribes to a topic that does not exist; its text is Kafka's.
type Assignor func(Spec) ([]Assignment, error)

// ByName is the assignor of a name in group.consumer.assignors or a heartbeat; nil for an unknown one.
func ByName(name string) Assignor {
	switch name {
	case "uniform":
		return Uniform
	case "range":
		return Range
	}
	return nil
}

// Spec is what an assignor knows about a group.
type Spec struct {
	Members []Member // ids are distinct
	Mixed   bool     // members differ in their subscriptions; else those of the first one are everybody's

	// Partitions is the number of partitions of a topic; false when there is no such topic.
	Partitions func(topic protocol.UUID) (int32, bool)
}

// Member is one member of the group.
type Member struct {
	ID         string
	InstanceID string          // "" = a dynamic member
	Topics     []protocol.UUID // subscribed topics that exist; cheapest in ascending order
	Current    Assignment      // the target assignment so far: what the member should keep
}

// Assignment is the partitions of one member: by topic id, ascending as protocol.UUID.Compare has it. Each topic has at
// least one partition. nil is nothing.
type Assignment []TopicPartitions

// TopicPartitions is some partitions of a topic, ascending.
type TopicPartitions struct {
	Topic      protocol.UUID
	Partitions []int32
}

// Size is the number of partitions.
func (a Assignment) Size() int {
	n := 0
	for _, t := range a {
		n += len(t.Partitions)
	}
	return n
}

func compareTopic(a, b TopicPartitions) int { return a.Topic.Compare(b.Topic) }

// normal is a in the order and form that Assignment promises; a itself when it has that already, as is usual.
func normal(a Assignment) Assignment {
	good := true
	for i, t := range a {
		good = good && len(t.Partitions) > 0 && ascending(t.Partitions, cmp.Compare) && (i == 0 || compareTopic(a[i-1], t) < 0)
	}
	if good {
		return a
	}
	var out Assignment
	sorted := slices.Clone(a)
	slices.SortStableFunc(sorted, compareTopic)
	for _, t := range sorted {
		if n := len(out); n > 0 && out[n-1].Topic == t.Topic {
			out[n-1].Partitions = append(out[n-1].Partitions, t.Partitions...)
		} else if len(t.Partitions) > 0 {
			out = append(out, TopicPartitions{t.Topic, slices.Clone(t.Partitions)})
		}
	}
	for i := range out {
		slices.Sort(out[i].Partitions)
		out[i].Partitions = slices.Compact(out[i].Partitions)
	}
	return out
}

// distinct is topics in ascending order and each once; topics itself when it is so already.
func distinct(topics []protocol.UUID) []protocol.UUID {
	if ascending(topics, protocol.UUID.Compare) {
		return topics
	}
	topics = slices.Clone(topics)
	slices.SortFunc(topics, protocol.UUID.Compare)
	return slices.Compact(topics)
}

// ascending reports whether each element is above the one before.
func ascending[T any](list []T, compare func(a, b T) int) bool {
	for i := 1; i < len(list); i++ {
		if compare(list[i-1], list[i]) >= 0 {
			return false
		}
	}
	return true
}

// members lists indexes into Spec.Members in the order of compare.
func (s *Spec) members(compare func(a, b *Member) int) []int {
	order := make([]int, len(s.Members))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compare(&s.Members[a], &s.Members[b]) })
	return order
}

func byID(a, b *Member) int { return compareText(a.ID, b.ID) }

// byInstance puts static members before dynamic ones: the instance id stays when the member comes back with another
// member id, and so does its place.
func byInstance(a, b *Member) int {
	switch {
	case a.InstanceID != "" && b.InstanceID != "":
		return compareText(a.InstanceID, b.InstanceID)
	case a.InstanceID != "":
		return -1
	case b.InstanceID != "":
		return 1
	}
	return byID(a, b)
}

// compareText orders texts as Java does, by UTF-16 units: a character beyond U+FFFF begins with a unit in D800-DBFF and
// so stands before U+E000-U+FFFF. That is the only difference to the order of UTF-8 bytes.
func compareText(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i == len(a) || i == len(b) || a[i] < 0xee || b[i] < 0xee {
		return strings.Compare(a[i:], b[i:])
	}
	fourA, fourB := a[i] >= 0xf0, b[i] >= 0xf0 // the first bytes of four-byte characters
	if fourA != fourB {
		return -strings.Compare(a[i:], b[i:])
	}
	return strings.Compare(a[i:], b[i:])
}

// noTopic is what the uniform assignor says about a topic that does not exist.
func noTopic(topic protocol.UUID) error {
	return fmt.Errorf("Members are subscribed to topic %s which doesn't exist in the topic metadata.", topic)
}
