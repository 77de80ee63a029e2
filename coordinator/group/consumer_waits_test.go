package group

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConsumerWaitsAreNamed(t *testing.T) {
	r := newConsumerRig(t, nil)
	one, two := r.consumer("g", "m1", "a"), r.consumer("g", "m2", "a")
	one.beat()
	require.Empty(t, r.state.Waits())
	start := r.now
	r.advance(500 * time.Millisecond)
	two.beat()
	require.Equal(t, []Wait{{Group: "g", For: WaitAssignment, Until: start.Add(time.Second)}}, r.state.Waits())
	r.advance(time.Second)
	two.beat()
	require.Equal(t, []Wait{{Group: "g", For: WaitReconcile, Member: "m1"}, {Group: "g", For: WaitRelease, Member: "m2"}}, r.state.Waits())
	one.take(one.send(one.request()))
	require.Equal(t, []Wait{{"g", WaitRevoke, "m1", r.now.Add(300 * time.Second)}, {Group: "g", For: WaitRelease, Member: "m2"}}, r.state.Waits())
	one.adopt()
	one.beat()
	require.Equal(t, []Wait{{Group: "g", For: WaitReconcile, Member: "m2"}}, r.state.Waits(), "what it should have is free")
	two.beat()
	require.Empty(t, r.state.Waits())
}
