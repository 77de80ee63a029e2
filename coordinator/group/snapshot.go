package group

import (
	"time"

	"github.com/dohle-io/dohle/coordinator"
)

// Snapshot is a group at one moment, for tests and consoles: also what is not committed yet.
type Snapshot struct {
	Kind      Kind
	State     string     // Kafka's name: "Stable"
	Members   []string   // member ids, sorted
	Deadlines []Deadline // what the group waits for, the next first
}

// Deadline is something that happens at a time unless something else comes first.
type Deadline struct {
	What   string // "rebalance ends", "session ends", …
	Member string // "" = of the group
	At     time.Time
}

// deadlineNames are the words for timers of groups, by kind.
var deadlineNames = [...]string{
	timerOffsetExpiry:      "offsets expire",
	timerJoin:              "members must have joined",
	timerSync:              "members must have synced",
	timerPendingMember:     "member id is forgotten",
	timerClassicSession:    "session ends",
	timerConsumerSession:   "session ends",
	timerConsumerRebalance: "member must have given partitions up",
	timerClassicJoin:       "member must have joined again",
	timerClassicSync:       "member must have synced",
	timerRegexRefresh:      "regular expressions are resolved again",
}

// Snapshot looks at a group. ok is false when it does not exist, or this node has not loaded its partition.
func (c *Coordinator) Snapshot(id string) (snap Snapshot, ok bool) {
	partition := c.PartitionFor(id)
	c.shards.View(partition, func(s *State) {
		g := s.groups[id]
		if ok = g != nil; ok {
			snap = Snapshot{Kind: g.Kind(), State: g.StateName(), Members: membersOf(g)}
		}
	})
	if !ok {
		return snap, false
	}
	for _, t := range c.shards.Timers(partition) {
		if t.Group == id {
			snap.Deadlines = append(snap.Deadlines, Deadline{What: deadlineNames[t.Kind], Member: t.Member, At: t.At})
		}
	}
	return snap, true
}

func membersOf(g Group) []string {
	switch g := g.(type) {
	case *classicGroup:
		return sortedKeys(g.look().byID)
	case *consumerGroup:
		return sortedKeys(g.members)
	}
	return nil
}

// ExpireMembers ends the sessions of members as if their time had passed, of all when none is named, and reports whose it
// was. It acts only on a coordinator that has loaded the group's partition.
func (c *Coordinator) ExpireMembers(id string, members ...string) (expired []string) {
	c.shards.Tell(c.PartitionFor(id), func(s *State, t coordinator.Turn) coordinator.Result {
		if g := s.groups[id]; g != nil && len(members) == 0 {
			members = membersOf(g)
		}
		return coordinator.Result{}
	})
	for _, member := range members { // one decision each: it looks at what the one before has written
		c.shards.Tell(c.PartitionFor(id), func(s *State, t coordinator.Turn) coordinator.Result {
			kind := timerConsumerSession
			switch g := s.groups[id].(type) {
			case *classicGroup:
				kind = timerClassicSession
				if g.look().byID[member] == nil {
					return coordinator.Result{}
				}
			case *consumerGroup:
				if g.members[member] == nil {
					return coordinator.Result{}
				}
			default:
				return coordinator.Result{}
			}
			expired = append(expired, member)
			ended := coordinator.Result{Timers: []coordinator.Set{stop(kind, id, member)}}
			return ended.And(s.Expired(coordinator.Timer{Kind: kind, Group: id, Member: member}, t.Now))
		})
	}
	return expired
}
