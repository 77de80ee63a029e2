package group

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
)

func TestConsumerJoinWritesKafkasRecords(t *testing.T) {
	r := newConsumerRig(t, nil)
	m := r.consumer("g", "m1", "a")
	resp := m.beat()
	require.Equal(t, int32(2), resp.MemberEpoch)
	require.Equal(t, int32(200), resp.HeartbeatIntervalMillis)
	require.Equal(t, "a0 a1 a2 a3", m.holds())
	require.Equal(t, []string{
		"member_metadata m1 [a]",
		"metadata epoch 2",
		"target_assignment_member m1 a[0 1 2 3]",
		"target_assignment_metadata epoch 2",
		"current_member_assignment m1 2/0 state 0 a[0 1 2 3]@[2 2 2 2]",
	}, r.trace(0))
	require.Equal(t, "Stable", r.state.groups["g"].StateName())

	n := len(r.log)
	resp = m.beat()
	require.Nil(t, resp.Assignment)
	require.Len(t, r.log, n, "a heartbeat of a settled member writes nothing")
}

func TestConsumerRevokesBeforeAnotherGets(t *testing.T) {
	r := newConsumerRig(t, nil)
	one, two := r.consumer("g", "m1", "a"), r.consumer("g", "m2", "a")
	one.beat()
	r.advance(2 * time.Second)
	two.beat()
	require.Equal(t, "", two.holds())
	require.Equal(t, int32(3), two.epoch)
	require.Equal(t, "Reconciling", r.state.groups["g"].StateName())

	resp := one.send(one.request())
	require.Equal(t, int32(2), resp.MemberEpoch, "it stays in its epoch while it revokes")
	one.take(resp)
	two.beat()
	require.Equal(t, "", two.holds(), "not yet confirmed")
	one.adopt()
	require.Equal(t, "a0 a1", one.holds())
	one.beat()
	require.Equal(t, int32(3), one.epoch)
	two.beat()
	require.Equal(t, "a2 a3", two.holds())
	require.Equal(t, "Stable", r.state.groups["g"].StateName())
}

func TestConsumerThatDoesNotRevokeIsFenced(t *testing.T) {
	r := newConsumerRig(t, nil)
	one, two := r.consumer("g", "m1", "a"), r.consumer("g", "m2", "a")
	one.timeoutMs = 10_000
	one.beat()
	r.advance(2 * time.Second)
	two.beat()
	one.take(one.send(one.request()))
	for range 9 {
		r.advance(time.Second)
		require.Zero(t, one.send(one.request()).ErrorCode)
		two.beat()
	}
	r.advance(2 * time.Second)
	code, message := one.refused(nil)
	require.Equal(t, kerr.UnknownMemberID.Code, code)
	require.Equal(t, "Member m1 is not a member of group g.", message)
	r.settle848(two)
	require.Equal(t, "a0 a1 a2 a3", two.holds())
}

func TestConsumerSessionsExpire(t *testing.T) {
	r := newConsumerRig(t, nil)
	one, two := r.consumer("g", "m1", "a"), r.consumer("g", "m2", "a")
	r.settle848(one, two)
	for range 46 {
		two.beat()
		r.advance(time.Second)
	}
	require.Len(t, r.state.consumer("g").members, 1)
	r.settle848(two)
	require.Equal(t, "a0 a1 a2 a3", two.holds())
	r.advance(46 * time.Second)
	require.Equal(t, "Empty", r.state.groups["g"].StateName())
}

func TestConsumerLeavesWithKafkasRecords(t *testing.T) {
	r := newConsumerRig(t, nil)
	one, two := r.consumer("g", "m1", "a"), r.consumer("g", "m2", "a")
	r.settle848(one, two)
	n := len(r.log)
	resp := one.leave()
	require.Equal(t, int32(-1), resp.MemberEpoch)
	require.Equal(t, []string{"current_member_assignment m1 -", "target_assignment_member m1 -", "member_metadata m1 -", "metadata epoch 4"}, r.trace(n))
	n = len(r.log)
	two.leave()
	require.Equal(t, []string{"current_member_assignment m2 -", "target_assignment_member m2 -", "member_metadata m2 -", "metadata epoch 5",
		"target_assignment_metadata epoch 5"}, r.trace(n))
	require.Equal(t, "Empty", r.state.groups["g"].StateName())
}

// A member that can't be fenced when its time is up, because the log takes nothing for a while, is fenced as soon as it does:
// else its partitions were nobody's for ever.
func TestConsumerIsFencedOnceTheLogTakesIt(t *testing.T) {
	r := newConsumerRig(t, nil)
	one, two := r.consumer("g", "m1", "a"), r.consumer("g", "m2", "a")
	r.settle848(one, two)
	for range 120 { // in steps that see one attempt
		two.beat()
		r.refuse = kerr.NotEnoughReplicas
		r.advance(fenceAgain - time.Millisecond)
	}
	require.Len(t, r.state.consumer("g").members, 2)
	r.refuse = nil
	r.advance(fenceAgain)
	require.Len(t, r.state.consumer("g").members, 1)
	r.settle848(two)
	require.Equal(t, "a0 a1 a2 a3", two.holds())
}
