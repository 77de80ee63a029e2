package group

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAssignmentWaitsForItsInterval(t *testing.T) {
	r := newConsumerRig(t, map[string]string{"group.consumer.assignment.interval.ms": "3000"})
	one, two, three := r.consumer("g", "m1", "a"), r.consumer("g", "m2", "a"), r.consumer("g", "m3", "a")
	one.beat()
	r.advance(time.Second)
	n := len(r.log)
	two.beat()
	require.Equal(t, []string{"member_metadata m2 [a]", "metadata epoch 3", "current_member_assignment m2 2/0 state 0"}, r.trace(n))
	require.Equal(t, int32(2), two.epoch, "the newest target is that of the epoch before")
	require.Equal(t, "Assigning", r.state.groups["g"].StateName())
	three.beat()
	r.advance(2 * time.Second)
	n = len(r.log)
	three.beat()
	require.Equal(t, []string{"target_assignment_member m1 a[0 1]", "target_assignment_member m2 a[2]", "target_assignment_member m3 a[3]",
		"target_assignment_metadata epoch 4", "current_member_assignment m3 4/2 state 2"}, r.trace(n), "one assignment for both")

	r.groupConfig("g", "consumer.assignment.interval.ms", "0")
	r.consumer("g", "m4", "a").beat()
	require.Equal(t, int32(5), r.state.consumer("g").targetEpoch)
}

// A clock that goes back, or a coordinator before this one whose clock was ahead, stops neither assignments nor regular
// expressions, and does not make settled groups heartbeat sooner.
func TestTimesOfAClockThatWasAheadDoNotCount(t *testing.T) {
	r := newConsumerRig(t, nil)
	one, two := r.consumer("g", "m1", "a"), r.consumer("g", "m2")
	two.regex = new("b.*")
	r.settle848(one, two)
	r.now = r.now.Add(-time.Hour)
	r.restart()
	r.topics(map[string]int32{"b1": 2})
	require.Equal(t, int32(5000), one.beat().HeartbeatIntervalMillis)
	r.settle848(one, two)
	require.Equal(t, "b10 b11", two.holds())
	three := r.consumer("g", "m3", "a")
	r.settle848(one, two, three)
	require.Len(t, three.has, 2)
}

func TestAssignmentWaitsNotAfterAnEmptyGroup(t *testing.T) {
	r := newConsumerRig(t, map[string]string{"group.consumer.assignment.interval.ms": "15000"})
	one := r.consumer("g", "m1", "a")
	one.beat()
	one.leave()
	two := r.consumer("g", "m2", "a")
	two.beat()
	require.Equal(t, "a0 a1 a2 a3", two.holds())
}

func TestUnsettledGroupsHeartbeatSooner(t *testing.T) {
	r := newConsumerRig(t, nil)
	one, two := r.consumer("g", "m1", "a"), r.consumer("g", "m2", "a")
	require.Equal(t, int32(200), one.beat().HeartbeatIntervalMillis)
	r.advance(2 * time.Second)
	require.Equal(t, int32(200), two.beat().HeartbeatIntervalMillis)
	require.Equal(t, int32(200), one.beat().HeartbeatIntervalMillis)
	one.beat()
	two.beat()
	require.Equal(t, "Stable", r.state.groups["g"].StateName())
	require.Equal(t, int32(200), one.beat().HeartbeatIntervalMillis, "it has just changed")
	r.advance(10 * time.Second)
	require.Equal(t, int32(5000), two.beat().HeartbeatIntervalMillis)
	require.Equal(t, int32(5000), one.beat().HeartbeatIntervalMillis)

	off := newConsumerRig(t, map[string]string{"dohle.group.consumer.unsettled.heartbeat.ms": "0"})
	off.consumer("g", "m1", "a").beat()
	off.advance(2 * time.Second)
	require.Equal(t, int32(5000), off.consumer("g", "m2", "a").beat().HeartbeatIntervalMillis)
}

func TestGroupConfigsCount(t *testing.T) {
	r := newConsumerRig(t, nil)
	r.groupConfig("g", "consumer.heartbeat.interval.ms", "7000")
	r.groupConfig("g", "consumer.session.timeout.ms", "60000")
	m := r.consumer("g", "m1", "a")
	m.beat()
	r.advance(10 * time.Second)
	require.Equal(t, int32(7000), m.beat().HeartbeatIntervalMillis)
	r.advance(59 * time.Second)
	require.Zero(t, m.send(m.request()).ErrorCode)
	r.advance(61 * time.Second)
	require.Empty(t, r.state.consumer("g").members)
}

func TestConsumersFollowTopics(t *testing.T) {
	r := newConsumerRig(t, nil)
	m := r.consumer("g", "m1", "a", "later")
	m.beat()
	require.Equal(t, "a0 a1 a2 a3", m.holds())
	r.topics(map[string]int32{"later": 1})
	r.advance(time.Second)
	m.beat()
	require.Equal(t, "a0 a1 a2 a3 later0", m.holds())
	r.topics(map[string]int32{"a": 6})
	r.advance(time.Second)
	m.beat()
	require.Equal(t, "a0 a1 a2 a3 a4 a5 later0", m.holds())
	r.deleteTopic("a")
	r.advance(time.Second)
	m.beat()
	require.Equal(t, "later0", m.holds())
	m.beat()

	// After a load the first heartbeat looks again; nothing changed, nothing is written.
	r.restart()
	n := len(r.log)
	m.beat()
	require.Len(t, r.log, n)
	r.topics(map[string]int32{"a": 2})
	r.restart()
	r.advance(time.Second)
	m.beat()
	require.Equal(t, "a0 a1 later0", m.holds())
}

func TestPreferredAssignorCounts(t *testing.T) {
	r := newConsumerRig(t, nil)
	r.topics(map[string]int32{"b": 4})
	by := "range"
	one, two := r.consumer("g", "m1", "a", "b"), r.consumer("g", "m2", "a", "b")
	one.assignor, two.assignor = &by, &by
	r.settle848(one, two)
	require.Equal(t, "a0 a1 b0 b1", one.holds())
	require.Equal(t, "range", r.state.describeConsumer("g").AssignorName)

	// Another wish moves the group epoch, though nothing else changed (4.4).
	uniform, epoch := "uniform", r.state.consumer("g").epoch
	for _, c := range []*consumer{one, two} {
		req := c.request()
		req.ServerAssignor = &uniform
		c.take(c.send(req))
	}
	require.Greater(t, r.state.consumer("g").epoch, epoch)
	require.Equal(t, "uniform", r.state.describeConsumer("g").AssignorName)
}

func TestConsumerGroupDescribeShowsBothAssignments(t *testing.T) {
	r := newConsumerRig(t, nil)
	one, two := r.consumer("g", "m1", "a"), r.consumer("g", "m2", "a")
	one.beat()
	r.advance(2 * time.Second)
	two.beat()
	one.take(one.send(one.request()))
	d := r.state.describeConsumer("g")
	require.Equal(t, "Reconciling", d.State)
	require.Equal(t, []int32{3, 3}, []int32{d.Epoch, d.AssignmentEpoch})
	require.Equal(t, []int32{0, 1, 2, 3}, d.Members[0].Assignment.TopicPartitions[0].Partitions, "what it still revokes is its own")
	require.Equal(t, []int32{0, 1}, d.Members[0].TargetAssignment.TopicPartitions[0].Partitions)
	require.Empty(t, d.Members[1].Assignment.TopicPartitions)
	require.Equal(t, []int32{2, 3}, d.Members[1].TargetAssignment.TopicPartitions[0].Partitions)
	require.Equal(t, kmsg.ConsumerGroupDescribeResponseGroupMember{MemberID: "m2", MemberEpoch: 3, ClientID: "client", ClientHost: "/127.0.0.1",
		SubscribedTopics: []string{"a"}, SubscribedTopicRegex: new(string), MemberType: 1}, bare(d.Members[1]))
	require.Equal(t, "Group h not found.", *r.state.describeConsumer("h").ErrorMessage)
}

func bare(m kmsg.ConsumerGroupDescribeResponseGroupMember) kmsg.ConsumerGroupDescribeResponseGroupMember {
	m.Assignment, m.TargetAssignment = kmsg.Assignment{}, kmsg.Assignment{}
	return m
}

func TestTiesOfAssignorsAreStable(t *testing.T) {
	r := newConsumerRig(t, nil)
	byRange, uniform := "range", "uniform"
	one, two := r.consumer("g", "m1", "a"), r.consumer("g", "m2", "a")
	one.assignor, two.assignor = &byRange, &uniform
	r.settle848(one, two)
	require.Equal(t, "uniform", r.state.describeConsumer("g").AssignorName)
	n := len(r.log)
	for range 3 {
		one.beat()
		two.beat()
	}
	require.Len(t, r.log, n)
}
