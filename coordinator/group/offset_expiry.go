package group

import (
	"slices"
	"time"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// loadedOffsets sets the timer that looks for offsets to expire.
func (s *State) loadedOffsets(now time.Time) coordinator.Result {
	return coordinator.Result{Timers: []coordinator.Set{s.nextExpiry(now)}}
}

func (s *State) nextExpiry(now time.Time) coordinator.Set {
	return at(timerOffsetExpiry, "", "", now.Add(config.OffsetsRetentionCheckIntervalMs.Get(s.view)))
}

// expireOffsets deletes the offsets whose retention is over, and the groups that are empty then. What the log does not
// take is tried again next time.
func (s *State) expireOffsets(now time.Time) coordinator.Result {
	millis := clock.Millis(now)
	retention := int64(config.OffsetsRetentionMinutes.Get(s.view)) * time.Minute.Milliseconds()
	r := coordinator.Result{Split: true, Timers: []coordinator.Set{s.nextExpiry(now)}}
	var due []string // groups that something is to be written of: few of many, most of the time
	for id, g := range s.groups {
		if some, all := s.anyExpired(g, millis, retention); g.Vanishes() && (some || all && g.Empty()) {
			due = append(due, id)
		}
	}
	slices.Sort(due)
	for _, id := range due {
		g := s.groups[id]
		records, all := s.expiredOffsets(g, millis, retention)
		r.Records = append(r.Records, records...)
		if all && g.Empty() {
			r.Records = append(r.Records, g.Tombstones()...)
		}
	}
	r.Refused = func(error) coordinator.Result { return coordinator.Result{Timers: r.Timers} }
	return r
}

// expiry says of each offset of a group whether it has expired, until see returns false.
func (s *State) expiry(g Group, topic string, list *topicOffsets, now, retention int64, see func(o *offset, expired bool) bool) {
	id, subscribed := g.ID(), g.SubscribedTo(topic)
	for i := range list.list {
		o := &list.list[i]
		expired := false
		if !subscribed {
			from, ok := g.ExpireFrom(o)
			expired = ok && o.expired(from, now, retention) && !s.offsets.isOpen(id, topic, o.Partition)
		}
		if !see(o, expired) {
			return
		}
	}
}

// anyExpired says whether an offset of the group has expired, and whether no other is left, written or pending.
func (s *State) anyExpired(g Group, now, retention int64) (some, all bool) {
	all = !s.offsets.hasOpen(g.ID())
	for topic, list := range s.offsets.committed[g.ID()] {
		s.expiry(g, topic, list, now, retention, func(_ *offset, expired bool) bool {
			some, all = some || expired, all && expired
			return !some || all // both are decided
		})
	}
	return some, all
}

// expiredOffsets are the tombstones of a group's expired offsets; all says that no other offset is left.
func (s *State) expiredOffsets(g Group, now, retention int64) (records []coordinator.Record, all bool) {
	id := g.ID()
	topics := s.offsets.committed[id]
	all = !s.offsets.hasOpen(id)
	for _, topic := range sortedKeys(topics) {
		s.expiry(g, topic, topics[topic], now, retention, func(o *offset, expired bool) bool {
			if expired {
				records = append(records, offsetTombstone(id, topic, o.Partition))
			}
			all = all && expired
			return true
		})
	}
	return records, all
}

// imageForOffsets deletes the offsets of topics that are deleted. Many topics may go at once, and there may be very many
// groups: each group is asked once.
func (s *State) imageForOffsets(delta *metadata.Delta, _ time.Time) coordinator.Result {
	r := coordinator.Result{Split: true}
	deleted := map[string]protocol.UUID{}
	for _, c := range delta.Topics().Changes() {
		if c.Before != nil && c.After == nil {
			deleted[c.Before.Name] = c.ID
		}
	}
	if len(deleted) == 0 {
		return r
	}
	readers := map[string][]string{} // group → topics that it has offsets of
	for id := range s.groups {
		if topics := s.offsets.topicsAmong(id, deleted); len(topics) > 0 {
			readers[id] = topics
		}
	}
	for _, id := range sortedKeys(readers) {
		for _, topic := range readers[id] {
			r.Records = append(r.Records, s.deletedTopic(id, topic, deleted[topic])...)
		}
	}
	return r
}

// deletedTopic makes the tombstones of a group's offsets of a topic. Offsets without a topic id are of an older release,
// and taken to be of the topic of that name.
func (s *State) deletedTopic(group, topic string, id protocol.UUID) []coordinator.Record {
	var records []coordinator.Record
	committed := s.offsets.committed[group][topic]
	if committed != nil {
		for _, o := range committed.list {
			if o.TopicID.IsZero() || o.TopicID == id {
				records = append(records, offsetTombstone(group, topic, o.Partition))
			}
		}
	}
	for _, open := range s.offsets.openPartitions(group) {
		if open.topic != topic || committed.get(open.partition) != nil {
			continue
		}
		for _, producer := range s.offsets.open[group][open] {
			if o := s.offsets.pending[producer].get(group, topic, open.partition); o != nil && (o.TopicID.IsZero() || o.TopicID == id) {
				records = append(records, offsetTombstone(group, topic, open.partition))
				break
			}
		}
	}
	return records
}
