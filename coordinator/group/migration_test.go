package group

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/record"
	"github.com/dohle-io/dohle/protocol"
)

// embedded is an assignment of the classic protocol.
func embedded(topic string, partitions ...int32) string {
	v := kmsg.ConsumerMemberAssignment{Version: 1}
	if len(partitions) > 0 {
		v.Topics = []kmsg.ConsumerMemberAssignmentTopic{{Topic: topic, Partitions: partitions}}
	}
	return string(v.AppendTo(nil))
}

func (r *classicRig) assigned(resp *kmsg.SyncGroupResponse) map[string][]int32 {
	r.t.Helper()
	var v kmsg.ConsumerMemberAssignment
	require.NoError(r.t, v.ReadFrom(resp.MemberAssignment))
	out := map[string][]int32{}
	for _, t := range v.Topics {
		out[t.Topic] = t.Partitions
	}
	return out
}

// owning is a join that says what the member has.
func owning(topic string, partitions ...int32) edit[*kmsg.JoinGroupRequest] {
	return func(req *kmsg.JoinGroupRequest) {
		m := kmsg.NewConsumerMemberMetadata()
		m.Version, m.Topics = 1, []string{topic}
		if len(partitions) > 0 {
			m.OwnedPartitions = []kmsg.ConsumerMemberMetadataOwnedPartition{{Topic: topic, Partitions: partitions}}
		}
		for i := range req.Protocols {
			req.Protocols[i].Metadata = m.AppendTo(nil)
		}
	}
}

// migrating is a stable classic group of one member that has all of topic a.
func migrating(t *testing.T, properties map[string]string) (r *classicRig, member string, generation int32) {
	r = newClassicRig(t, properties)
	r.topics(map[string]int32{"a": 4})
	member = r.memberID()
	c := r.join(member, owning("a"))
	r.advance(6 * time.Second)
	generation = r.joined(c).Generation
	require.Zero(t, r.synced(r.sync(member, generation, map[string]string{member: embedded("a", 0, 1, 2, 3)})).ErrorCode)
	return r, member, generation
}

func TestClassicGroupBecomesConsumerGroupAndBack(t *testing.T) {
	r, old, generation := migrating(t, nil)
	n := len(r.log)
	fresh := r.consumer("g", "m", "a")
	fresh.beat()
	require.Equal(t, KindConsumer, r.state.groups["g"].Kind())
	require.Equal(t, int32(2), fresh.epoch)
	require.Equal(t, "", fresh.holds())
	require.Equal(t, []string{
		"group_metadata -",
		"member_metadata " + old + " [a] classic",
		"metadata epoch 1",
		"target_assignment_member " + old + " a[0 1 2 3]",
		"target_assignment_metadata epoch 1",
		"current_member_assignment " + old + " 1/1 state 0 a[0 1 2 3]@[1 1 1 1]",
		"member_metadata m [a]",
		"metadata epoch 2",
		"target_assignment_member " + old + " a[0 1]",
		"target_assignment_member m a[2 3]",
		"target_assignment_metadata epoch 2",
		"current_member_assignment m 2/0 state 2",
	}, r.trace(n))

	// The classic member learns by a heartbeat that it has to join again, gives two partitions up, and goes on.
	require.Equal(t, kerr.RebalanceInProgress, r.heartbeat(old, generation))
	resp := r.joined(r.join(old, owning("a", 0, 1, 2, 3)))
	require.Zero(t, resp.ErrorCode)
	require.Equal(t, generation, resp.Generation, "it has to revoke first")
	require.Equal(t, map[string][]int32{"a": {0, 1}}, r.assigned(r.synced(r.sync(old, generation, nil))))
	require.Equal(t, kerr.RebalanceInProgress, r.heartbeat(old, generation), "revoked, so it joins again")
	require.Equal(t, "", fresh.holds())
	resp = r.joined(r.join(old, owning("a", 0, 1)))
	require.Equal(t, int32(2), resp.Generation)
	require.Equal(t, map[string][]int32{"a": {0, 1}}, r.assigned(r.synced(r.sync(old, 2, nil))))
	require.Nil(t, r.heartbeat(old, 2))
	fresh.beat()
	require.Equal(t, "a2 a3", fresh.holds())
	require.Equal(t, "Stable", r.stateName())

	// Back: the last member of the consumer protocol leaves.
	n = len(r.log)
	fresh.leave()
	require.Equal(t, KindClassic, r.state.groups["g"].Kind())
	require.Equal(t, "PreparingRebalance", r.stateName(), "who is left rebalances")
	trace := r.trace(n)
	require.Equal(t, "group_metadata -", trace[len(trace)-1])
	require.Len(t, trace, 10)
	require.Equal(t, kerr.RebalanceInProgress, r.heartbeat(old, 2))
	c := r.join(old, owning("a", 0, 1))
	require.Equal(t, int32(3), r.joined(c).Generation)
	require.Equal(t, old, r.joined(c).LeaderID)
}

func TestMigrationFollowsItsPolicy(t *testing.T) {
	for policy, can := range map[string][2]bool{"disabled": {}, "UPGRADE": {true, false}, "downgrade": {false, true}, "bidirectional": {true, true}} {
		t.Run(policy, func(t *testing.T) {
			r, _, _ := migrating(t, map[string]string{"group.consumer.migration.policy": policy})
			fresh := r.consumer("g", "m", "a")
			if !can[0] {
				code, message := fresh.refused(nil)
				require.Equal(t, kerr.GroupIDNotFound.Code, code)
				require.Equal(t, "Cannot upgrade classic group g to consumer group because online upgrade is disabled.", message)
				return
			}
			fresh.beat()
			fresh.leave()
			require.Equal(t, can[1], r.state.groups["g"].Kind() == KindClassic)
		})
	}
}

func TestUpgradeRefusesWhatItCannotRead(t *testing.T) {
	r := newClassicRig(t, nil)
	r.topics(map[string]int32{"a": 1})
	r.stable(2) // assigns bytes that are no assignment
	code, message := r.consumer("g", "m", "a").refused(nil)
	require.Equal(t, kerr.GroupIDNotFound.Code, code)
	require.Equal(t, "Cannot upgrade classic group g to consumer group because the embedded consumer protocol is malformed.", message)
}

func TestWhoWaitsInTheClassicGroupIsToldToJoinAgain(t *testing.T) {
	r, old, _ := migrating(t, nil)
	second := r.memberID()
	waiting := r.join(second, owning("a"))
	r.parked(waiting)
	r.consumer("g", "m", "a").beat()
	require.Equal(t, kerr.RebalanceInProgress.Code, r.joined(waiting).ErrorCode)
	require.ElementsMatch(t, []string{old, second, "m"}, sortedKeys(r.state.consumer("g").members))
	for _, timer := range r.sortedTimers() {
		require.NotContains(t, []uint8{timerJoin, timerSync, timerPendingMember, timerClassicSession}, timer.Kind)
	}
}

func TestEmptyGroupsChangeKindWithoutAsking(t *testing.T) {
	r := newClassicRig(t, map[string]string{"group.consumer.migration.policy": "disabled"})
	r.topics(map[string]int32{"a": 1})
	members, _ := r.stable(1)
	r.leave(leaver(members[0]))
	require.Equal(t, "Empty", r.stateName())
	m := r.consumer("g", "m", "a")
	m.beat()
	require.Equal(t, KindConsumer, r.state.groups["g"].Kind())
	require.Equal(t, "a0", m.holds())

	require.Equal(t, kerr.InconsistentGroupProtocol.Code, r.joined(r.join("", subscribes("a"))).ErrorCode, "migration is disabled")
	m.leave()
	r.memberID()
	require.Equal(t, KindClassic, r.state.groups["g"].Kind())
}

func TestClassicStaticMemberReplacesAndDowngrades(t *testing.T) {
	r := newClassicRig(t, nil)
	r.topics(map[string]int32{"a": 4})
	i := "i"
	m := r.consumer("g", "m", "a")
	m.instance = &i
	m.beat()
	n := len(r.log)
	resp := r.joined(r.join("", instance("i"), owning("a", 0, 1, 2, 3)))
	require.Zero(t, resp.ErrorCode)
	require.Equal(t, KindClassic, r.state.groups["g"].Kind())
	trace := r.trace(n)
	require.Equal(t, []string{"current_member_assignment m -", "target_assignment_member m -", "member_metadata m -"}, trace[:3])
	require.Equal(t, "Stable", r.stateName(), "nothing changed but the protocol: no rebalance")
	require.Nil(t, r.heartbeat(resp.MemberID, resp.Generation, "i"))
	require.Equal(t, map[string][]int32{"a": {0, 1, 2, 3}}, r.assigned(r.synced(r.sync(resp.MemberID, resp.Generation, nil, func(req *kmsg.SyncGroupRequest) { req.InstanceID = &i }))))
}

func TestClassicMembersOfConsumerGroups(t *testing.T) {
	r := newClassicRig(t, nil)
	r.topics(map[string]int32{"a": 4})
	m := r.consumer("g", "m", "a")
	m.beat()
	r.advance(2 * time.Second)

	require.Equal(t, kerr.InconsistentGroupProtocol.Code, r.joined(r.join("", func(req *kmsg.JoinGroupRequest) { req.ProtocolType = "connect" })).ErrorCode)
	id := r.memberID(owning("a"))
	resp := r.joined(r.join(id, owning("a")))
	require.Equal(t, int32(3), resp.Generation)
	require.Equal(t, "range", *resp.Protocol)
	require.Empty(t, resp.LeaderID)
	require.Empty(t, resp.Members)
	require.Equal(t, kerr.InconsistentGroupProtocol.Code, r.joined(r.join("", speaks("sticky"))).ErrorCode, "no protocol in common")

	require.Equal(t, kerr.IllegalGeneration, r.heartbeat(id, 2))
	require.Equal(t, kerr.UnknownMemberID, r.heartbeat("x", 2))
	require.Equal(t, kerr.UnknownMemberID, r.heartbeat("m", 2), "m speaks the consumer protocol")
	require.Equal(t, kerr.UnknownMemberID, r.heartbeat(id, 3, "nobody"))
	require.Equal(t, kerr.IllegalGeneration.Code, r.synced(r.sync(id, 2, nil)).ErrorCode)
	require.Equal(t, kerr.InconsistentGroupProtocol.Code, r.synced(r.sync(id, 3, nil, func(req *kmsg.SyncGroupRequest) {
		other := "sticky"
		req.Protocol = &other
	})).ErrorCode)
	require.Empty(t, r.assigned(r.synced(r.sync(id, 3, nil))))
	require.Nil(t, r.heartbeat(id, 3), "it waits for partitions")
	m.beat()
	m.beat()
	require.Equal(t, kerr.RebalanceInProgress, r.heartbeat(id, 3), "there is something to get")
	require.Equal(t, int32(3), r.joined(r.join(id, owning("a"))).Generation)
	require.Equal(t, map[string][]int32{"a": {2, 3}}, r.assigned(r.synced(r.sync(id, 3, nil))))

	left := r.leave(leaver("nobody"), leaver("m"), leaver(id), kmsg.LeaveGroupRequestMember{InstanceID: new(string)})
	require.Equal(t, []int16{kerr.UnknownMemberID.Code, 0, 0, kerr.UnknownMemberID.Code},
		[]int16{left.Members[0].ErrorCode, left.Members[1].ErrorCode, left.Members[2].ErrorCode, left.Members[3].ErrorCode})
	require.Equal(t, "Empty", r.stateName())
}

func TestClassicMemberMustSyncAndJoinInTime(t *testing.T) {
	r := newClassicRig(t, nil)
	r.topics(map[string]int32{"a": 4})
	m := r.consumer("g", "m", "a")
	m.beat()
	r.advance(2 * time.Second)
	id := r.memberID(owning("a"))
	timeouts := func(req *kmsg.JoinGroupRequest) { req.RebalanceTimeoutMillis, req.SessionTimeoutMillis = 8_000, 30_000 }
	require.Zero(t, r.joined(r.join(id, owning("a"), timeouts)).ErrorCode)
	r.advance(9 * time.Second)
	require.Nil(t, r.state.consumer("g").members[id], "it did not sync")

	require.Equal(t, int32(5), r.joined(r.join(id, owning("a"), timeouts)).Generation)
	require.Zero(t, r.synced(r.sync(id, 5, nil)).ErrorCode)
	m.beat()
	m.beat()
	require.Equal(t, kerr.RebalanceInProgress, r.heartbeat(id, 5))
	r.advance(5 * time.Second)
	require.Equal(t, kerr.RebalanceInProgress, r.heartbeat(id, 5), "asking does not give more time")
	r.advance(4 * time.Second)
	require.Equal(t, kerr.UnknownMemberID, r.heartbeat(id, 5), "it did not join")
}

// Records of both kinds in an order that compaction can leave behind.
func TestRecordsOfAnotherKindReplay(t *testing.T) {
	r := newClassicRig(t, nil)
	r.topics(map[string]int32{"a": 1})
	for _, rec := range append(removal("gone", "m"), groupEpochRecord("gone", 3, 0), targetTombstone("gone", "m"), regexTombstone("gone", "x"), oldMetadataTombstone("gone")) {
		r.apply(0, resultOf(rec))
	}
	require.Equal(t, KindConsumer, r.state.groups["gone"].Kind())
	r.apply(0, resultOf(encode(&record.ConsumerGroupMetadataKey{GroupId: "gone"}, nil)))
	require.Nil(t, r.state.groups["gone"])
	r.apply(0, resultOf(encode(&record.ConsumerGroupMetadataKey{GroupId: "gone"}, nil)))

	r.consumer("gone", "m", "a").beat()
	classic := &record.GroupMetadataKey{Group: "gone"}
	r.apply(0, resultOf(encode(classic, nil)))
	require.Equal(t, KindConsumer, r.state.groups["gone"].Kind(), "it has no classic record to delete")
	r.apply(0, resultOf(encode(classic, record.NewGroupMetadataValue())))
	require.Equal(t, KindClassic, r.state.groups["gone"].Kind())
	require.Empty(t, r.state.topicIndex, "of the group that gave way")
}

// What a classic member says it subscribes to is bounded as everything else is that clients list: it could be written, and
// not be read again, which would end all groups of the partition; and reading it takes a multiple of its size.
func TestEmbeddedSubscriptionsAreBounded(t *testing.T) {
	r := newClassicRig(t, nil)
	r.topics(map[string]int32{"a": 4})
	r.consumer("g", "m", "a").beat()
	id := r.memberID(owning("a"))
	subscribe := func(b []byte) *kerr.Error {
		return codeOf(r.joined(r.join(id, func(req *kmsg.JoinGroupRequest) { req.Protocols[0].Metadata = b })).ErrorCode)
	}
	many := make([]byte, 6+4*(protocol.MaxArrayCount+1)) // version 0, then topics of two bytes
	binary.BigEndian.PutUint32(many[2:], protocol.MaxArrayCount+1)
	for i := range protocol.MaxArrayCount + 1 {
		binary.BigEndian.PutUint16(many[6+4*i:], 2)
	}
	many = append(many, 0, 0, 0, 0)
	require.Equal(t, kerr.InconsistentGroupProtocol, subscribe(many))
	require.Equal(t, kerr.InconsistentGroupProtocol, subscribe([]byte{0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}), "no list of topics")
	owned := append([]byte{0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, binary.BigEndian.AppendUint32(nil, protocol.MaxArrayCount+1)...)
	owned = append(owned, make([]byte, 6*(protocol.MaxArrayCount+1))...)
	require.Equal(t, kerr.InconsistentGroupProtocol, subscribe(owned))
	require.Nil(t, subscribe(append(owned[:10:10], 0, 0, 0, 0)))
}

func TestFailedUpgradeLeavesNoTrace(t *testing.T) {
	r := newClassicRig(t, nil)
	r.topics(map[string]int32{"a": 1})
	r.stable(1) // assigns bytes that are no assignment
	waiting := r.join(r.memberID())
	code, _ := r.consumer("g", "m", "a").refused(nil)
	require.Equal(t, kerr.GroupIDNotFound.Code, code)
	r.parked(waiting)

	r, _, _ = migrating(t, nil)
	waiting = r.join(r.memberID(owning("a")), owning("a"))
	r.refuse = kerr.MessageTooLarge
	before := r.state.hard()
	m := r.consumer("g", "m", "a")
	c := r.ask(func(s *State, t coordinator.Turn) coordinator.Result {
		return s.consumerHeartbeat(t, r.by, m.request())
	})
	require.Nil(t, c.resp, "the shard answers with what the log said")
	require.Equal(t, before, r.state.hard())
	r.parked(waiting)
}

// The last member of the consumer protocol is gone, and a classic one has a subscription that the group can't go on with:
// the downgrade is tried until that one leaves.
func TestDowngradeIsTriedAgain(t *testing.T) {
	r := newClassicRig(t, nil)
	r.topics(map[string]int32{"a": 4})
	r.consumer("g", "m", "a").beat()
	r.advance(2 * time.Second)
	bad := func(req *kmsg.JoinGroupRequest) {
		req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: "x"})
	}
	patient := func(req *kmsg.JoinGroupRequest) {
		req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 300_000, 300_000
	}
	one := r.memberID(owning("a"), bad)
	require.Zero(t, r.joined(r.join(one, owning("a"), bad, patient)).ErrorCode)
	two := r.memberID(speaks("x"), owning("a"))
	require.Zero(t, r.joined(r.join(two, speaks("x"), owning("a"), patient)).ErrorCode)

	r.advance(50 * time.Second)
	require.NotNil(t, r.state.consumer("g").members["m"], "it can't be removed")
	require.Zero(t, r.leave(leaver(one)).Members[0].ErrorCode)
	r.advance(time.Second)
	require.Equal(t, "PreparingRebalance", r.stateName())
	require.Equal(t, KindClassic, r.state.groups["g"].Kind())
}

// A protocol that a classic member names twice counts once in a consumer group too: else no other classic member could join.
func TestClassicProtocolNamedTwiceInAConsumerGroup(t *testing.T) {
	r := newClassicRig(t, nil)
	r.topics(map[string]int32{"a": 4})
	r.consumer("g", "m", "a").beat()
	for range 2 {
		id := r.memberID(speaks("range", "range"), owning("a"))
		require.Zero(t, r.joined(r.join(id, speaks("range", "range"), owning("a"))).ErrorCode)
	}
	require.Equal(t, map[string]int{"range": 2}, r.state.consumer("g").protocols)
}
