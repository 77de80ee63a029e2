package replica

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func everyoneEligible(Follower) bool { return true }

func TestHighWatermark(t *testing.T) {
	const now, lag = 100_000, 30_000
	f := func(id int32, end, caughtUp int64) Follower {
		return Follower{ID: id, LogEnd: end, LogStart: 0, lastCaughtUp: caughtUp}
	}
	cases := []struct {
		name      string
		followers []Follower
		isr       []int32
		eligible  bool
		want      int64
	}{
		{"alone", nil, []int32{1}, true, 50},
		{"slowest of the ISR", []Follower{f(2, 40, 0), f(3, 30, 0)}, []int32{1, 2, 3}, true, 30},
		{"lagging outside the ISR does not count", []Follower{f(2, 40, 0), f(3, 30, 0)}, []int32{1, 2}, true, 40},
		{"about to join counts", []Follower{f(2, 40, 0), f(3, 30, now)}, []int32{1, 2}, true, 30},
		{"about to join but fenced does not", []Follower{f(2, 40, 0), f(3, 30, now)}, []int32{1, 2}, false, 40},
		{"a member that has not fetched yet holds it", []Follower{newFollower(2)}, []int32{1, 2}, true, -1},
		{"ahead of the leader", []Follower{f(2, 60, 0)}, []int32{1, 2}, true, 50},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := highWatermark(50, c.followers, c.isr, now, lag, func(Follower) bool { return c.eligible })
			require.Equal(t, c.want, got)
		})
	}
}

func TestFollowerThatNeverReachesTheEndIsCaughtUpIfItFollows(t *testing.T) {
	f := newFollower(2).newEpoch(0, 0, true, true)
	// The leader writes 10 per round; the follower is one round behind always.
	for round := int64(1); round <= 100; round++ {
		f = f.fetched((round-1)*10, 0, round*1000, round*10, -1)
		require.True(t, f.caughtUp(round*10, round*1000, 1500), "round %d", round)
	}
	// It stops: after the lag time it is out.
	require.Equal(t, []int32{2}, outOfSync([]int32{1, 2}, 1, 2000, []Follower{f}, 110_000, 1500))
	require.Empty(t, outOfSync([]int32{1, 2}, 1, f.LogEnd, []Follower{f}, 110_000, 1500), "who has everything is in sync however old the fetch")
	require.Equal(t, []int32{3}, outOfSync([]int32{1, 3}, 1, 0, []Follower{f}, 0, 1500), "a member that is no replica")
}

func TestNewEpochForgetsWhatFollowersTold(t *testing.T) {
	f := newFollower(2).fetched(10, 3, 500, 10, 7)
	fresh := f.newEpoch(1000, 10, true, true)
	require.Equal(t, unknownOffset, fresh.LogEnd)
	require.Equal(t, unknownEpoch, fresh.BrokerEpoch)
	require.True(t, fresh.caughtUp(99, 1000, 0), "the ISR gets the lag time from now on")

	again := f.newEpoch(1000, 10, false, false)
	require.EqualValues(t, 10, again.LogEnd, "a re-elected leader keeps the ends")
	require.False(t, again.caughtUp(99, 1000, 500), "outside the ISR nobody is waited for")
}

func TestMayJoin(t *testing.T) {
	require.True(t, mayJoin(Follower{LogEnd: 10}, 10, 10))
	require.False(t, mayJoin(Follower{LogEnd: 9}, 10, 5), "below the high watermark")
	require.False(t, mayJoin(Follower{LogEnd: 9}, 5, 10), "below the epoch's start (KAFKA-7128)")
}

func TestLowWatermarkIgnoresDeadReplicas(t *testing.T) {
	followers := []Follower{{ID: 2, LogStart: 5}, {ID: 3, LogStart: -1}}
	require.EqualValues(t, 5, lowWatermark(8, followers, func(id int32) bool { return id == 2 }))
	require.EqualValues(t, -1, lowWatermark(8, followers, func(int32) bool { return true }))
	require.EqualValues(t, 4, lowWatermark(4, followers[:1], func(int32) bool { return true }))
}

func TestHighWatermarkIsNeverAboveAnyMemberOfTheISR(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		leaderEnd := rapid.Int64Range(0, 100).Draw(t, "leaderEnd")
		var followers []Follower
		isr := []int32{1}
		for id := int32(2); id < 6; id++ {
			f := Follower{ID: id, LogEnd: rapid.Int64Range(-1, 120).Draw(t, "end"), lastCaughtUp: rapid.Int64Range(0, 10).Draw(t, "caughtUp")}
			followers = append(followers, f)
			if rapid.Bool().Draw(t, "in") {
				isr = append(isr, id)
			}
		}
		hw := highWatermark(leaderEnd, followers, isr, 10, 5, everyoneEligible)
		require.LessOrEqual(t, hw, leaderEnd)
		for _, f := range followers {
			for _, id := range isr {
				if f.ID == id {
					require.LessOrEqual(t, hw, f.LogEnd)
				}
			}
		}
	})
}
