package assign

import (
	"errors"

	"github.com/dohle-io/dohle/protocol"
)

var errNoTopic = errors.New("Member is subscribed to a non-existent topic")

// cutting is how far a topic has been cut into ranges.
type cutting struct {
	topic                   protocol.UUID
	partitions, subscribers int32
	ranges                  int32 // given out so far
	next                    int32 // the first partition that nobody has
}

// Range cuts each topic into one range of neighbouring partitions for each subscriber: of P partitions and M subscribers
// each gets P/M, the first P%M one more. Static members come first, by instance id, then the others by member id.
func Range(s Spec) ([]Assignment, error) {
	order := s.members(byInstance)
	topics := map[protocol.UUID]*cutting{}
	subscriptions := make([][]*cutting, len(order))
	for place, i := range order {
		if place > 0 && !s.Mixed {
			subscriptions[place] = subscriptions[0]
		} else {
			for _, topic := range distinct(s.Members[i].Topics) {
				c := topics[topic]
				if c == nil {
					n, ok := s.Partitions(topic)
					if !ok {
						return nil, errNoTopic
					}
					c = &cutting{topic: topic, partitions: n}
					topics[topic] = c
				}
				subscriptions[place] = append(subscriptions[place], c)
			}
		}
		for _, c := range subscriptions[place] {
			c.subscribers++
		}
	}

	out := make([]Assignment, len(order))
	for place, i := range order {
		for _, c := range subscriptions[place] {
			if part := c.cut(); len(part) > 0 {
				out[i] = append(out[i], TopicPartitions{c.topic, part})
			}
		}
	}
	return out, nil
}

// cut takes the next range.
func (c *cutting) cut() []int32 {
	n := c.partitions / c.subscribers
	if c.ranges < c.partitions%c.subscribers {
		n++
	}
	part := make([]int32, n)
	for i := range part {
		part[i] = c.next + int32(i)
	}
	c.ranges++
	c.next += n
	return part
}
