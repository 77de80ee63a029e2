package assign

import (
	"cmp"
	"slices"
)

// A balancer names the members that should get the next partition or give one up. It keeps the subscribers of one topic
// sorted by load and two ranges of them, on levels: low is the range of the least loaded, which grows to the right as its
// level rises, high that of the most loaded, which grows to the left as its level falls.
//
//	load                  ┌────┐
//	  │              ┌────┤high├── excluded: nothing of this topic to give up
//	  │      ┌───────┘    └────┘
//	  │ ─────┤
//	  │ low  │
//	  └──────────────────────────► members, sorted
//
// A member is named as if it got, or lost, a partition right then; the loads themselves are looked at only when a range
// grows, and the caller changes them in between. The topic is balanced when the levels differ by one at most.
type balancer struct {
	load   []int   // member → partitions it has; the caller's
	sorted []int32 // members, the least loaded first, then by number

	lowEnd, lowLevel, nextLow               int // low is sorted[:lowEnd]
	highStart, highEnd, highLevel, nextHigh int // high is sorted[highStart:highEnd]
}

// start begins with the subscribers of a topic, of which there is one at least, and says how far apart their loads are.
func (b *balancer) start(subscribers []int32) (spread int) {
	b.sorted = append(b.sorted[:0], subscribers...)
	slices.SortFunc(b.sorted, func(a, c int32) int { return cmp.Or(cmp.Compare(b.load[a], b.load[c]), cmp.Compare(a, c)) })
	n := len(b.sorted)
	lowest, highest := b.load[b.sorted[0]], b.load[b.sorted[n-1]]
	b.lowEnd, b.lowLevel, b.nextLow = 0, lowest-1, 0
	b.highStart, b.highEnd, b.highLevel, b.nextHigh = n, n, highest+1, n-1
	return highest - lowest
}

// least is the member that gets the next partition: each of the low range in turn, then the level rises.
func (b *balancer) least() int32 {
	if b.nextLow >= b.lowEnd {
		b.lowLevel++
		for b.lowEnd < len(b.sorted) && b.load[b.sorted[b.lowEnd]] == b.lowLevel {
			b.lowEnd++
		}
		b.nextLow = 0
	}
	member := b.sorted[b.nextLow]
	b.nextLow++
	return member
}

// most is the member that gives up the next partition: each of the high range in turn, from its end, then the level
// falls. false when every member was excluded.
func (b *balancer) most() (member int32, found bool) {
	if b.nextHigh < b.highStart {
		if b.highEnd <= b.highStart && b.highStart > 0 {
			b.highLevel = b.load[b.sorted[b.highStart-1]] // all of the range were excluded: go on with the next lower load
		} else {
			b.highLevel--
		}
		for b.highStart > 0 && b.load[b.sorted[b.highStart-1]] == b.highLevel {
			b.highStart--
		}
		b.nextHigh = b.highEnd - 1
	}
	if b.nextHigh < 0 {
		return 0, false
	}
	member = b.sorted[b.nextHigh]
	b.nextHigh--
	return member, true
}

// exclude takes the member that most named last out of the high range: it has nothing to give up.
func (b *balancer) exclude() {
	i, last := b.nextHigh+1, b.highEnd-1
	b.sorted[i], b.sorted[last] = b.sorted[last], b.sorted[i]
	b.highEnd--
}

func (b *balancer) balanced() bool { return b.highLevel-b.lowLevel <= 1 }
