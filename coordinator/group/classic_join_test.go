package group

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
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
