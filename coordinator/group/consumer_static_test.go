package group

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (r *rig) staticConsumer(id, instance string, topics ...string) *consumer {
	c := r.consumer("g", id, topics...)
	c.instance = &instance
	return c
}

// goAway is what a static consumer sends when it closes: it will be back.
func (c *consumer) goAway() *kmsg.ConsumerGroupHeartbeatResponse {
	c.r.t.Helper()
	req := c.request()
	req.MemberEpoch = epochLeaveStatic
	resp := c.send(req)
	require.Zero(c.r.t, resp.ErrorCode, text(resp.ErrorMessage))
	return resp
}

func TestStaticConsumerComesBackToWhatItHad(t *testing.T) {
	r := newConsumerRig(t, nil)
	one, two := r.staticConsumer("m1", "i1", "a"), r.staticConsumer("m2", "i2", "a")
	r.settle848(one, two)
	require.Equal(t, "a0 a1", one.holds())
	n := len(r.log)
	resp := one.goAway()
	require.Equal(t, int32(-2), resp.MemberEpoch)
	require.Zero(t, resp.HeartbeatIntervalMillis)
	require.Equal(t, []string{"current_member_assignment m1 -2/2 state 0 a[0 1]@[0 0]"}, r.trace(n))

	n = len(r.log)
	again := r.staticConsumer("m3", "i1", "a")
	again.beat()
	require.Equal(t, "a0 a1", again.holds())
	require.Equal(t, int32(3), again.epoch, "no new group epoch")
	require.Equal(t, []string{
		"current_member_assignment m1 -", "target_assignment_member m1 -", "member_metadata m1 -",
		"member_metadata m3 [a]", "target_assignment_member m3 a[0 1]", "current_member_assignment m3 0/0 state 0 a[0 1]@[0 0]",
		"current_member_assignment m3 3/0 state 0 a[0 1]@[0 0]",
	}, r.trace(n))
	two.beat()
	require.Equal(t, "a2 a3", two.holds())
}

func TestStaticConsumerIsFencedAndGuarded(t *testing.T) {
	r := newConsumerRig(t, nil)
	one := r.staticConsumer("m1", "i1", "a")
	one.beat()

	code, message := r.staticConsumer("m2", "i1", "a").refused(nil)
	require.Equal(t, kerr.UnreleasedInstanceID.Code, code)
	require.Equal(t, "Static member m2 with instance id i1 cannot join the group because the instance id is owned by m1 member.", message)

	// G13, and "a member that heartbeats another's instance id".
	other := r.consumer("g", "m3", "a")
	r.advance(time.Second)
	other.beat()
	other.instance = one.instance
	code, message = other.refused(nil)
	require.Equal(t, kerr.FencedInstanceID.Code, code)
	require.Equal(t, "Static member m3 with instance id i1 was fenced by member m1.", message)
	unknown := "i9"
	other.instance = &unknown
	code, message = other.refused(nil)
	require.Equal(t, kerr.UnknownMemberID.Code, code)
	require.Equal(t, "Instance id i9 is unknown.", message)
}

func TestStaticConsumerThatStaysAwayExpires(t *testing.T) {
	r := newConsumerRig(t, nil)
	one, two := r.staticConsumer("m1", "i1", "a"), r.consumer("g", "m2", "a")
	r.settle848(one, two)
	one.goAway()
	for range 40 {
		r.advance(time.Second)
		two.beat()
		require.Equal(t, "a2 a3", two.holds())
	}
	r.advance(6 * time.Second)
	r.settle848(two)
	require.Equal(t, "a0 a1 a2 a3", two.holds())
}

func TestStaticConsumerLeavesForGood(t *testing.T) {
	r := newConsumerRig(t, nil)
	one := r.staticConsumer("m1", "i1", "a")
	one.beat()
	one.leave()
	require.Empty(t, r.state.consumer("g").instances)
	r.staticConsumer("m2", "i1", "a").beat()
}

func TestStaticConsumerChangesItsSubscriptionWhenItComesBack(t *testing.T) {
	r := newConsumerRig(t, nil)
	r.topics(map[string]int32{"b": 2})
	one := r.staticConsumer("m1", "i1", "a")
	one.beat()
	one.goAway()
	r.advance(2 * time.Second)
	again := r.staticConsumer("m2", "i1", "b")
	again.beat()
	require.Equal(t, "b0 b1", again.holds())
	require.Len(t, r.state.consumer("g").members, 1)
}

// A member that joins again under another instance id gives the first one back.
func TestStaticConsumerChangesItsInstance(t *testing.T) {
	r := newConsumerRig(t, nil)
	m := r.consumer("g", "m1", "a")
	m.instance = new("i")
	m.beat()
	m.epoch, m.instance = 0, new("j")
	m.beat()
	require.Equal(t, map[string]string{"j": "m1"}, r.state.consumer("g").instances)
	other := r.consumer("g", "m2", "a")
	other.instance = new("i")
	r.advance(2 * time.Second)
	r.settle848(m, other)
	require.Len(t, other.has, 2)
	require.Equal(t, r.state.hard(), r.compacted(len(r.log), true).hard())
	m.leave()
	require.Equal(t, map[string]string{"i": "m2"}, r.state.consumer("g").instances)
}
