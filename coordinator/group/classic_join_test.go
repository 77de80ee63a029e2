package group

import (
	"math"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestClassicMembersJoinSyncHeartbeatLeave(t *testing.T) {
	r := newClassicRig(t, nil)
	a, b := r.memberID(), r.memberID()
	require.Regexp(t, regexp.MustCompile(`^app-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`), a)
	require.Equal(t, "Empty", r.stateName())
	joinA, joinB := r.join(a), r.join(b)
	r.parked(joinA)
	require.Equal(t, "PreparingRebalance", r.stateName())
	r.advance(3 * time.Second)
	require.Equal(t, "PreparingRebalance", r.stateName(), "the delay is extended: somebody came")
	r.advance(3 * time.Second)
	respA, respB := r.joined(joinA), r.joined(joinB)
	require.Equal(t, "CompletingRebalance", r.stateName())
	require.Equal(t, int32(1), respA.Generation)
	require.Equal(t, a, respA.LeaderID)
	require.Equal(t, a, respB.LeaderID)
	require.Equal(t, "consumer", *respB.ProtocolType)
	require.Equal(t, "range", *respB.Protocol)
	require.Empty(t, respB.Members, "only the leader is told the members")
	want := []string{a, b}
	slices.Sort(want)
	require.Equal(t, want, memberIDs(respA))
	require.Equal(t, subscription("t"), respA.Members[0].ProtocolMetadata)

	require.Nil(t, r.heartbeat(a, 1), "a member may heartbeat before it syncs")
	syncB := r.sync(b, 1, nil)
	r.parked(syncB)
	syncA := r.sync(a, 1, map[string]string{a: "for a", b: "for b"})
	require.Equal(t, "for a", string(r.synced(syncA).MemberAssignment))
	require.Equal(t, "for b", string(r.synced(syncB).MemberAssignment))
	require.Equal(t, "range", *r.synced(syncB).Protocol)
	require.Equal(t, "Stable", r.stateName())
	require.Equal(t, "for b", string(r.synced(r.sync(b, 1, nil)).MemberAssignment), "a lost answer is given again")

	require.Nil(t, r.heartbeat(b, 1))
	require.Equal(t, kerr.IllegalGeneration, r.heartbeat(b, 0))
	require.Equal(t, kerr.UnknownMemberID, r.heartbeat("stranger", 1))

	require.Zero(t, r.leave(leaver(b)).Members[0].ErrorCode)
	require.Equal(t, kerr.RebalanceInProgress, r.heartbeat(a, 1))
	again := r.joined(r.join(a))
	require.Equal(t, int32(2), again.Generation)
	require.Equal(t, []string{a}, memberIDs(again))
	r.settleGeneration(a, 2, []string{a})

	require.Zero(t, r.leave(leaver(a)).Members[0].ErrorCode)
	require.Equal(t, "Empty", r.stateName())
	written := r.state.groups["g"].(*classicGroup).written
	require.Equal(t, int32(3), written.Generation)
	require.Nil(t, written.Protocol)
	require.Equal(t, "consumer", written.ProtocolType)
}

// G1 (KIP-394): from version 4 on a member id is given out first; nobody grows the group without one.
func TestClassicMemberIDRoundTrip(t *testing.T) {
	r := newClassicRig(t, nil)
	for version := int16(0); version < 4; version++ {
		c := r.join("", as(version))
		r.parked(c)
	}
	require.Len(t, r.round().members, 4)
	for version := int16(4); version <= 9; version++ {
		resp := r.joined(r.join("", as(version)))
		require.Equal(t, kerr.MemberIDRequired, codeOf(resp.ErrorCode))
		require.NotEmpty(t, resp.MemberID)
		require.Equal(t, version, resp.Version)
	}
	require.Len(t, r.round().members, 4)
	require.Len(t, r.round().pending, 6)
	r.parked(r.join("", instance("i")))
	require.Len(t, r.round().members, 5, "a static member needs no round trip")
}

// G1 (KAFKA-9752, KAFKA-7909): ids that nobody joins with hold a rebalance up for a session timeout at most.
func TestClassicPendingMemberExpiresOrLeaves(t *testing.T) {
	for _, ends := range []string{"expires", "leaves", "joins"} {
		t.Run(ends, func(t *testing.T) {
			r := newClassicRig(t, nil)
			members, _ := r.stable(1)
			pending := r.memberID()
			again := r.join(members[0])
			r.parked(again)
			other := (*call)(nil)
			switch ends {
			case "expires":
				r.advance(10*time.Second - 1)
				r.parked(again)
				r.advance(1)
				require.Equal(t, kerr.UnknownMemberID, codeOf(r.joined(r.join(pending)).ErrorCode))
			case "leaves":
				require.Zero(t, r.leave(leaver(pending)).Members[0].ErrorCode)
			case "joins":
				other = r.join(pending)
			}
			require.Equal(t, int32(2), r.joined(again).Generation)
			if other != nil {
				require.Equal(t, int32(2), r.joined(other).Generation)
				require.Equal(t, []string{pending}, slices.DeleteFunc(memberIDs(r.joined(again)), func(id string) bool { return id == members[0] }))
			}
			require.Empty(t, r.round().pending)
		})
	}
}

func TestClassicPendingMemberIsNotStatic(t *testing.T) {
	r := newClassicRig(t, nil)
	id := r.memberID()
	require.Equal(t, kerr.UnknownServerError, codeOf(r.joined(r.join(id, instance("i"))).ErrorCode))
	require.Contains(t, r.round().pending, id)
}

func TestClassicJoinRefusals(t *testing.T) {
	empty := func(req *kmsg.JoinGroupRequest) { req.Protocols = nil }
	kind := func(kind string) edit[*kmsg.JoinGroupRequest] {
		return func(req *kmsg.JoinGroupRequest) { req.ProtocolType = kind }
	}
	r := newClassicRig(t, nil)
	refused := func(want *kerr.Error, echoed, member string, edits ...edit[*kmsg.JoinGroupRequest]) {
		t.Helper()
		resp := r.joined(r.join(member, edits...))
		require.Equal(t, want, codeOf(resp.ErrorCode))
		require.Equal(t, echoed, resp.MemberID)
		require.Equal(t, int32(-1), resp.Generation)
		require.Nil(t, resp.Protocol)
		require.Nil(t, resp.ProtocolType)
	}
	refused(kerr.UnknownMemberID, "m", "m")
	require.Equal(t, "Dead", r.stateName(), "a member id does not found a group")
	refused(kerr.InconsistentGroupProtocol, "", "", empty)
	require.Equal(t, "Empty", r.stateName(), "but a refused newcomer does, as in Kafka")
	refused(kerr.InconsistentGroupProtocol, "", "", kind(""))
	refused(kerr.UnknownMemberID, "m", "m")

	members, _ := r.stable(2, speaks("range", "sticky"))
	refused(kerr.InconsistentGroupProtocol, "", "", speaks("other"))
	refused(kerr.InconsistentGroupProtocol, "", "", kind("connect"))
	refused(kerr.InconsistentGroupProtocol, members[0], members[0], speaks("other"))
	refused(kerr.InconsistentGroupProtocol, members[0], members[0], kind("connect"))
	refused(kerr.InconsistentGroupProtocol, members[0], members[0], empty)
	refused(kerr.UnknownMemberID, "m", "m", speaks("sticky"))
	refused(kerr.UnknownMemberID, members[0], members[0], speaks("sticky"), instance("never seen"))
	require.Equal(t, "Stable", r.stateName(), "nothing of it changed the group")
	require.Nil(t, r.heartbeat(members[0], 1))
}

func TestClassicJoinChecksBeforeItAsksTheGroup(t *testing.T) {
	c := New(Options{Environment: *newRig(t, map[string]string{"group.min.session.timeout.ms": "6000", "group.max.session.timeout.ms": "7000"}).env})
	join := func(group string, session int32) *kerr.Error {
		req := joinRequest("m")
		req.Group, req.SessionTimeoutMillis = group, session
		resp := c.JoinGroup(t.Context(), Caller{}, req)
		if resp.ErrorCode != kerr.NotCoordinator.Code {
			require.Equal(t, "m", resp.MemberID)
		}
		require.Equal(t, int16(9), resp.Version)
		return codeOf(resp.ErrorCode)
	}
	require.Equal(t, kerr.InvalidGroupID, join("", 6500))
	for _, session := range []int32{math.MinInt32, -1, 0, 5999, 7001, math.MaxInt32} { // G10
		require.Equal(t, kerr.InvalidSessionTimeout, join("g", session))
	}
	require.Equal(t, kerr.NotCoordinator, join("g", 6000))
	require.Equal(t, kerr.NotCoordinator, join("g", 7000))

	require.Equal(t, kerr.InvalidGroupID.Code, c.Heartbeat(t.Context(), Caller{}, &kmsg.HeartbeatRequest{}).ErrorCode)
	require.Equal(t, kerr.InvalidGroupID.Code, c.LeaveGroup(t.Context(), Caller{}, &kmsg.LeaveGroupRequest{}).ErrorCode)
	require.Equal(t, kerr.InvalidGroupID.Code, c.SyncGroup(t.Context(), Caller{}, &kmsg.SyncGroupRequest{}).ErrorCode)
	require.Equal(t, kerr.InconsistentGroupProtocol.Code, c.SyncGroup(t.Context(), Caller{}, &kmsg.SyncGroupRequest{Version: 5}).ErrorCode)
	require.Equal(t, kerr.NotCoordinator.Code, c.LeaveGroup(t.Context(), Caller{}, &kmsg.LeaveGroupRequest{Group: "g"}).ErrorCode)
}

func TestClassicHeartbeatIsAnsweredWhileTheGroupIsLoaded(t *testing.T) {
	c := New(Options{Environment: *newRig(t, nil).env})
	for p := range int32(50) {
		c.Lead(p, 0, nil) // loads begin with Run
	}
	require.Zero(t, c.Heartbeat(t.Context(), Caller{}, &kmsg.HeartbeatRequest{Group: "g", MemberID: "m"}).ErrorCode)
	require.Equal(t, kerr.CoordinatorLoadInProgress.Code, c.SyncGroup(t.Context(), Caller{}, &kmsg.SyncGroupRequest{Group: "g"}).ErrorCode)
	require.Equal(t, kerr.CoordinatorLoadInProgress.Code, c.JoinGroup(t.Context(), Caller{}, joinRequest("")).ErrorCode)
}

// A member that joins again gets its generation once more, unless it leads a stable group or has changed.
func TestClassicJoinAgain(t *testing.T) {
	r := newClassicRig(t, nil)
	a, b := r.memberID(), r.memberID()
	joinA, joinB := r.join(a), r.join(b)
	r.advance(6 * time.Second)
	require.Equal(t, "CompletingRebalance", r.stateName())
	require.Equal(t, r.joined(joinA), r.joined(r.join(a)), "the answer was lost")
	require.Equal(t, r.joined(joinB), r.joined(r.join(b)))
	require.Equal(t, "CompletingRebalance", r.stateName())
	r.settleGeneration(a, 1, []string{a, b})

	require.Equal(t, int32(1), r.joined(r.join(b)).Generation, "a follower that has not changed")
	require.Equal(t, "Stable", r.stateName())
	lead := r.join(a) // G4's sibling: a leader's join always counts
	r.parked(lead)
	require.Equal(t, "PreparingRebalance", r.stateName())
	r.join(b)
	require.Equal(t, int32(2), r.joined(lead).Generation)

	changed := r.join(b, subscribes("other")) // in CompletingRebalance
	r.parked(changed)
	require.Equal(t, "PreparingRebalance", r.stateName())
	lead = r.join(a)
	require.Equal(t, int32(3), r.joined(changed).Generation)
	require.Equal(t, subscription("other"), r.joined(lead).Members[1].ProtocolMetadata)
	r.settleGeneration(a, 3, []string{a, b})
	r.parked(r.join(b, subscribes("third")))
	require.Equal(t, "PreparingRebalance", r.stateName())
}

// Leaving, expiring and joining in CompletingRebalance tell those who wait for an assignment to join again.
func TestClassicParkedSyncsAreToldOfARebalance(t *testing.T) {
	r := newClassicRig(t, nil)
	a, b, c := r.memberID(), r.memberID(), r.memberID()
	r.join(a)
	r.join(b)
	r.join(c)
	r.advance(6 * time.Second)
	syncB, syncC := r.sync(b, 1, nil), r.sync(c, 1, nil)
	require.Zero(t, r.leave(leaver(c)).Members[0].ErrorCode)
	require.Equal(t, kerr.RebalanceInProgress, codeOf(r.synced(syncB).ErrorCode))
	require.Equal(t, kerr.UnknownMemberID, codeOf(r.synced(syncC).ErrorCode), "it is no member any more")
	require.Nil(t, r.synced(syncB).Protocol)
	require.Equal(t, kerr.RebalanceInProgress, codeOf(r.synced(r.sync(a, 1, map[string]string{a: "x"})).ErrorCode))
}

// G12 (KIP-134): the first generation waits for more members, as long as some come and up to the rebalance timeout.
func TestClassicInitialDelayIsExtended(t *testing.T) {
	r := newClassicRig(t, map[string]string{"group.initial.rebalance.delay.ms": "3000"})
	short := func(req *kmsg.JoinGroupRequest) { req.RebalanceTimeoutMillis = 10_000 }
	first := r.join("", as(3), short)
	for range 3 {
		r.advance(2900 * time.Millisecond)
		r.parked(first)
		r.join("", as(3), short)
		r.advance(100 * time.Millisecond)
		r.parked(first)
	}
	r.join("", as(3), short)
	r.advance(999 * time.Millisecond)
	r.parked(first)
	r.advance(time.Millisecond)
	require.Len(t, r.joined(first).Members, 5, "10 s after the first one nobody is waited for")

	r = newClassicRig(t, map[string]string{"group.initial.rebalance.delay.ms": "0"})
	first = r.join("", as(3))
	r.advance(0)
	require.Len(t, r.joined(first).Members, 1)
}

// G12: a storm of 500 joins needs at most two generations.
func TestClassicJoinStormNeedsTwoGenerations(t *testing.T) {
	r := newClassicRig(t, nil)
	joins := map[string]*call{}
	for i := range 500 {
		id := r.memberID()
		joins[id] = r.join(id)
		if i%250 == 0 {
			r.advance(time.Second)
		}
	}
	r.advance(7 * time.Second)
	for id, c := range joins {
		if codeOf(r.joined(c).ErrorCode) != nil {
			t.Fatalf("%s: %v", id, codeOf(r.joined(c).ErrorCode))
		}
	}
	require.LessOrEqual(t, r.round().generation, int32(2))
	require.Len(t, r.round().members, 500)
}

// G9 (KIP-389, KAFKA-9844): 200 joins at a limit of 100 leave exactly 100.
func TestClassicGroupMaxSize(t *testing.T) {
	r := newClassicRig(t, map[string]string{"group.max.size": "100"})
	var ids []string
	for range 200 {
		ids = append(ids, r.memberID())
	}
	full := 0
	for _, id := range ids {
		if c := r.join(id); c.resp != nil {
			require.Equal(t, kerr.GroupMaxSizeReached, codeOf(r.joined(c).ErrorCode))
			require.Empty(t, r.joined(c).MemberID)
			full++
		}
	}
	require.Equal(t, 100, full)
	r.advance(9 * time.Second)
	require.Equal(t, "CompletingRebalance", r.stateName())
	require.Len(t, r.round().members, 100)
	require.Equal(t, kerr.GroupMaxSizeReached, codeOf(r.joined(r.join("")).ErrorCode))
	require.Equal(t, kerr.GroupMaxSizeReached, codeOf(r.joined(r.join("", instance("i"))).ErrorCode))
	require.Zero(t, r.joined(r.join(r.round().members[50].id)).ErrorCode, "a member may join again")
}

func TestClassicGroupOverCapacityRebalancesWhenLoaded(t *testing.T) {
	r := newClassicRig(t, nil)
	members, _ := r.stable(3)
	smaller := newRig(t, map[string]string{"group.max.size": "2"})
	r.env.Config = smaller.env.Config
	r.restart()
	require.Equal(t, "PreparingRebalance", r.stateName())
	require.Equal(t, kerr.RebalanceInProgress, r.heartbeat(members[0], 1))
	first := r.join(members[2])
	second := r.join(members[1])
	require.Equal(t, kerr.GroupMaxSizeReached, codeOf(r.joined(r.join(members[0])).ErrorCode))
	r.parked(first)
	r.advance(30 * time.Second)
	require.Equal(t, int32(2), r.joined(first).Generation)
	require.Equal(t, int32(2), r.joined(second).Generation)
	require.Len(t, r.round().members, 2)
}

// G10: extreme timeouts set no timer in the past and overflow nothing.
func TestClassicExtremeTimeouts(t *testing.T) {
	for _, rebalance := range []int32{math.MinInt32, -1, 0, 1, math.MaxInt32} {
		r := newClassicRig(t, map[string]string{"group.max.session.timeout.ms": "2147483647"})
		extreme := func(req *kmsg.JoinGroupRequest) {
			req.RebalanceTimeoutMillis, req.SessionTimeoutMillis = rebalance, math.MaxInt32
		}
		c := r.join("", as(3), extreme)
		for timer, when := range r.timers {
			require.False(t, when.Before(r.now), "%v", timer)
		}
		r.advance(10 * time.Second)
		r.advance(10 * time.Second)
		require.Zero(t, r.joined(c).ErrorCode)
	}
}

// A new member can't heartbeat: its parked join counts for five minutes.
func TestClassicNewMemberExpiresWhileItsJoinIsParked(t *testing.T) {
	r := newClassicRig(t, nil)
	members, _ := r.stable(1, func(req *kmsg.JoinGroupRequest) { req.RebalanceTimeoutMillis = math.MaxInt32 })
	c := r.join(r.memberID())
	for range 60 {
		r.advance(5 * time.Second)
		require.Equal(t, kerr.RebalanceInProgress, r.heartbeat(members[0], 1), "the old member lives, and does not join")
	}
	require.Equal(t, kerr.UnknownMemberID, codeOf(r.joined(c).ErrorCode))
	require.Empty(t, r.joined(c).MemberID)
	require.Len(t, r.round().members, 1)
}

func TestClassicFoundingThatTheLogRefuses(t *testing.T) {
	r := newClassicRig(t, nil)
	r.refuse = kerr.CoordinatorNotAvailable
	resp := r.joined(r.join(""))
	require.Equal(t, kerr.CoordinatorNotAvailable, codeOf(resp.ErrorCode))
	require.Empty(t, resp.MemberID)
	require.Equal(t, "Dead", r.stateName())
	require.Empty(t, r.groupTimers())
}
