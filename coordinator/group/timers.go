package group

import (
	"time"

	"github.com/dohle-io/dohle/coordinator"
)

// Kinds of timers. Group and Member of a coordinator.Timer say whose it is.
const (
	timerOffsetExpiry      uint8 = iota // the shard's: offsets.retention.check.interval.ms
	timerJoin                           // classic group: the initial delay or the rebalance timeout ends the join phase
	timerSync                           // classic group: members that have not synced are removed
	timerPendingMember                  // classic: a member id was given and nobody joined with it
	timerClassicSession                 // classic member, also of a consumer group
	timerConsumerSession                // consumer group member
	timerConsumerRebalance              // consumer group member: must have revoked by then
	timerClassicJoin                    // classic member of a consumer group: must have joined again by then
	timerClassicSync                    // classic member of a consumer group: must have synced by then
	timerRegexRefresh                   // consumer group: regular expressions are resolved again
)

func at(kind uint8, group, member string, when time.Time) coordinator.Set {
	return coordinator.Set{Timer: coordinator.Timer{Kind: kind, Group: group, Member: member}, At: when}
}

// stop cancels a timer.
func stop(kind uint8, group, member string) coordinator.Set {
	return coordinator.Set{Timer: coordinator.Timer{Kind: kind, Group: group, Member: member}}
}
