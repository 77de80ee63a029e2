package group

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
)

func (r *classicRig) leaveOld(version int16, member string) *kmsg.LeaveGroupResponse {
	req := &kmsg.LeaveGroupRequest{Version: version, Group: "g", MemberID: member}
	c := r.ask(func(s *State, t coordinator.Turn) coordinator.Result { return s.leave(t, r.by, req) })
	return c.resp.(*kmsg.LeaveGroupResponse)
}

// Below version 3 one member leaves, and its code is the answer's.
func TestClassicLeaveBelowVersion3(t *testing.T) {
	for version := int16(0); version < 3; version++ {
		r := newClassicRig(t, nil)
		require.Equal(t, kerr.UnknownMemberID, codeOf(r.leaveOld(version, "m").ErrorCode), "no such group")
		members, _ := r.stable(2)
		require.Equal(t, kerr.UnknownMemberID, codeOf(r.leaveOld(version, "m").ErrorCode))
		resp := r.leaveOld(version, members[0])
		require.Zero(t, resp.ErrorCode)
		require.Empty(t, resp.Members)
		require.Equal(t, version, resp.Version)
		require.Equal(t, "PreparingRebalance", r.stateName())
	}
}

// From version 3 on each member has its own answer, in the order asked.
func TestClassicManyLeaveAtOnce(t *testing.T) {
	r := newClassicRig(t, nil)
	resp := r.leave(leaver("m"), leaver(""))
	require.Zero(t, resp.ErrorCode)
	require.Equal(t, kerr.UnknownMemberID.Code, resp.Members[0].ErrorCode, "no such group")
	require.Equal(t, kerr.UnknownMemberID.Code, resp.Members[1].ErrorCode)

	members := r.stableStatic("a", "b", "c")
	pending := r.memberID()
	a, b, c, x := "a", "b", "c", "x"
	resp = r.leave(
		leaver("stranger"),
		kmsg.LeaveGroupRequestMember{InstanceID: &a}, // an administrator's
		kmsg.LeaveGroupRequestMember{MemberID: members[2], InstanceID: &b},
		kmsg.LeaveGroupRequestMember{MemberID: members[1], InstanceID: &b},
		kmsg.LeaveGroupRequestMember{MemberID: members[1], InstanceID: &b},
		kmsg.LeaveGroupRequestMember{InstanceID: &x},
		kmsg.LeaveGroupRequestMember{},
		leaver(pending),
	)
	var codes []int16
	for _, m := range resp.Members {
		codes = append(codes, m.ErrorCode)
	}
	unknown, fenced := kerr.UnknownMemberID.Code, kerr.FencedInstanceID.Code
	require.Equal(t, []int16{unknown, 0, fenced, 0, unknown, unknown, unknown, 0}, codes)
	require.Equal(t, "", resp.Members[1].MemberID, "as it was asked")
	require.Equal(t, "a", *resp.Members[1].InstanceID)
	require.Equal(t, "PreparingRebalance", r.stateName())
	require.Len(t, r.round().members, 1)
	require.Equal(t, members[2], r.round().leader)

	require.Zero(t, r.leave(kmsg.LeaveGroupRequestMember{InstanceID: &c}).Members[0].ErrorCode)
	require.Equal(t, "Empty", r.stateName())
	written := r.state.groups["g"].(*classicGroup).written
	require.Equal(t, int32(2), written.Generation)
	require.Nil(t, written.Leader)
	require.Empty(t, written.Members)
	require.Equal(t, r.now.UnixMilli(), written.CurrentStateTimestamp)
	require.Empty(t, r.leave().Members, "nobody leaves")
}

// A member that leaves while its join is parked hears of it on that connection too.
func TestClassicLeaveAnswersParkedRequests(t *testing.T) {
	r := newClassicRig(t, nil)
	id := r.memberID()
	c := r.join(id)
	require.Zero(t, r.leave(leaver(id)).Members[0].ErrorCode)
	require.Equal(t, kerr.UnknownMemberID, codeOf(r.joined(c).ErrorCode))
	require.Empty(t, r.joined(c).MemberID)
	require.Equal(t, "PreparingRebalance", r.stateName(), "a first generation ends by time only")
	r.advance(3e9)
	require.Equal(t, "Empty", r.stateName())
	require.Equal(t, int32(1), r.round().generation)
}

// The record of an empty group may be lost: the group is empty nevertheless, and only who left hears of it.
func TestClassicEmptyGroupThatTheLogRefuses(t *testing.T) {
	r := newClassicRig(t, nil)
	members, _ := r.stable(1)
	r.refuse = kerr.CoordinatorNotAvailable
	require.Equal(t, kerr.CoordinatorNotAvailable, codeOf(r.leave(leaver(members[0])).ErrorCode))
	require.Equal(t, "Empty", r.stateName())
	require.Equal(t, int32(1), r.state.groups["g"].(*classicGroup).written.Generation)
	require.Empty(t, r.groupTimers())
	r.stable(1)
	require.Equal(t, int32(3), r.round().generation)
}

// A client that lost its connection asks again on another one. What it has parked on the old one is answered, or the broker
// would keep that connection for ever; whoever reads it has to ask for a member id of its own.
func TestClassicNewerRequestsReplaceParkedOnes(t *testing.T) {
	r := newClassicRig(t, nil)
	a, b := r.memberID(), r.memberID()
	old := r.join(a)
	again := r.join(a)
	r.join(b)
	require.Equal(t, kerr.UnknownMemberID, codeOf(r.joined(old).ErrorCode))
	require.Equal(t, 2, r.round().awaiting)
	r.advance(6 * time.Second)
	require.Equal(t, int32(1), r.joined(again).Generation)

	old, again = r.sync(b, 1, nil), r.sync(b, 1, nil)
	require.Equal(t, kerr.UnknownMemberID, codeOf(r.synced(old).ErrorCode))
	r.sync(a, 1, map[string]string{a: "x", b: "y"})
	require.Equal(t, "y", string(r.synced(again).MemberAssignment))
	require.Empty(t, r.rig.parked)
}
