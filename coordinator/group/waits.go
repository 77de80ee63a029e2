package group

import "time"

// WaitFor says what is waited for, for consoles and tests.
type WaitFor string

const (
	WaitRebalance WaitFor = "rebalance" // a classic group's join phase, until its members have joined
	WaitSyncs     WaitFor = "syncs"     // members of a classic group that have joined and not synced
	WaitJoin      WaitFor = "join"      // a parked JoinGroup, until the join phase ends
	WaitSync      WaitFor = "sync"      // a parked SyncGroup, until the leader assigns
	WaitMemberID  WaitFor = "member id" // a member id that was given out, until somebody joins with it
)

// Wait is one thing that a group waits for.
type Wait struct {
	Group  string
	For    WaitFor
	Member string    // "" = the group as a whole
	Until  time.Time // Broker clock; when it ends by time, unless it is extended. Zero = by no timer
}

// Waits lists what the groups of a partition wait for, by group; within one what concerns the group comes first.
func (s *State) Waits() []Wait {
	var list []Wait
	for _, id := range sortedKeys(s.groups) {
		switch g := s.groups[id].(type) {
		case *classicGroup:
			list = append(list, g.waits()...)
		case *consumerGroup:
			list = append(list, g.consumerWaits(s.assignmentDue(g))...)
		}
	}
	return list
}

// Waits lists what the groups wait for that this node coordinates.
func (c *Coordinator) Waits() []Wait {
	var list []Wait
	for _, partition := range c.shards.Led() {
		c.shards.View(partition, func(s *State) { list = append(list, s.Waits()...) })
	}
	return list
}

// waits are those of a classic group.
func (g *classicGroup) waits() []Wait {
	r := g.soft
	if r == nil {
		return nil
	}
	var list []Wait
	if r.state == statePreparing {
		list = append(list, Wait{Group: g.id, For: WaitRebalance, Until: r.joinBy})
	}
	if !r.syncBy.IsZero() {
		list = append(list, Wait{Group: g.id, For: WaitSyncs, Until: r.syncBy})
	}
	for _, m := range r.members {
		if m.join.token != 0 {
			list = append(list, Wait{g.id, WaitJoin, m.id, r.joinBy})
		}
		if m.sync.token != 0 {
			list = append(list, Wait{g.id, WaitSync, m.id, r.syncBy})
		}
	}
	for _, id := range sortedKeys(r.pending) {
		list = append(list, Wait{g.id, WaitMemberID, id, r.pending[id]})
	}
	return list
}
