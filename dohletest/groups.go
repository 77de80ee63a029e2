package dohletest

import (
	"time"

	"github.com/dohle-io/dohle/coordinator/group"
	"github.com/dohle-io/dohle/internal/clock"
)

// Group is a consumer group at one moment.
type Group struct {
	State   string   // Kafka's name: "Stable", "PreparingRebalance"; "Dead" when there is no such group
	Members []string // member ids, sorted
	Waits   []string // what it waits for, the next first: for messages
}

// Group looks at a group of either protocol.
func (b *Broker) Group(name string) Group {
	snap, ok := b.b.Groups().Snapshot(name)
	if !ok {
		return Group{State: "Dead"}
	}
	g := Group{State: snap.State, Members: snap.Members}
	for _, d := range snap.Deadlines {
		g.Waits = append(g.Waits, describe(d))
	}
	return g
}

func describe(d group.Deadline) string {
	text := d.What + " at " + d.At.Format(time.RFC3339Nano)
	if d.Member != "" {
		text = d.Member + ": " + text
	}
	return text
}

// WaitGroupStable waits until the group is stable with so many members: each has its part of the partitions. It fails the
// test after 30 seconds.
func (b *Broker) WaitGroupStable(name string, members int) {
	b.t.Helper()
	deadline := clock.Machine.Now().Add(groupPatience)
	for {
		g := b.Group(name)
		if g.State == "Stable" && len(g.Members) == members {
			return
		}
		if clock.Machine.Now().After(deadline) {
			b.t.Fatalf("dohletest: group %s is not stable with %d members: %+v", name, members, g)
		}
		timer := clock.Machine.NewTimer(groupPoll)
		<-timer.C()
	}
}

const (
	groupPatience = 30 * time.Second
	groupPoll     = 5 * time.Millisecond
)

// ExpireMembers ends the sessions of a group's members as if they had been silent for too long, of all when none is named:
// they are told UNKNOWN_MEMBER_ID or FENCED_MEMBER_EPOCH by their next heartbeat, and the group rebalances without them.
// It returns whose session it was.
func (b *Broker) ExpireMembers(name string, members ...string) []string {
	return b.b.Groups().ExpireMembers(name, members...)
}
