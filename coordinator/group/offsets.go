package group

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dohle-io/dohle/coordinator/group/record"
	"github.com/dohle-io/dohle/protocol"
)

// offset is one committed offset.
type offset struct {
	Partition       int32
	LeaderEpoch     int32 // -1 = unknown
	Offset          int64
	CommitTimestamp int64 // milliseconds
	ExpireTimestamp int64 // -1 = by retention; only clients before OffsetCommit v5 set it
	TopicID         protocol.UUID
	Metadata        string
	RecordOffset    int64 // where the commit stands in the log: the later one wins when a transaction ends
}

// expired says whether the offset's own expiry, or its retention counted from a moment, has passed.
func (o *offset) expired(from, now, retention int64) bool {
	if o.ExpireTimestamp != -1 {
		return now >= o.ExpireTimestamp
	}
	return now-from >= retention
}

// offsets are the committed offsets of a partition's groups. They are hard state.
type offsets struct {
	committed offsetStore
	pending   map[int64]offsetStore             // by producer id: commits of transactions that have not ended
	open      map[string]map[partitionOf]openBy // by group: who has pending commits for a partition

	value record.OffsetCommitValue // being replayed
}

// partitionOf names a partition by topic.
type partitionOf struct {
	topic     string
	partition int32
}

// openBy are producer ids, in the order of their first commits.
type openBy []int64

func newOffsets() offsets {
	return offsets{committed: offsetStore{}, pending: map[int64]offsetStore{}, open: map[string]map[partitionOf]openBy{}}
}

// offsetStore holds offsets by group and topic.
type offsetStore map[string]map[string]*topicOffsets

// topicOffsets are one group's offsets of one topic, by partition. A slice holds them in a third of a map's room.
type topicOffsets struct{ list []offset }

func (t *topicOffsets) find(partition int32) (int, bool) {
	if n := len(t.list); n == 0 || t.list[n-1].Partition < partition { // commits come in order
		return n, false
	}
	return slices.BinarySearchFunc(t.list, partition, func(o offset, p int32) int { return int(o.Partition) - int(p) })
}

func (t *topicOffsets) get(partition int32) *offset {
	if t == nil {
		return nil
	}
	if i, ok := t.find(partition); ok {
		return &t.list[i]
	}
	return nil
}

func (t *topicOffsets) put(o offset) {
	i, ok := t.find(o.Partition)
	if ok {
		t.list[i] = o
		return
	}
	if n := len(t.list); n == cap(t.list) { // most groups have few partitions of a topic, and keep them
		grown := make([]offset, n, n+1+n/4)
		copy(grown, t.list)
		t.list = grown
	}
	t.list = slices.Insert(t.list, i, o)
}

func (s offsetStore) get(group, topic string, partition int32) *offset {
	return s[group][topic].get(partition)
}

func (s offsetStore) put(group, topic string, o offset) {
	topics := s[group]
	if topics == nil {
		topics = map[string]*topicOffsets{}
		s[group] = topics
	}
	t := topics[topic]
	if t == nil {
		t = &topicOffsets{}
		topics[topic] = t
	}
	t.put(o)
}

func (s offsetStore) remove(group, topic string, partition int32) {
	topics := s[group]
	t := topics[topic]
	if t == nil {
		return
	}
	i, ok := t.find(partition)
	if !ok {
		return
	}
	t.list = slices.Delete(t.list, i, i+1)
	if len(t.list) > 0 {
		return
	}
	delete(topics, topic)
	if len(topics) == 0 {
		delete(s, group)
	}
}

// hasOpen says whether a transaction that has not ended wrote an offset of the group.
func (o *offsets) hasOpen(group string) bool { return len(o.open[group]) > 0 }

// isOpen says whether a transaction that has not ended wrote the offset of a partition.
func (o *offsets) isOpen(group, topic string, partition int32) bool {
	return len(o.open[group][partitionOf{topic, partition}]) > 0
}

func (o *offsets) addOpen(group, topic string, partition int32, producer int64) {
	partitions := o.open[group]
	if partitions == nil {
		partitions = map[partitionOf]openBy{}
		o.open[group] = partitions
	}
	key := partitionOf{topic, partition}
	if !slices.Contains(partitions[key], producer) {
		partitions[key] = append(partitions[key], producer)
	}
}

func (o *offsets) removeOpen(group, topic string, partition int32, producer int64) {
	partitions, key := o.open[group], partitionOf{topic, partition}
	left := slices.DeleteFunc(partitions[key], func(p int64) bool { return p == producer })
	if len(left) > 0 {
		partitions[key] = left
		return
	}
	o.clearOpen(group, key)
}

func (o *offsets) clearOpen(group string, key partitionOf) {
	partitions := o.open[group]
	delete(partitions, key)
	if len(partitions) == 0 {
		delete(o.open, group)
	}
}

// openPartitions are the partitions that transactions which have not ended wrote offsets of, sorted.
func (o *offsets) openPartitions(group string) []partitionOf {
	list := make([]partitionOf, 0, len(o.open[group]))
	for key := range o.open[group] {
		list = append(list, key)
	}
	slices.SortFunc(list, func(a, b partitionOf) int {
		if c := strings.Compare(a.topic, b.topic); c != 0 {
			return c
		}
		return int(a.partition) - int(b.partition)
	})
	return list
}

// topicsAmong are those of some topics that a group has offsets of, written or pending, sorted. It costs in proportion to
// the smaller of both.
func (o *offsets) topicsAmong(group string, among map[string]protocol.UUID) (topics []string) {
	committed := o.committed[group]
	if len(committed) <= len(among) {
		for topic := range committed {
			if _, ok := among[topic]; ok {
				topics = append(topics, topic)
			}
		}
	} else {
		for topic := range among {
			if committed[topic] != nil {
				topics = append(topics, topic)
			}
		}
	}
	for key := range o.open[group] {
		if _, ok := among[key.topic]; ok {
			topics = append(topics, key.topic)
		}
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// hard is the state as text, for the comparison with a replayed one.
func (o *offsets) hard() string {
	var b strings.Builder
	write := func(s offsetStore) {
		for _, g := range sortedKeys(s) {
			for _, t := range sortedKeys(s[g]) {
				fmt.Fprintf(&b, "%s %s %+v\n", g, t, s[g][t].list)
			}
		}
	}
	write(o.committed)
	for _, p := range sortedKeys(o.pending) {
		fmt.Fprintf(&b, "pending of %d\n", p)
		write(o.pending[p])
	}
	for _, g := range sortedKeys(o.open) {
		for _, key := range o.openPartitions(g) {
			fmt.Fprintf(&b, "open %s %+v %v\n", g, key, o.open[g][key])
		}
	}
	return b.String()
}
