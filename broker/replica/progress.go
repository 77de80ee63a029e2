package replica

import "slices"

// unknownOffset marks an offset that a follower has not told yet.
const unknownOffset int64 = -1

// Follower is what the leader knows of one remote replica, from its fetches alone. Times are milliseconds of the
// Real clock since 1970, 0 = never.
type Follower struct {
	ID          int32
	LogStart    int64 // its log start offset, -1 unknown
	LogEnd      int64 // its log end offset = the offset of its last fetch, -1 unknown
	BrokerEpoch int64 // of its last fetch; -1 = the fetch carried none, unknownEpoch = it has not fetched yet

	lastFetch          int64
	lastCaughtUp       int64 // the largest time at which its log held all that the leader's did
	leaderEndLastFetch int64 // the leader's log end when it last fetched
}

// unknownEpoch is the broker epoch of a follower that has not fetched in this leadership.
const unknownEpoch int64 = -2

// newFollower is a replica that was assigned and has not fetched.
func newFollower(id int32) Follower {
	return Follower{ID: id, LogStart: unknownOffset, LogEnd: unknownOffset, BrokerEpoch: unknownEpoch}
}

// fetched is f after a fetch at offset, by which it told that its log ends there.
// A fetch below the leader's end still proves that f was caught up when it fetched before, if it has by now all that
// the leader had then.
func (f Follower) fetched(offset, logStart, now, leaderEnd, brokerEpoch int64) Follower {
	switch {
	case offset >= leaderEnd:
		f.lastCaughtUp = max(f.lastCaughtUp, now)
	case offset >= f.leaderEndLastFetch:
		f.lastCaughtUp = max(f.lastCaughtUp, f.lastFetch)
	}
	f.LogStart, f.LogEnd = logStart, offset
	f.leaderEndLastFetch = max(leaderEnd, f.leaderEndLastFetch)
	f.lastFetch = now
	f.BrokerEpoch = brokerEpoch
	return f
}

// newEpoch is f at the start of a leader epoch at offset start. A member of the ISR is taken as caught up now, so
// that it has the full lag time to fetch; any other as never, so that it does not hold the high watermark back.
func (f Follower) newEpoch(now, start int64, newLeader, inISR bool) Follower {
	caughtUp := int64(0)
	if inISR {
		caughtUp = now
	}
	if newLeader {
		n := newFollower(f.ID)
		n.leaderEndLastFetch = unknownOffset
		n.lastCaughtUp = caughtUp
		return n
	}
	f.leaderEndLastFetch = start
	f.lastFetch = caughtUp
	f.lastCaughtUp = caughtUp
	return f
}

// caughtUp reports whether f has all of the leader's log, or had it at most maxLag milliseconds ago.
func (f Follower) caughtUp(leaderEnd, now, maxLag int64) bool {
	return f.LogEnd == leaderEnd || now-f.lastCaughtUp <= maxLag
}

// highWatermark is the smallest log end of the leader, the maximal ISR, and of those replicas that are about to join
// it: caught up and eligible. Without the last, a follower that catches up while the leader is alone in the ISR would
// chase the watermark for ever. eligible is asked only about replicas outside the ISR.
func highWatermark(leaderEnd int64, followers []Follower, maximalISR []int32, now, maxLag int64, eligible func(Follower) bool) int64 {
	hw := leaderEnd
	for i := range followers {
		f := &followers[i]
		if f.LogEnd >= hw {
			continue
		}
		if slices.Contains(maximalISR, f.ID) || (f.caughtUp(leaderEnd, now, maxLag) && eligible(*f)) {
			hw = f.LogEnd
		}
	}
	return hw
}

// lowWatermark is the smallest log start of the leader and of every live replica: what DeleteRecords has reached.
func lowWatermark(leaderStart int64, followers []Follower, alive func(id int32) bool) int64 {
	low := leaderStart
	for i := range followers {
		if f := &followers[i]; f.LogStart < low && alive(f.ID) {
			low = f.LogStart
		}
	}
	return low
}

// outOfSync are the members of the ISR, the leader aside, that have not been caught up for longer than maxLag.
func outOfSync(isr []int32, self int32, leaderEnd int64, followers []Follower, now, maxLag int64) []int32 {
	var out []int32
	for _, id := range isr {
		if id == self {
			continue
		}
		i := slices.IndexFunc(followers, func(f Follower) bool { return f.ID == id })
		if i < 0 || !followers[i].caughtUp(leaderEnd, now, maxLag) {
			out = append(out, id)
		}
	}
	return out
}

// mayJoin reports whether f has what the ISR asks for: everything below the high watermark, and a log that reaches
// into the current leader epoch (KAFKA-7128: a replica below the epoch's start could lead without committed data).
func mayJoin(f Follower, hw, epochStart int64) bool {
	return f.LogEnd >= hw && f.LogEnd >= epochStart
}

// effectiveMinISR is min.insync.replicas, but never more than there are replicas.
func effectiveMinISR(minISR, replicas int) int { return min(minISR, replicas) }
