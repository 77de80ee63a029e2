package group

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
)

// commitMember commits offset 7 of topic "t" partition 0 as a member of classic group "g".
func (r *classicRig) commitMember(member string, generation int32, instance ...string) *kerr.Error {
	r.t.Helper()
	req := commitOf(9, "g", map[string]map[int32]int64{"t": {0: 7}})
	req.MemberID, req.Generation = member, generation
	if len(instance) > 0 {
		req.InstanceID = &instance[0]
	}
	return codeOf(r.commit(req)["t-0"])
}

// G5: who may commit in each state of a classic group; nothing else is stored.
func TestCommitsOfMembersByState(t *testing.T) {
	r := newClassicRig(t, nil)
	members, generation := r.stable(2)
	check := func(state string, member, stale, stranger, simple *kerr.Error) {
		t.Helper()
		require.Equal(t, state, r.stateName())
		written := len(r.log)
		assert.Equal(t, member, r.commitMember(members[0], generation), "member in %s", state)
		if member == nil {
			written++
		}
		assert.Equal(t, stale, r.commitMember(members[0], generation-1), "an old generation in %s", state)
		assert.Equal(t, stale, r.commitMember(members[0], generation+1), "a generation to come in %s", state)
		assert.Equal(t, stranger, r.commitMember("stranger", generation), "a stranger in %s", state)
		assert.Equal(t, simple, r.commitMember("", -1), "a simple consumer in %s", state)
		assert.Equal(t, written, len(r.log), "what is refused is not stored")
	}
	check("Stable", nil, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.UnknownMemberID)
	first := r.join(members[0], subscribes("t", "u"))
	check("PreparingRebalance", nil, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.UnknownMemberID)
	r.join(members[1])
	generation = r.joined(first).Generation
	check("CompletingRebalance", kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.UnknownMemberID)
	r.leave(leaver(members[0]), leaver(members[1]))
	require.Equal(t, "Empty", r.stateName())
	assert.Nil(t, r.commitMember("", -1))
	assert.Nil(t, r.commitMember("stranger", -1), "an empty group takes commits of everybody without a generation")
	assert.Equal(t, kerr.UnknownMemberID, r.commitMember(members[0], generation))
}

func TestCommitOfAStaticMemberIsFencedByItsInstance(t *testing.T) {
	r := newClassicRig(t, nil)
	join := r.join("", instance("i"))
	r.advance(6 * time.Second)
	generation, members := r.joined(join).Generation, []string{r.joined(join).MemberID}
	r.settleGeneration(members[0], generation, members)
	assert.Nil(t, r.commitMember(members[0], generation, "i"))
	assert.Equal(t, kerr.FencedInstanceID, r.commitMember("another", generation, "i"))
	assert.Equal(t, kerr.UnknownMemberID, r.commitMember(members[0], generation, "j"))
}

func TestCommitKeepsAMemberAlive(t *testing.T) {
	r := newClassicRig(t, nil)
	members, generation := r.stable(1)
	for range 10 {
		r.advance(9 * time.Second) // the session is 10 s
		require.Nil(t, r.commitMember(members[0], generation))
	}
	require.Equal(t, kerr.IllegalGeneration, r.commitMember(members[0], generation+1))
	r.advance(11 * time.Second)
	assert.Equal(t, "Empty", r.stateName())
}

// G6: a group's offsets are kept while it has members who read the topic, and from the moment that it is empty for the
// retention; also across a load.
func TestOffsetsOfAnEmptyGroupExpireFromThatMoment(t *testing.T) {
	r := newClassicRig(t, nil)
	members, generation := r.stable(1)
	require.Nil(t, r.commitMember(members[0], generation))
	for range 6 * 24 * 60 * 60 / 8 { // six days of heartbeats
		if r.now.UnixMilli()%(3600*1000) == 0 {
			require.Nil(t, r.commitMember(members[0], generation))
		}
		r.advance(8 * time.Second)
		require.Nil(t, r.heartbeat(members[0], generation))
	}
	r.leave(leaver(members[0]))
	require.Equal(t, "Empty", r.stateName())
	r.advance(4 * 24 * time.Hour)
	r.restart()
	r.advance(3*24*time.Hour - time.Minute)
	require.Len(t, r.fetch(true, "g"), 1, "the commit is older than the retention, the empty group is not")
	r.advance(12 * time.Minute)
	assert.Empty(t, r.fetch(true, "g"))
	assert.Nil(t, r.state.groups["g"], "the group goes with its last offset")
	assert.Nil(t, r.logOf("g"), "and leaves nothing in the log")
}

// G6: a stable group's offsets of topics that nobody subscribes to any more expire by their commits.
func TestOffsetsOfUnsubscribedTopicsExpireInAStableGroup(t *testing.T) {
	r := newClassicRig(t, map[string]string{"offsets.retention.minutes": "10", "offsets.retention.check.interval.ms": "1000"})
	members, generation := r.stable(1)
	req := commitOf(9, "g", map[string]map[int32]int64{"t": {0: 1}, "left": {0: 2}})
	req.MemberID, req.Generation = members[0], generation
	require.Equal(t, map[string]int16{"left-0": 0, "t-0": 0}, r.commit(req))
	for range 100 {
		r.advance(9 * time.Second)
		require.Nil(t, r.heartbeat(members[0], generation))
	}
	assert.Equal(t, map[string]string{"t-0": `1 epoch 4 ""`}, r.fetch(true, "g"))
	assert.Equal(t, kerr.GroupSubscribedToTopic.Code, r.deleteOffsets("g", "t", 0))
}

// G6: no offset of another kind of group expires while it has members; OffsetDelete and DeleteGroups refuse it.
func TestOffsetsOfAConnectGroupStayWhileItHasMembers(t *testing.T) {
	r := newClassicRig(t, map[string]string{"offsets.retention.minutes": "1", "offsets.retention.check.interval.ms": "1000"})
	connect := func(req *kmsg.JoinGroupRequest) { req.ProtocolType = "connect" }
	id := r.memberID(connect)
	join := r.join(id, connect)
	r.advance(6 * time.Second)
	generation := r.joined(join).Generation
	kind := "connect"
	r.synced(r.sync(id, generation, map[string]string{id: "x"}, func(req *kmsg.SyncGroupRequest) { req.ProtocolType = &kind }))
	require.Nil(t, r.commitMember(id, generation))
	for range 30 {
		r.advance(9 * time.Second)
		require.Nil(t, r.heartbeat(id, generation))
	}
	assert.Len(t, r.fetch(true, "g"), 1)
	assert.Equal(t, kerr.NonEmptyGroup.Code, r.deleteOffsets("g", "t", 0))
	_, err := r.state.deletion("g")
	assert.Equal(t, kerr.NonEmptyGroup, err)
}

func TestConsumerGroupsOffsetsNeedItsEpoch(t *testing.T) {
	r := newRig(t, nil)
	r.topics(map[string]int32{"a": 1})
	beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	beat.Version, beat.Group, beat.MemberID, beat.RebalanceTimeoutMillis = 1, "g", "m", 1000
	beat.SubscribedTopicNames, beat.Topics = []string{"a"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	c := r.ask(func(s *State, t coordinator.Turn) coordinator.Result { return s.consumerHeartbeat(t, Caller{}, beat) })
	epoch := c.resp.(*kmsg.ConsumerGroupHeartbeatResponse).MemberEpoch
	commit := func(version int16, member string, epoch int32) int16 {
		req := commitOf(version, "g", map[string]map[int32]int64{"a": {0: 1}})
		req.MemberID, req.Generation = member, epoch
		return r.commit(req)["a-0"]
	}
	assert.Zero(t, commit(9, "m", epoch))
	assert.Equal(t, kerr.StaleMemberEpoch.Code, commit(9, "m", epoch+1))
	assert.Equal(t, kerr.UnknownMemberID.Code, commit(9, "n", epoch))
	assert.Equal(t, kerr.UnknownMemberID.Code, commit(9, "", -1), "not empty: simple consumers are no members")
	assert.Equal(t, kerr.UnsupportedVersion.Code, commit(8, "m", epoch))

	fetch := func(member *string, epoch int32) int16 {
		req := kmsg.NewOffsetFetchRequestGroup()
		req.Group, req.MemberID, req.MemberEpoch = "g", member, epoch
		return r.fetchGroup(9, true, &req).ErrorCode
	}
	m, n := "m", "n"
	assert.Zero(t, fetch(nil, -1))
	assert.Zero(t, fetch(&m, epoch))
	assert.Equal(t, kerr.StaleMemberEpoch.Code, fetch(&m, epoch+5))
	assert.Equal(t, kerr.UnknownMemberID.Code, fetch(&n, epoch))
}

// G16: while the log is loaded nobody gets an older offset.
func TestNoOlderOffsetWhileLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{}
		c := newCoordinator(t, log)
		synctest.Wait()
		ctx := context.Background()
		for i := range int64(10) {
			require.Zero(t, codesOf(c.OffsetCommit(ctx, Caller{}, commitOf(9, "g", map[string]map[int32]int64{"a": {0: i}})))["a-0"])
		}
		fetch := func() kmsg.OffsetFetchResponseGroup {
			req := kmsg.NewPtrOffsetFetchRequest()
			req.Version = 8
			g := kmsg.NewOffsetFetchRequestGroup()
			g.Group = "g"
			req.Groups = append(req.Groups, g)
			return c.OffsetFetch(ctx, Caller{}, req).Groups[0]
		}
		log.gate = make(chan struct{})
		c.Lead(0, 2, log) // the leadership moves away and back
		synctest.Wait()
		assert.Equal(t, kerr.CoordinatorLoadInProgress.Code, fetch().ErrorCode)
		assert.Equal(t, kerr.CoordinatorLoadInProgress.Code, codesOf(c.OffsetCommit(ctx, Caller{}, commitOf(9, "g", map[string]map[int32]int64{"a": {0: 3}})))["a-0"])
		close(log.gate)
		synctest.Wait()
		assert.Equal(t, int64(9), fetch().Topics[0].Partitions[0].Offset)
		c.Resign(0, 2)
		assert.Equal(t, kerr.NotCoordinator.Code, fetch().ErrorCode)
	})
}

// G8: a commit that its leader epoch did not see replicated is not acknowledged, and one that was is never lost.
func TestCommitWaitsForTheHighWatermark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &heldLog{}
		c := newCoordinator(t, log)
		synctest.Wait()
		answer := make(chan int16, 2)
		commit := func(value int64) {
			answer <- codesOf(c.OffsetCommit(context.Background(), Caller{}, commitOf(9, "g", map[string]map[int32]int64{"a": {0: value}})))["a-0"]
		}
		fetched := make(chan string, 1)
		go commit(1)
		synctest.Wait()
		go func() {
			req := kmsg.NewPtrOffsetFetchRequest()
			req.Version = 8
			g := kmsg.NewOffsetFetchRequestGroup()
			g.Group = "g"
			req.Groups = append(req.Groups, g)
			fetched <- fmt.Sprint(fetchedText(c.OffsetFetch(context.Background(), Caller{}, req).Groups[0]))
		}()
		synctest.Wait()
		assert.Empty(t, answer)
		assert.Empty(t, fetched, "nobody sees what is not committed")
		log.pass()
		c.Moved(0)
		synctest.Wait()
		assert.Zero(t, <-answer)
		assert.Equal(t, `map[a-0:1 epoch 4 ""]`, <-fetched)
		go commit(2)
		synctest.Wait()
		c.Resign(0, 1)
		assert.Equal(t, kerr.NotCoordinator.Code, <-answer)

		began := time.Now()
		c.Lead(0, 2, log)
		log.pass()
		synctest.Wait()
		go commit(3)
		assert.Equal(t, kerr.CoordinatorNotAvailable.Code, <-answer, "offsets.commit.timeout.ms")
		assert.Equal(t, 5*time.Second, time.Since(began))
	})
}

// heldLog is a log whose replicas lag behind until pass.
type heldLog struct {
	memLog
	high int64
}

func (l *heldLog) HighWatermark() int64 { l.mu.Lock(); defer l.mu.Unlock(); return l.high }

func (l *heldLog) pass() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.high = l.end
}
