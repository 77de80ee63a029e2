package group

import "time"

// What a consumer group waits for.
const (
	WaitAssignment WaitFor = "assignment" // the assignment interval, before a new target is computed
	WaitRegexes    WaitFor = "regexes"    // the resolution of the group's regular expressions
	WaitRevoke     WaitFor = "revoke"     // a member that must give partitions up, until its rebalance timeout
	WaitRelease    WaitFor = "release"    // a member whose partitions are still with others
	WaitReconcile  WaitFor = "reconcile"  // a member that has to be heard of to enter the newest target epoch
	WaitRejoin     WaitFor = "rejoin"     // a classic member that was told to join again
	WaitResync     WaitFor = "resync"     // a classic member that has joined and not synced
)

// consumerWaits lists what the group waits for. due is when a new target may be computed.
func (g *consumerGroup) consumerWaits(due time.Time) (list []Wait) {
	if len(g.members) > 0 && g.epoch > g.targetEpoch {
		list = append(list, Wait{Group: g.id, For: WaitAssignment, Until: due})
	}
	if g.resolving {
		list = append(list, Wait{Group: g.id, For: WaitRegexes})
	}
	for _, id := range sortedKeys(g.members) {
		m, l := g.members[id], g.deadlines[id]
		if l == nil {
			l = &memberDeadlines{}
		}
		switch {
		case m.state == memberUnrevoked:
			list = append(list, Wait{g.id, WaitRevoke, id, l.revokeBy})
		case m.state == memberUnreleased && g.waits(m):
			list = append(list, Wait{Group: g.id, For: WaitRelease, Member: id})
		case !m.reconciled(g.targetEpoch):
			list = append(list, Wait{Group: g.id, For: WaitReconcile, Member: id})
		}
		if !l.joinBy.IsZero() {
			list = append(list, Wait{g.id, WaitRejoin, id, l.joinBy})
		}
		if !l.syncBy.IsZero() {
			list = append(list, Wait{g.id, WaitResync, id, l.syncBy})
		}
	}
	return list
}
