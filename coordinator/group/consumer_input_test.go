package group

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
)

func TestBadConsumerHeartbeatsAreRefusedAsByKafka(t *testing.T) {
	blank, nobody, other := " ", "nobody", "cooperative"
	for name, c := range map[string]struct {
		change  func(*kmsg.ConsumerGroupHeartbeatRequest)
		code    *kerr.Error
		message string
	}{
		"no member id":      {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberID = "" }, kerr.InvalidRequest, "MemberId can't be empty."},
		"no group id":       {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Group = "" }, kerr.InvalidRequest, "GroupId can't be empty."},
		"blank instance id": {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = &blank }, kerr.InvalidRequest, "InstanceId can't be empty."},
		"blank rack id":     {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.RackID = &blank }, kerr.InvalidRequest, "RackId can't be empty."},
		"no timeout":        {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.RebalanceTimeoutMillis = -1 }, kerr.InvalidRequest, "RebalanceTimeoutMs must be provided in first request."},
		"null partitions":   {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Topics = nil }, kerr.InvalidRequest, "TopicPartitions must be empty when (re-)joining."},
		"partitions": {func(r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{}}
		}, kerr.InvalidRequest, "TopicPartitions must be empty when (re-)joining."},
		"no subscription":  {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicNames = nil }, kerr.InvalidRequest, "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining."},
		"epoch -2":         {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -2 }, kerr.InvalidRequest, "InstanceId can't be null."},
		"epoch -3":         {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -3 }, kerr.InvalidRequest, "MemberEpoch is invalid."},
		"unknown assignor": {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.ServerAssignor = &other }, kerr.UnsupportedAssignor, "ServerAssignor cooperative is not supported. Supported assignors: uniform, range."},
		"epoch of nobody":  {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = 7 }, kerr.UnknownMemberID, "Member new is not a member of group g."},
		"unknown group": {func(r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.Group, r.MemberEpoch = "h", 7
		}, kerr.GroupIDNotFound, "Consumer group h not found."},
		"leaves an unknown group": {func(r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.Group, r.MemberEpoch = "h", -1
		}, kerr.GroupIDNotFound, "Group h not found."},
		"leaves unknown": {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -1 }, kerr.UnknownMemberID, "Member new is not a member of group g."},
		"leaves as unknown instance": {func(r *kmsg.ConsumerGroupHeartbeatRequest) {
			r.MemberEpoch, r.InstanceID = -2, &nobody
		}, kerr.UnknownMemberID, "Instance id nobody is unknown."},
	} {
		t.Run(name, func(t *testing.T) {
			r := newConsumerRig(t, nil)
			r.consumer("g", "m1", "a").beat()
			code, message := r.consumer("g", "new", "a").refused(c.change)
			require.Equal(t, c.code.Code, code)
			require.Equal(t, c.message, message)
		})
	}
}

func TestMemberEpochsAreChecked(t *testing.T) {
	r := newConsumerRig(t, nil)
	one, two := r.consumer("g", "m1", "a"), r.consumer("g", "m2", "a")
	r.settle848(one, two)
	require.Equal(t, int32(3), one.epoch)

	epoch := func(n int32) func(*kmsg.ConsumerGroupHeartbeatRequest) {
		return func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.MemberEpoch = n }
	}
	code, message := one.refused(epoch(4))
	require.Equal(t, kerr.FencedMemberEpoch.Code, code)
	require.Equal(t, "The consumer group member has a greater member epoch (4) than the one known by the group coordinator (3). The member must abandon all its partitions and rejoin.", message)
	code, message = one.refused(epoch(1))
	require.Equal(t, kerr.FencedMemberEpoch.Code, code)
	require.Equal(t, "The consumer group member has a smaller member epoch (1) than the one known by the group coordinator (3). The member must abandon all its partitions and rejoin.", message)

	// The epoch before passes as long as the member has nothing that it should not: the answer was lost.
	req := one.request()
	req.MemberEpoch = 2
	require.Equal(t, int32(3), one.send(req).MemberEpoch)
	code, _ = one.refused(func(req *kmsg.ConsumerGroupHeartbeatRequest) {
		req.MemberEpoch, req.Topics[0].Partitions = 2, []int32{0, 1, 2}
	})
	require.Equal(t, kerr.FencedMemberEpoch.Code, code)
	code, _ = one.refused(func(req *kmsg.ConsumerGroupHeartbeatRequest) { req.MemberEpoch, req.Topics = 2, nil })
	require.Equal(t, kerr.FencedMemberEpoch.Code, code)
}

// Robustness G13: a fenced member joins again with epoch 0, under the same id, and is told what it has.
func TestFencedConsumerJoinsAgainWithEpochZero(t *testing.T) {
	r := newConsumerRig(t, nil)
	one, two := r.consumer("g", "m1", "a"), r.consumer("g", "m2", "a")
	r.settle848(one, two)
	one.epoch, one.has = 0, map[partitionID]bool{}
	epoch := r.state.consumer("g").epoch
	one.beat()
	require.Equal(t, "a0 a1", one.holds())
	require.Equal(t, epoch, one.epoch, "nothing changed")

	// While it must revoke, a join with nothing in hand is a revocation.
	three := r.consumer("g", "m3", "a")
	r.advance(2 * time.Second)
	three.beat()
	two.take(two.send(two.request()))
	require.Equal(t, memberUnrevoked, r.state.consumer("g").members["m2"].state)
	two.epoch, two.has = 0, map[partitionID]bool{}
	two.beat()
	require.Equal(t, memberStable, r.state.consumer("g").members["m2"].state)
}

func TestConsumerGroupIsFull(t *testing.T) {
	r := newConsumerRig(t, map[string]string{"group.consumer.max.size": "2"})
	r.consumer("g", "m1", "a").beat()
	r.consumer("g", "m2", "a").beat()
	code, message := r.consumer("g", "m3", "a").refused(nil)
	require.Equal(t, kerr.GroupMaxSizeReached.Code, code)
	require.Equal(t, "The consumer group has reached its maximum capacity of 2 members.", message)
	r.consumer("g", "m2", "a").beat()
}

// Robustness G10.
func TestExtremeTimeoutsOfConsumers(t *testing.T) {
	for _, ms := range []int32{math.MinInt32, -2, 0, math.MaxInt32} {
		t.Run(fmt.Sprint(ms), func(t *testing.T) {
			r := newConsumerRig(t, nil)
			one, two := r.consumer("g", "m1", "a"), r.consumer("g", "m2", "a")
			one.timeoutMs = ms
			one.beat()
			r.advance(2 * time.Second)
			two.beat()
			one.take(one.send(one.request()))
			for timer, when := range r.timers {
				require.False(t, when.Before(r.now), "%v is set into the past", timer)
			}
			r.advance(time.Second)
			require.Equal(t, ms > 0, r.state.consumer("g").members["m1"] != nil)
		})
	}
}

func TestMemberIDIsMadeForOldVersions(t *testing.T) {
	r := newConsumerRig(t, nil)
	m := r.consumer("g", "", "a")
	m.version = 0
	m.beat()
	require.Len(t, m.id, 22)
}

// A stored pattern may cost a moment for each topic: it is matched in many turns, between which others are served.
func TestRegexesAreResolvedInTurns(t *testing.T) {
	r := newRig(t, nil)
	topics := map[string]int32{}
	for i := range 20 {
		topics[fmt.Sprintf("topic-%02d", i)] = 1
	}
	r.topics(topics)
	m := r.regexConsumer("m1", "topic-.*|(x{100}){5}"+strings.Repeat("y", 10000))
	m.beat()
	require.True(t, r.state.consumer("g").resolving)
	turns := 0
	for ; r.state.consumer("g").resolving; turns++ {
		for timer := range r.timers {
			if timer.Kind == timerRegexRefresh {
				delete(r.timers, timer)
				r.apply(0, r.state.Expired(timer, r.now))
			}
		}
		require.Less(t, turns, 100)
	}
	require.Greater(t, turns, 3)
	require.Len(t, r.state.consumer("g").resolved[*m.regex].topics, 20)
	r.advance(2 * time.Second)
	m.beat()
	require.Len(t, m.has, 20)
}

// Each member of a group may have a costly pattern of its own: no more than one is compiled at a time, and each turn is short.
func TestManyRegexesAreResolvedOneAfterTheOther(t *testing.T) {
	r := newRig(t, nil)
	r.topics(map[string]int32{"a": 1})
	for i := range 50 {
		m := r.regexConsumer(fmt.Sprint("m", i), "a|"+fmt.Sprint(i)+strings.Repeat("(x{100}){10}", 20))
		m.beat()
	}
	g := r.state.consumer("g")
	require.True(t, g.resolving)
	timer := coordinator.Timer{Kind: timerRegexRefresh, Group: "g"}
	turns := 0
	for ; g.resolving; turns++ {
		before := 0
		if g.resolution != nil {
			before = g.resolution.at
		}
		delete(r.timers, timer)
		r.apply(0, r.state.Expired(timer, r.now))
		if g.resolution != nil {
			require.LessOrEqual(t, g.resolution.at-before, 1, "patterns compiled in a turn")
		}
	}
	require.GreaterOrEqual(t, turns, 49)
	require.Len(t, g.resolved, 50)
	for _, to := range g.resolved {
		require.Equal(t, []string{"a"}, to.topics)
	}
}

// A resolution that is refused, by the log or for its size, is tried again, but not with every heartbeat.
func TestResolutionThatCannotBeWrittenIsTriedAgainLater(t *testing.T) {
	r := newConsumerRig(t, nil)
	m := r.regexConsumer("m1", "a")
	m.beat()
	r.refuse = kerr.MessageTooLarge
	r.advance(0)
	g := r.state.consumer("g")
	require.False(t, g.resolving)
	require.Empty(t, g.resolved)
	r.advance(5 * time.Second)
	m.beat()
	require.False(t, g.resolving)
	r.advance(6 * time.Second)
	m.beat()
	require.True(t, g.resolving)
	r.advance(0)
	m.beat()
	require.Len(t, m.has, 4)

	m.regex, m.epoch = new("a|b"), 0
	r.advance(11 * time.Second)
	m.beat()
	g.resolution = r.state.newResolution(g, r.now)
	g.resolution.size = maxResolution
	r.advance(0)
	require.Nil(t, g.resolved["a|b"])
	r.advance(11 * time.Second)
	m.beat()
	r.advance(0)
	require.NotNil(t, g.resolved["a|b"])
}
