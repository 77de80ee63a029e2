package group

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// completing makes the group one that waits for the leader's assignment; the first member leads.
func (r *classicRig) completing(n int) (members []string) {
	r.t.Helper()
	for range n {
		members = append(members, r.memberID())
	}
	for _, id := range members {
		r.join(id)
	}
	r.advance(6 * time.Second)
	require.Equal(r.t, "CompletingRebalance", r.stateName())
	return members
}

// G5: what is not of this generation is refused and changes nothing.
func TestClassicSyncRefusals(t *testing.T) {
	r := newClassicRig(t, nil)
	refused := func(want *kerr.Error, member string, generation int32, edits ...edit[*kmsg.SyncGroupRequest]) {
		t.Helper()
		resp := r.synced(r.sync(member, generation, nil, edits...))
		require.Equal(t, want, codeOf(resp.ErrorCode))
		require.Nil(t, resp.Protocol)
		require.Nil(t, resp.ProtocolType)
		require.Empty(t, resp.MemberAssignment)
	}
	protocol := func(kind, name string) edit[*kmsg.SyncGroupRequest] {
		return func(req *kmsg.SyncGroupRequest) { req.ProtocolType, req.Protocol = &kind, &name }
	}
	static := func(req *kmsg.SyncGroupRequest) { i := "i"; req.InstanceID = &i }
	refused(kerr.UnknownMemberID, "m", 1)
	pending := r.memberID()
	refused(kerr.UnknownMemberID, pending, 0)
	r.leave(leaver(pending))
	members := r.completing(2)
	refused(kerr.UnknownMemberID, "m", 1)
	refused(kerr.UnknownMemberID, members[0], 1, static)
	refused(kerr.IllegalGeneration, members[0], 0)
	refused(kerr.IllegalGeneration, members[0], 2)
	refused(kerr.InconsistentGroupProtocol, members[0], 1, protocol("connect", "range"))
	refused(kerr.InconsistentGroupProtocol, members[0], 1, protocol("consumer", "sticky"))
	require.Equal(t, "CompletingRebalance", r.stateName())
	r.settleGeneration(members[0], 1, members)
	refused(kerr.InconsistentGroupProtocol, members[1], 1, protocol("consumer", "sticky"))
	require.Equal(t, "1", string(r.synced(r.sync(members[1], 1, nil, protocol("consumer", "range"))).MemberAssignment))
	r.join(members[0])
	refused(kerr.RebalanceInProgress, members[1], 1)
}

// The leader may leave members out, and name some that are not there.
func TestClassicLeaderAssignsToMembersOnly(t *testing.T) {
	r := newClassicRig(t, nil)
	members := r.completing(3)
	follower := r.sync(members[1], 1, map[string]string{members[1]: "a follower's assignment counts for nothing"})
	r.parked(follower)
	lead := r.sync(members[0], 1, map[string]string{members[0]: "x", "stranger": "y"})
	require.Equal(t, "x", string(r.synced(lead).MemberAssignment))
	require.Empty(t, r.synced(follower).MemberAssignment)
	require.Empty(t, r.synced(r.sync(members[2], 1, nil)).MemberAssignment, "a late sync of a stable group is answered at once")
	written := r.state.groups["g"].(*classicGroup).written
	require.Equal(t, "range", *written.Protocol)
	require.Equal(t, members[0], *written.Leader)
	require.Equal(t, int32(1), written.Generation)
	require.Len(t, written.Members, 3)
	require.Equal(t, "/127.0.0.1", written.Members[0].ClientHost)
	require.Equal(t, "app", written.Members[0].ClientId)
	require.Equal(t, int32(30_000), written.Members[0].RebalanceTimeout)
	require.Equal(t, int32(10_000), written.Members[0].SessionTimeout)
	require.Equal(t, subscription("t"), written.Members[0].Subscription)
}

// What a leader assigned must not change when its request's bytes are used again.
func TestClassicKeepsCopiesOfWhatClientsSent(t *testing.T) {
	r := newClassicRig(t, nil)
	id := r.memberID()
	var bytes []byte
	r.join(id, func(req *kmsg.JoinGroupRequest) { bytes = req.Protocols[0].Metadata })
	clear(bytes)
	r.advance(3 * time.Second)
	require.Equal(t, subscription("t"), r.round().members[0].protocols[0].metadata)
	r.sync(id, 1, map[string]string{id: "x"}, func(req *kmsg.SyncGroupRequest) { bytes = req.GroupAssignment[0].MemberAssignment })
	clear(bytes)
	require.Equal(t, "x", string(r.synced(r.sync(id, 1, nil)).MemberAssignment))
}

// G2 (KAFKA-12890, KAFKA-8896): members that join and do not sync are removed after the rebalance timeout.
func TestClassicMembersThatDoNotSyncAreRemoved(t *testing.T) {
	for _, late := range []string{"leader", "follower", "both"} {
		t.Run(late, func(t *testing.T) {
			r := newClassicRig(t, nil)
			members := r.completing(3)
			leads, follows := members[0], members[1]
			waiting := r.sync(members[2], 1, nil)
			if late == "follower" {
				r.sync(leads, 1, nil)
				require.Equal(t, "Stable", r.stateName())
			}
			if late == "leader" {
				r.parked(r.sync(follows, 1, nil))
			}
			for range 29 { // all of them are alive
				r.advance(time.Second)
				for _, id := range members {
					require.Nil(t, r.heartbeat(id, 1))
				}
			}
			require.NotEqual(t, "PreparingRebalance", r.stateName())
			r.advance(time.Second)
			require.Equal(t, "PreparingRebalance", r.stateName())
			if late != "follower" {
				require.Equal(t, kerr.RebalanceInProgress, codeOf(r.synced(waiting).ErrorCode))
			}
			if late != "follower" {
				require.Equal(t, kerr.UnknownMemberID, r.heartbeat(leads, 1))
			}
			if late != "leader" {
				require.Equal(t, kerr.UnknownMemberID, r.heartbeat(follows, 1))
			}
			require.Equal(t, kerr.RebalanceInProgress, r.heartbeat(members[2], 1))
		})
	}
}

func TestClassicSyncTimerStopsWhenAllHaveSynced(t *testing.T) {
	r := newClassicRig(t, nil)
	members, _ := r.stable(2)
	for _, timer := range r.groupTimers() {
		require.Equal(t, timerClassicSession, timer.Kind)
	}
	for range 60 {
		r.advance(5 * time.Second)
		for _, id := range members {
			require.Nil(t, r.heartbeat(id, 1))
		}
	}
	require.Equal(t, "Stable", r.stateName())
}

// A record that the log does not take ends the round: everybody who waits is told why, and joins again.
func TestClassicAssignmentThatTheLogRefuses(t *testing.T) {
	r := newClassicRig(t, nil)
	members := r.completing(2)
	follower := r.sync(members[1], 1, nil)
	r.refuse = kerr.UnknownServerError
	lead := r.sync(members[0], 1, map[string]string{members[0]: "x"})
	require.Equal(t, kerr.UnknownServerError, codeOf(r.synced(lead).ErrorCode))
	require.Equal(t, kerr.UnknownServerError, codeOf(r.synced(follower).ErrorCode))
	require.Equal(t, "PreparingRebalance", r.stateName())
	again, other := r.join(members[0]), r.join(members[1])
	require.Equal(t, int32(2), r.joined(again).Generation)
	require.Zero(t, r.joined(other).ErrorCode)
	r.settleGeneration(members[0], 2, members)
}

// A session runs anew from the moment that the assignment is given out: while it was parked nothing was heard.
func TestClassicSessionBeginsAnewWithTheAssignment(t *testing.T) {
	r := newClassicRig(t, nil)
	members := r.completing(2)
	follower := r.sync(members[1], 1, nil)
	for range 5 {
		r.advance(5 * time.Second)
		require.Nil(t, r.heartbeat(members[0], 1))
	}
	r.parked(follower) // its session of 10 s has passed
	r.sync(members[0], 1, nil)
	require.Zero(t, r.synced(follower).ErrorCode)
	r.advance(10*time.Second - 1)
	require.Nil(t, r.heartbeat(members[1], 1))
	r.advance(1)
	require.Equal(t, "PreparingRebalance", r.stateName(), "the leader was silent for 10 s")
}

func TestClassicSessionsExpire(t *testing.T) {
	r := newClassicRig(t, nil)
	members, _ := r.stable(3)
	r.advance(9 * time.Second)
	require.Nil(t, r.heartbeat(members[1], 1))
	r.advance(time.Second)
	require.Equal(t, "PreparingRebalance", r.stateName())
	require.Equal(t, kerr.UnknownMemberID, r.heartbeat(members[0], 1))
	require.Equal(t, kerr.RebalanceInProgress, r.heartbeat(members[1], 1))
	again := r.join(members[1])
	resp := r.joined(again)
	require.Equal(t, members[1], resp.LeaderID, "the leader expired")
	require.Equal(t, int32(2), resp.Generation)
	r.settleGeneration(members[1], 2, members[1:2])
	r.advance(10 * time.Second)
	require.Equal(t, "Empty", r.stateName())
	require.Equal(t, int32(3), r.state.groups["g"].(*classicGroup).written.Generation)
	require.Empty(t, r.groupTimers())
}

// Who has not joined when the rebalance timeout ends is out; a leader that is not there is replaced.
func TestClassicRebalanceTimeout(t *testing.T) {
	r := newClassicRig(t, nil)
	members, _ := r.stable(3)
	joins := []*call{r.join(members[2], subscribes("x")), r.join(members[1])}
	for range 29 {
		r.advance(time.Second)
		r.heartbeat(members[0], 1)
	}
	r.parked(joins[0])
	r.advance(time.Second)
	require.Equal(t, members[1], r.joined(joins[0]).LeaderID, "the first in the order of joining")
	require.Equal(t, kerr.UnknownMemberID, r.heartbeat(members[0], 1))
	require.Len(t, r.joined(joins[1]).Members, 2)
}

func TestClassicProtocolIsTheOneMostMembersPrefer(t *testing.T) {
	r := newClassicRig(t, nil)
	joins := []*call{r.join("", as(3), speaks("roundrobin", "range", "sticky")), r.join("", as(3), speaks("range", "roundrobin")), r.join("", as(3), speaks("range", "other", "roundrobin"))}
	r.advance(6 * time.Second)
	require.Equal(t, "range", *r.joined(joins[0]).Protocol)
}

// Equal votes go to the name that java.util.HashMap comes to first: checked against Java 17.
func TestJavaOrderOfNames(t *testing.T) {
	require.Equal(t, []string{"sticky", "range", "roundrobin", "cooperative-sticky"}, javaOrder([]string{"range", "roundrobin", "sticky", "cooperative-sticky"}))
	require.Equal(t, strings.Fields("mm nn oo pp a b c d e f g h i range é j k l 😀x sticky"), javaOrder(strings.Fields("a b c d e f g h i j k l mm nn oo pp range sticky é 😀x")))
	require.Equal(t, []string{"Aa", "BB"}, javaOrder([]string{"Aa", "BB"}), "one bucket: as they were put")
	require.Equal(t, []string{"BB", "Aa"}, javaOrder([]string{"BB", "Aa"}))
}

// KAFKA-14744, G11: a reason of any length is taken, and is no more than noted.
func TestClassicLongReasons(t *testing.T) {
	r := newClassicRig(t, nil)
	long := string(slices.Repeat([]byte("x"), 32_000))
	id := r.memberID(func(req *kmsg.JoinGroupRequest) { req.Reason = &long })
	c := r.join(id, func(req *kmsg.JoinGroupRequest) { req.Reason = &long })
	r.advance(3 * time.Second)
	require.Zero(t, r.joined(c).ErrorCode)
	require.Zero(t, r.leave(kmsg.LeaveGroupRequestMember{MemberID: id, Reason: &long}).Members[0].ErrorCode)
	require.Len(t, brief(long), 255)
}
