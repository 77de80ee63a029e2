package group

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// stableStatic makes the group a stable one of static members; the first leads.
func (r *classicRig) stableStatic(instances ...string) (members []string) {
	r.t.Helper()
	var joins []*call
	for _, i := range instances {
		joins = append(joins, r.join("", instance(i)))
	}
	r.advance(6 * time.Second)
	for _, c := range joins {
		members = append(members, r.joined(c).MemberID)
	}
	r.settleGeneration(members[0], r.joined(joins[0]).Generation, members)
	return members
}

func syncInstance(id string) edit[*kmsg.SyncGroupRequest] {
	return func(req *kmsg.SyncGroupRequest) { req.InstanceID = &id }
}

// G3 (KAFKA-8715, KAFKA-14422): a static member that is back in a stable group gets a new member id and the old assignment;
// nobody else notices, the old one is fenced, and all of it outlives the coordinator.
func TestClassicStaticMemberIsBack(t *testing.T) {
	r := newClassicRig(t, nil)
	members := r.stableStatic("a", "b")
	require.Regexp(t, "^b-[0-9a-f-]{36}$", members[1])
	resp := r.joined(r.join("", instance("b"), func(req *kmsg.JoinGroupRequest) {
		req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 20_000, 40_000
	}))
	require.Zero(t, resp.ErrorCode)
	require.Regexp(t, "^b-[0-9a-f-]{36}$", resp.MemberID)
	require.NotEqual(t, members[1], resp.MemberID)
	require.Equal(t, int32(1), resp.Generation)
	require.Equal(t, members[0], resp.LeaderID)
	require.False(t, resp.SkipAssignment)
	require.Empty(t, resp.Members)
	require.Equal(t, "Stable", r.stateName())

	require.Equal(t, kerr.FencedInstanceID, r.heartbeat(members[1], 1, "b"))
	require.Equal(t, kerr.UnknownMemberID, r.heartbeat(members[1], 1), "without its instance id nobody knows it")
	require.Equal(t, kerr.FencedInstanceID, codeOf(r.synced(r.sync(members[1], 1, nil, syncInstance("b"))).ErrorCode))
	require.Equal(t, kerr.FencedInstanceID, codeOf(r.joined(r.join(members[1], instance("b"))).ErrorCode))
	b := "b"
	require.Equal(t, kerr.FencedInstanceID.Code, r.leave(kmsg.LeaveGroupRequestMember{MemberID: members[1], InstanceID: &b}).Members[0].ErrorCode)
	require.Nil(t, r.heartbeat(resp.MemberID, 1, "b"))
	require.Equal(t, "1", string(r.synced(r.sync(resp.MemberID, 1, nil, syncInstance("b"))).MemberAssignment))

	r.restart()
	require.Nil(t, r.heartbeat(resp.MemberID, 1, "b"))
	require.Equal(t, kerr.FencedInstanceID, r.heartbeat(members[1], 1, "b"))
	m := r.round().static["b"]
	require.Equal(t, int32(20_000), m.sessionMillis, "timeouts are updated") // KAFKA-14009
	require.Equal(t, int32(40_000), m.rebalanceMillis)
	require.Equal(t, "1", string(r.synced(r.sync(resp.MemberID, 1, nil, syncInstance("b"))).MemberAssignment))
}

// G4 (KIP-814): a static leader that is back is told to assign nothing from version 9 on; before, it is told the old
// leader's id, so that it does not assign either (KAFKA-13435).
func TestClassicStaticLeaderIsBack(t *testing.T) {
	for version := int16(5); version <= 9; version++ {
		r := newClassicRig(t, nil)
		members := r.stableStatic("a", "b")
		resp := r.joined(r.join("", instance("a"), as(version)))
		require.Zero(t, resp.ErrorCode)
		require.Equal(t, version, resp.Version)
		require.Equal(t, version >= 9, resp.SkipAssignment)
		if version >= 9 {
			require.Equal(t, resp.MemberID, resp.LeaderID)
			require.Len(t, resp.Members, 2)
			require.Equal(t, "a", *resp.Members[0].InstanceID)
		} else {
			require.Equal(t, members[0], resp.LeaderID)
			require.Empty(t, resp.Members)
		}
		require.Equal(t, resp.MemberID, r.round().leader)
		require.Equal(t, "0", string(r.synced(r.sync(resp.MemberID, 1, nil, syncInstance("a"))).MemberAssignment))
		encoded := resp.AppendTo(nil)
		again := &kmsg.JoinGroupResponse{Version: version}
		require.NoError(t, again.ReadFrom(encoded))
	}
}

// KAFKA-8220: what a fenced member has parked is answered at once.
func TestClassicStaticMemberIsFencedWhileItWaits(t *testing.T) {
	r := newClassicRig(t, nil)
	old := r.join("", instance("a"))
	r.parked(old)
	other := r.join("", instance("a"))
	resp := r.joined(old)
	require.Equal(t, kerr.FencedInstanceID, codeOf(resp.ErrorCode))
	require.Regexp(t, "^a-", resp.MemberID, "its own id")
	require.Empty(t, resp.LeaderID)
	require.Nil(t, resp.ProtocolType)
	require.Len(t, r.round().members, 1)
	r.advance(6 * time.Second)
	require.Zero(t, r.joined(other).ErrorCode)
	require.Equal(t, "CompletingRebalance", r.stateName())

	r = newClassicRig(t, nil)
	first, second := r.join("", instance("a")), r.join("", instance("b"))
	r.advance(6 * time.Second)
	sync := r.sync(r.joined(second).MemberID, 1, nil, syncInstance("b"))
	r.parked(sync)
	back := r.join("", instance("b"))
	require.Equal(t, kerr.FencedInstanceID, codeOf(r.synced(sync).ErrorCode))
	// G4 (KAFKA-9801): the leader may have the old id to assign to, so the group rebalances.
	require.Equal(t, "PreparingRebalance", r.stateName())
	r.parked(back)
	lead := r.join(r.joined(first).MemberID, instance("a"))
	require.Equal(t, int32(2), r.joined(lead).Generation)
	require.Equal(t, int32(2), r.joined(back).Generation)
}

func TestClassicStaticMemberIsBackWhileOthersJoin(t *testing.T) {
	r := newClassicRig(t, nil)
	members := r.stableStatic("a", "b")
	lead := r.join(members[0], instance("a"))
	r.parked(lead)
	back := r.join("", instance("b"))
	require.Equal(t, int32(2), r.joined(lead).Generation, "everybody is there")
	require.Equal(t, int32(2), r.joined(back).Generation)
	require.Equal(t, []string{members[0], r.joined(back).MemberID}, memberIDs(r.joined(lead)))
}

// Another protocol would be chosen with what the member speaks now: the group rebalances.
func TestClassicStaticMemberIsBackWithOtherProtocols(t *testing.T) {
	r := newClassicRig(t, nil)
	a, b := r.join("", instance("a"), speaks("range", "sticky")), r.join("", instance("b"), speaks("range", "sticky"))
	r.advance(6 * time.Second)
	members := []string{r.joined(a).MemberID, r.joined(b).MemberID}
	r.settleGeneration(members[0], 1, members)
	back := r.join("", instance("b"), speaks("sticky"))
	r.parked(back)
	require.Equal(t, "PreparingRebalance", r.stateName())
	r.join(members[0], instance("a"), speaks("range", "sticky"))
	require.Equal(t, "sticky", *r.joined(back).Protocol)
	require.Equal(t, kerr.InconsistentGroupProtocol, codeOf(r.joined(r.join("", instance("b"), speaks("none"))).ErrorCode))
}

// The log did not take the new member id: the old one stays, and the client hears why.
func TestClassicStaticMemberThatTheLogRefuses(t *testing.T) {
	r := newClassicRig(t, nil)
	members := r.stableStatic("a", "b")
	r.refuse = kerr.CoordinatorNotAvailable
	resp := r.joined(r.join("", instance("a"), subscribes("other")))
	require.Equal(t, kerr.CoordinatorNotAvailable, codeOf(resp.ErrorCode))
	require.Empty(t, resp.MemberID)
	require.Equal(t, int32(1), resp.Generation)
	require.Equal(t, members[0], resp.LeaderID)
	require.Nil(t, r.heartbeat(members[0], 1, "a"))
	require.Equal(t, members[0], r.round().leader)
	require.Zero(t, r.round().awaiting)
	require.Equal(t, subscription("t"), r.round().members[0].metadata(r.round().protocol))
	r.advance(9 * time.Second)
	require.Nil(t, r.heartbeat(members[1], 1, "b"))
	r.advance(time.Second)
	require.Equal(t, kerr.UnknownMemberID, r.heartbeat(members[0], 1, "a"), "its session runs")
}

// A static member's place is kept while a rebalance ends without it; only its session ends it.
func TestClassicStaticMemberKeepsItsPlace(t *testing.T) {
	r := newClassicRig(t, nil)
	long := func(req *kmsg.JoinGroupRequest) { req.SessionTimeoutMillis = 60_000 }
	a, b := r.join("", instance("a"), long), r.join("", instance("b"), long)
	r.advance(6 * time.Second)
	members := []string{r.joined(a).MemberID, r.joined(b).MemberID}
	r.settleGeneration(members[0], 1, members)
	joined := r.join(members[1], instance("b"), long, subscribes("x"))
	r.advance(30 * time.Second)
	require.Equal(t, members[1], r.joined(joined).LeaderID)
	require.Len(t, r.joined(joined).Members, 2, "the silent one is assigned to")
	require.Nil(t, r.heartbeat(members[0], 2, "a"))

	// Nobody joins: the join phase goes on until sessions end.
	r.sync(members[1], 2, nil, syncInstance("b"))
	r.sync(members[0], 2, nil, syncInstance("a"))
	require.Equal(t, "Stable", r.stateName())
	id := r.memberID(instanceNone)
	c := r.join(id)
	r.leave(leaver(id))
	require.Equal(t, kerr.UnknownMemberID, codeOf(r.joined(c).ErrorCode))
	require.Equal(t, "PreparingRebalance", r.stateName())
	r.advance(45 * time.Second)
	require.Equal(t, "PreparingRebalance", r.stateName())
	r.advance(20 * time.Second)
	require.Equal(t, "Empty", r.stateName())
}

func instanceNone(req *kmsg.JoinGroupRequest) { req.InstanceID = nil }

// G3 (KAFKA-8225): the instance id is left out of answers below version 5.
func TestClassicInstanceIDsAreForVersion5(t *testing.T) {
	r := newClassicRig(t, nil)
	lead := r.join("", as(3))
	r.join("", instance("a"))
	r.advance(6 * time.Second)
	resp := &kmsg.JoinGroupResponse{Version: 3}
	require.NoError(t, resp.ReadFrom(r.joined(lead).AppendTo(nil)))
	require.Len(t, resp.Members, 2)
	require.Nil(t, resp.Members[1].InstanceID)
}

func TestClassicMemberUsesTheInstanceOfAnother(t *testing.T) {
	r := newClassicRig(t, nil)
	members := r.stableStatic("a", "b")
	require.Equal(t, kerr.FencedInstanceID, r.heartbeat(members[0], 1, "b"))
	require.Equal(t, kerr.UnknownMemberID, r.heartbeat(members[0], 1, "c"))
	require.Equal(t, kerr.FencedInstanceID, codeOf(r.joined(r.join(members[0], instance("b"))).ErrorCode))
	require.Nil(t, r.heartbeat(members[0], 1), "and it needs not name its own")
	require.Equal(t, "Stable", r.stateName())
}
