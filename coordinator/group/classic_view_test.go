package group

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/record"
)

func (r *classicRig) commitAs(member string, generation int32, instance *string) error {
	return r.state.groups["g"].CheckCommit(OffsetSender{MemberID: member, Generation: generation, InstanceID: instance})
}

// G5: who may commit, in each state.
func TestClassicCommits(t *testing.T) {
	r := newClassicRig(t, nil)
	require.Equal(t, kerr.MemberIDRequired, codeOf(r.joined(r.join("")).ErrorCode))
	i := "i"
	require.NoError(t, r.commitAs("", -1, nil), "a simple consumer, while the group is empty")
	require.NoError(t, r.commitAs("m", -1, nil))
	require.Equal(t, kerr.UnknownMemberID, r.commitAs("m", 0, nil))
	members := r.completing(2)
	require.Equal(t, kerr.RebalanceInProgress, r.commitAs(members[0], 1, nil))
	require.Equal(t, kerr.IllegalGeneration, r.commitAs(members[0], 0, nil))
	require.NoError(t, r.state.groups["g"].CheckCommit(OffsetSender{MemberID: members[0], Generation: 1, Transactional: true}))
	r.settleGeneration(members[0], 1, members)
	require.NoError(t, r.commitAs(members[0], 1, nil))
	require.Equal(t, kerr.IllegalGeneration, r.commitAs(members[0], 2, nil))
	require.Equal(t, kerr.IllegalGeneration, r.commitAs(members[0], -1, nil))
	require.Equal(t, kerr.UnknownMemberID, r.commitAs("m", 1, nil))
	require.Equal(t, kerr.UnknownMemberID, r.commitAs(members[0], 1, &i))
	require.Equal(t, kerr.UnknownMemberID, r.commitAs("", -1, nil), "not beside members")
	require.NoError(t, r.state.groups["g"].CheckCommit(OffsetSender{Generation: -1, Transactional: true}), "but in a transaction: clients before 2.5")
	r.join(members[0])
	require.NoError(t, r.commitAs(members[1], 1, nil), "the old generation commits until the next one has begun")
	require.NoError(t, r.state.groups["g"].CheckFetch(nil, -1))

	r = newClassicRig(t, nil)
	members = r.stableStatic("a", "b")
	a := "a"
	require.Equal(t, kerr.FencedInstanceID, r.commitAs("old", r.round().generation, &a))
	require.NoError(t, r.commitAs(members[0], r.round().generation, &a))
}

func TestClassicDeletion(t *testing.T) {
	for kind, want := range map[string]error{"consumer": nil, "connect": kerr.NonEmptyGroup} {
		r := newClassicRig(t, nil)
		id := r.memberID(func(req *kmsg.JoinGroupRequest) { req.ProtocolType = kind })
		g := r.state.groups["g"]
		require.NoError(t, g.CheckDelete())
		require.NoError(t, g.CheckOffsetDelete())
		r.join(id, func(req *kmsg.JoinGroupRequest) { req.ProtocolType = kind })
		require.Equal(t, kerr.NonEmptyGroup, g.CheckDelete())
		require.Equal(t, want, g.CheckOffsetDelete())
		r.leave(leaver(id))
		r.advance(3 * time.Second)
		require.NoError(t, g.CheckDelete())
		require.True(t, g.Vanishes())
		require.True(t, g.Empty())
		require.Equal(t, kind, g.ProtocolType())
		r.apply(0, coordinator.Result{Records: g.Tombstones()})
		require.Equal(t, "Dead", r.stateName())
		r.advance(time.Minute) // timers of what is gone
	}
}

// G6: when offsets expire, in each state.
func TestClassicOffsetRetention(t *testing.T) {
	o := &offset{CommitTimestamp: 5}
	from := func(r *classicRig) any {
		if millis, ok := r.state.groups["g"].ExpireFrom(o); ok {
			return millis
		}
		return "never"
	}
	r := newClassicRig(t, nil)
	pending := r.memberID()
	require.EqualValues(t, 5, from(r), "nobody was ever a member")
	r.leave(leaver(pending))
	members := r.completing(1)
	require.Equal(t, "never", from(r))
	r.settleGeneration(members[0], 1, members)
	require.EqualValues(t, 5, from(r), "offsets of topics that nobody reads")
	require.True(t, r.state.groups["g"].SubscribedTo("t"))
	require.False(t, r.state.groups["g"].SubscribedTo("u"))
	r.restart()
	require.True(t, r.state.groups["g"].SubscribedTo("t"), "known after a load too")
	require.EqualValues(t, 5, from(r))
	r.leave(leaver(members[0]))
	require.EqualValues(t, r.now.UnixMilli(), from(r))
	require.False(t, r.state.groups["g"].SubscribedTo("t"))
	r.advance(9 * time.Second)
	r.restart()
	require.EqualValues(t, r.now.Add(-9*time.Second).UnixMilli(), from(r), "the moment outlives the coordinator")

	r = newClassicRig(t, nil)
	kind := func(req *kmsg.JoinGroupRequest) { req.ProtocolType = "connect" }
	c := r.join("", as(3), kind)
	r.advance(3 * time.Second)
	r.sync(r.joined(c).MemberID, 1, nil, func(req *kmsg.SyncGroupRequest) { req.ProtocolType = nil })
	require.Equal(t, "Stable", r.stateName())
	require.Equal(t, "never", from(r), "what they read is not known")
	require.False(t, r.state.groups["g"].SubscribedTo("t"))

	r = newClassicRig(t, nil)
	c = r.join("", as(3), func(req *kmsg.JoinGroupRequest) { req.Protocols[0].Metadata = []byte{0} })
	r.advance(3 * time.Second)
	r.sync(r.joined(c).MemberID, 1, nil)
	require.Equal(t, "never", from(r), "one subscription can't be read")
	require.True(t, r.state.groups["g"].SubscribedTo("t"), "so it may be any topic")
}

func TestClassicDescribe(t *testing.T) {
	r := newClassicRig(t, nil)
	members := r.completing(2)
	d := r.state.groups["g"].(describer).Describe()
	require.Equal(t, "CompletingRebalance", d.State)
	require.Equal(t, "consumer", d.ProtocolType)
	require.Empty(t, d.Protocol, "only of a stable group")
	require.Len(t, d.Members, 2)
	require.Empty(t, d.Members[0].ProtocolMetadata)
	r.settleGeneration(members[0], 1, members)
	d = r.state.groups["g"].(describer).Describe()
	require.Equal(t, "Stable", d.State)
	require.Equal(t, "range", d.Protocol)
	require.Equal(t, kmsg.DescribeGroupsResponseGroupMember{MemberID: members[1], ClientID: "app", ClientHost: "/127.0.0.1",
		ProtocolMetadata: subscription("t"), MemberAssignment: []byte("1")}, d.Members[1])
}

// Everything that somebody waits for has a name and a deadline.
func TestClassicWaits(t *testing.T) {
	r := newClassicRig(t, nil)
	require.Empty(t, r.state.Waits())
	start := r.now
	a, b := r.memberID(), r.memberID()
	want := []Wait{{"g", WaitMemberID, a, start.Add(10 * time.Second)}, {"g", WaitMemberID, b, start.Add(10 * time.Second)}}
	if b < a {
		want[0], want[1] = want[1], want[0]
	}
	require.Equal(t, want, r.state.Waits())
	r.join(a)
	require.Equal(t, []Wait{{"g", WaitRebalance, "", start.Add(3 * time.Second)}, {"g", WaitJoin, a, start.Add(3 * time.Second)}, {"g", WaitMemberID, b, start.Add(10 * time.Second)}}, r.state.Waits())
	r.join(b)
	r.advance(6 * time.Second)
	r.sync(b, 1, nil)
	require.Equal(t, []Wait{{"g", WaitSyncs, "", start.Add(36 * time.Second)}, {"g", WaitSync, b, start.Add(36 * time.Second)}}, r.state.Waits())
	r.sync(a, 1, nil)
	require.Empty(t, r.state.Waits())
	r.join(a)
	require.Equal(t, []Wait{{"g", WaitRebalance, "", start.Add(36 * time.Second)}, {"g", WaitJoin, a, start.Add(36 * time.Second)}}, r.state.Waits())
	r.restart()
	require.Empty(t, r.state.Waits())
}

// Records of old releases have no rebalance timeout and no moment of the state.
func TestClassicLoadsRecordsOfOldReleases(t *testing.T) {
	for version := int16(0); version <= 4; version++ {
		r := newClassicRig(t, nil)
		v := record.NewGroupMetadataValue()
		name, leader := "range", "m"
		v.ProtocolType, v.Generation, v.Protocol, v.Leader, v.CurrentStateTimestamp = "consumer", 7, &name, &leader, 99
		v.Members = []record.GroupMetadataValueMemberMetadata{{MemberId: "m", ClientId: "c", ClientHost: "/h", RebalanceTimeout: 30_000, SessionTimeout: 10_000, Subscription: subscription("t"), Assignment: []byte("x")}}
		key := record.AppendKey(nil, &record.GroupMetadataKey{Group: "g"})
		r.write(key, record.AppendValue(nil, v, version))
		r.restart()
		require.Equal(t, "Stable", r.stateName())
		require.Nil(t, r.heartbeat("m", 7))
		m := r.round().members[0]
		if version == 0 {
			require.Equal(t, int32(10_000), m.rebalanceMillis)
		} else {
			require.Equal(t, int32(30_000), m.rebalanceMillis)
		}
		r.advance(11 * time.Second)
		require.Equal(t, "Empty", r.stateName())
		r.write(key, nil)
		r.restart()
		require.Equal(t, "Dead", r.stateName())
	}
}

// A group that has only offsets is an empty classic group, whose record comes with its first generation.
func TestClassicMembersJoinAGroupThatHasOnlyOffsets(t *testing.T) {
	r := newClassicRig(t, nil)
	r.rig.committed("g", 5)
	require.Equal(t, "Empty", r.stateName())
	require.Empty(t, r.state.groups["g"].ProtocolType())
	require.Nil(t, r.state.groups["g"].(*classicGroup).written)
	r.stable(2)
	require.NotNil(t, r.state.groups["g"].(*classicGroup).written)
	require.EqualValues(t, 5, r.state.offsets.committed.get("g", "a", 0).Offset)
}
