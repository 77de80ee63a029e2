package metadata

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/dohle-io/dohle/internal/pmap"
	"github.com/dohle-io/dohle/protocol"
)

// A Topic is immutable. Partitions[i] is partition i and never nil in an image that was replayed to a batch's end.
type Topic struct {
	ID         protocol.UUID
	Name       string
	Partitions []*Partition
}

// Partition is partition i, nil if there is none.
func (t *Topic) Partition(i int32) *Partition {
	if t == nil || i < 0 || int(i) >= len(t.Partitions) {
		return nil
	}
	return t.Partitions[i]
}

// Equal compares everything.
func (t *Topic) Equal(u *Topic) bool {
	return t.ID == u.ID && t.Name == u.Name && slices.EqualFunc(t.Partitions, u.Partitions, func(p, q *Partition) bool {
		return p == q || p != nil && q != nil && p.Equal(q)
	})
}

// TopicsImage is the set of topics. The zero value is empty.
type TopicsImage struct {
	byID   pmap.Map[protocol.UUID, *Topic]
	byName pmap.Map[string, *Topic]
}

// Len is the number of topics.
func (t TopicsImage) Len() int { return t.byID.Len() }

// ByName finds a topic, or nil.
func (t TopicsImage) ByName(name string) *Topic {
	topic, _ := t.byName.Get(name)
	return topic
}

// ByID finds a topic, or nil.
func (t TopicsImage) ByID(id protocol.UUID) *Topic {
	topic, _ := t.byID.Get(id)
	return topic
}

// All yields every topic in no particular order.
func (t TopicsImage) All() iter.Seq[*Topic] {
	return func(yield func(*Topic) bool) {
		for _, topic := range t.byID.All() {
			if !yield(topic) {
				return
			}
		}
	}
}

// Sorted are all topics by name.
func (t TopicsImage) Sorted() []*Topic {
	topics := make([]*Topic, 0, t.Len())
	for topic := range t.All() {
		topics = append(topics, topic)
	}
	slices.SortFunc(topics, func(a, b *Topic) int { return strings.Compare(a.Name, b.Name) })
	return topics
}

// TopicsDelta collects changes to topics.
type TopicsDelta struct {
	before TopicsImage
	byID   changes[protocol.UUID, *Topic]
	byName changes[string, *Topic]
	own    map[protocol.UUID]*Topic // topics whose Partitions slice belongs to this delta
}

// A TopicChange is one topic that a delta touched. Before is nil for a new topic, After for a deleted one.
type TopicChange struct {
	ID            protocol.UUID
	Before, After *Topic
}

// Name of the topic.
func (c TopicChange) Name() string {
	if c.After != nil {
		return c.After.Name
	}
	return c.Before.Name
}

// Partitions are the indexes that differ, ascending; of a deleted topic all of them.
func (c TopicChange) Partitions() []int32 {
	var n int
	if c.Before != nil {
		n = len(c.Before.Partitions)
	}
	if c.After != nil {
		n = max(n, len(c.After.Partitions))
	}
	var changed []int32
	for i := range int32(n) {
		if c.Before.Partition(i) != c.After.Partition(i) {
			changed = append(changed, i)
		}
	}
	return changed
}

// Changes are the touched topics: deleted ones first, then by name.
func (d *TopicsDelta) Changes() []TopicChange {
	if len(d.byID.touched) == 0 {
		return nil
	}
	list := make([]TopicChange, 0, len(d.byID.touched))
	for id := range d.byID.touched {
		c := TopicChange{ID: id, Before: d.before.ByID(id)}
		c.After, _ = d.byID.get(id)
		if c.Before != nil || c.After != nil { // created and deleted within the delta
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b TopicChange) int {
		if gone := (a.After == nil) != (b.After == nil); gone {
			if a.After == nil {
				return -1
			}
			return 1
		}
		return cmp.Or(strings.Compare(a.Name(), b.Name()), compareUUIDs(a.ID, b.ID))
	})
	return list
}

// Empty reports whether no topic was touched.
func (d *TopicsDelta) Empty() bool { return len(d.byID.touched) == 0 }

func (d *TopicsDelta) create(r *TopicRecord) error {
	if _, ok := d.byID.get(r.TopicId); ok {
		return fmt.Errorf("topic id %s exists", r.TopicId)
	}
	if _, ok := d.byName.get(r.Name); ok {
		return fmt.Errorf("topic %q exists", r.Name)
	}
	d.put(&Topic{ID: r.TopicId, Name: r.Name})
	return nil
}

func (d *TopicsDelta) put(t *Topic) {
	if d.own == nil {
		d.own = map[protocol.UUID]*Topic{}
	}
	d.own[t.ID] = t
	d.byID.set(t.ID, t)
	d.byName.set(t.Name, t)
}

// writable is a copy of the topic that belongs to this delta.
func (d *TopicsDelta) writable(id protocol.UUID) (*Topic, error) {
	if t := d.own[id]; t != nil {
		return t, nil
	}
	t, ok := d.byID.get(id)
	if !ok {
		return nil, fmt.Errorf("no topic with id %s", id)
	}
	t = &Topic{ID: t.ID, Name: t.Name, Partitions: slices.Clone(t.Partitions)}
	d.put(t)
	return t, nil
}

// maxPartition bounds the index of a partition, so that a broken record can't ask for a huge slice.
const maxPartition = 1 << 20

func (d *TopicsDelta) setPartition(r *PartitionRecord) error {
	t, err := d.writable(r.TopicId)
	if err != nil {
		return err
	}
	if r.PartitionId < 0 || r.PartitionId >= maxPartition {
		return fmt.Errorf("impossible partition %d of topic %q", r.PartitionId, t.Name)
	}
	p, err := partitionOf(r)
	if err != nil {
		return fmt.Errorf("partition %s-%d: %w", t.Name, r.PartitionId, err)
	}
	for int(r.PartitionId) >= len(t.Partitions) {
		t.Partitions = append(t.Partitions, nil)
	}
	t.Partitions[r.PartitionId] = p
	return nil
}

func (d *TopicsDelta) changePartition(r *PartitionChangeRecord) error {
	t, err := d.writable(r.TopicId)
	if err != nil {
		return err
	}
	old := t.Partition(r.PartitionId)
	if old == nil {
		return fmt.Errorf("no partition %s-%d", t.Name, r.PartitionId)
	}
	p, err := old.merged(r)
	if err != nil {
		return fmt.Errorf("partition %s-%d: %w", t.Name, r.PartitionId, err)
	}
	t.Partitions[r.PartitionId] = p
	return nil
}

func (d *TopicsDelta) remove(r *RemoveTopicRecord) (name string, err error) {
	t, ok := d.byID.get(r.TopicId)
	if !ok {
		return "", fmt.Errorf("no topic with id %s", r.TopicId)
	}
	d.byID.delete(t.ID)
	d.byName.delete(t.Name)
	delete(d.own, t.ID)
	return t.Name, nil
}

// clearELR forgets the eligible leaders of one topic, or of all when the name is empty.
func (d *TopicsDelta) clearELR(r *ClearElrRecord) error {
	if r.TopicName != "" {
		t, ok := d.byName.get(r.TopicName)
		if !ok {
			return fmt.Errorf("no topic %q", r.TopicName)
		}
		return d.clearELROf(t)
	}
	for _, topic := range d.result().Sorted() { // a list: the map is written to meanwhile
		if err := d.clearELROf(topic); err != nil {
			return err
		}
	}
	return nil
}

func (d *TopicsDelta) clearELROf(t *Topic) error {
	for i, p := range t.Partitions {
		if p == nil || len(p.ELR)+len(p.LastKnownELR) == 0 {
			continue
		}
		err := d.changePartition(&PartitionChangeRecord{PartitionId: int32(i), TopicId: t.ID, Leader: NoLeaderChange,
			LeaderRecoveryState: NoRecoveryChange, EligibleLeaderReplicas: none, LastKnownElr: none})
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *TopicsDelta) finish() {
	// Partitions that are as they were keep their address: that is how a change is recognised.
	for id, t := range d.own {
		if old := d.before.ByID(id); old != nil {
			for i := range t.Partitions {
				if o := old.Partition(int32(i)); o != nil && t.Partitions[i] != nil && o.Equal(t.Partitions[i]) {
					t.Partitions[i] = o
				}
			}
		}
	}
	d.byID.finish((*Topic).Equal)
	d.byName.finish((*Topic).Equal)
}

// result is the state so far; the delta must not be changed while it is used.
func (d *TopicsDelta) result() TopicsImage {
	t := TopicsImage{byID: d.byID.apply(), byName: d.byName.apply()}
	return t
}

func (t TopicsImage) records(level Level, yield func(Record) bool) bool {
	for _, topic := range t.Sorted() {
		if !yield(&TopicRecord{Name: topic.Name, TopicId: topic.ID}) {
			return false
		}
		for i, p := range topic.Partitions {
			if p != nil && !yield(p.record(topic.ID, int32(i), level)) {
				return false
			}
		}
	}
	return true
}
