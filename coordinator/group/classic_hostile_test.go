package group

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
)

// A client that asks for member ids and never joins meets a bound, and harms only its group.
func TestClassicMemberIDsAreBounded(t *testing.T) {
	r := newRig(t, nil)
	ask := func() *kmsg.JoinGroupResponse { // without the rig's log of timers, which is slow
		res := r.state.join(coordinator.Turn{Token: 1, Now: r.now}, Caller{ClientID: "app"}, joinRequest(""))
		return res.Replies[0].Response.(*kmsg.JoinGroupResponse)
	}
	c := &classicRig{r, Caller{ClientID: "app"}}
	c.memberID()
	for range maxPendingMembers - 1 {
		require.Equal(t, kerr.MemberIDRequired, codeOf(ask().ErrorCode))
	}
	require.Equal(t, kerr.GroupMaxSizeReached, codeOf(ask().ErrorCode))
	require.Len(t, c.round().pending, maxPendingMembers)
	c.parked(c.join("", instance("i")))
	c.parked(c.join("", as(3)))
}

// A hundred thousand groups that nobody needs cost what their records and a pending id weigh; the ids go with their
// sessions, the groups with the next retention check.
func TestClassicManyGroupsAreCheap(t *testing.T) {
	if testing.Short() {
		t.Skip("allocates 100 MB")
	}
	const groups = 50_000
	r := newRig(t, nil)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	at := coordinator.Position{}
	var timers []coordinator.Set
	for i := range groups {
		req := joinRequest("")
		req.Group = fmt.Sprint("g", i)
		res := r.state.join(coordinator.Turn{Token: 1, Now: r.now}, Caller{ClientID: "app"}, req)
		for _, rec := range res.Records {
			require.NoError(t, r.state.Replay(rec, at))
		}
		res.Then()
		timers = append(timers, res.Timers...)
	}
	each := (heap() - before) / groups
	require.Less(t, each, uint64(2048), "bytes of a group")
	r.now = r.now.Add(10 * time.Second)
	for _, timer := range timers {
		require.Empty(t, r.state.Expired(timer.Timer, r.now).Records)
	}
	clear(timers)
	rest := (heap() - before) / groups
	require.Less(t, rest, uint64(700), "bytes of a group that nobody waits in")
	t.Logf("%d bytes a group with a member id, %d without", each, rest)
	r.state.groups = map[string]Group{} // none of it is in the rig's log
}

// A protocol that is named twice counts once: else its members would never agree.
func TestClassicProtocolNamedTwice(t *testing.T) {
	r := newClassicRig(t, nil)
	a := r.join("", as(3), speaks("range", "range"))
	b := r.join("", as(3), speaks("range"))
	r.advance(6 * time.Second)
	require.Equal(t, "range", *r.joined(a).Protocol)
	require.Equal(t, int32(1), r.joined(b).Generation)
	require.Zero(t, r.leave(leaver(r.joined(a).MemberID)).Members[0].ErrorCode)
	require.Equal(t, map[string]int{"range": 1}, r.round().supported)
}

func TestClassicProtocolWithoutAName(t *testing.T) {
	r := newClassicRig(t, nil)
	a := r.join("", as(9), instance("a"), speaks(""))
	r.advance(3 * time.Second)
	require.Equal(t, "", *r.joined(a).Protocol)
	r.sync(r.joined(a).MemberID, 1, nil, syncInstance("a"))
	require.Equal(t, "Stable", r.stateName())
	r.restart()
	require.Nil(t, r.heartbeat(r.joined(a).MemberID, 1, "a"))
}

// Version 7 brought null for the protocol; before, it was empty.
func TestClassicRefusedJoinsByVersion(t *testing.T) {
	for version := int16(0); version <= 9; version++ {
		resp := joinRefusal("m", kerr.UnknownMemberID.Code)
		resp.Version = version
		read := &kmsg.JoinGroupResponse{Version: version}
		require.NoError(t, read.ReadFrom(resp.AppendTo(nil)))
		if version < 7 {
			require.Equal(t, "", *read.Protocol)
		} else {
			require.Nil(t, read.Protocol)
		}
		require.Equal(t, int32(-1), read.Generation)
		require.Equal(t, "m", read.MemberID)
	}
}

// FuzzSubscriptionTopics reads what clients call a subscription: nothing of it may panic or cost more than it weighs.
func FuzzSubscriptionTopics(f *testing.F) {
	f.Add(subscription("a", "b"))
	f.Add(subscription())
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0x7f, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 0, 0, 1, 0xff, 0xff})
	f.Add([]byte{0xff, 0xff, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		topics := map[string]struct{}{}
		ok := addTopics(topics, b)
		size := 0
		for name := range topics {
			size += 2 + len(name)
		}
		if size > len(b) {
			t.Fatalf("%d bytes of topics from %d", size, len(b))
		}
		m := kmsg.ConsumerMemberMetadata{}
		if err := m.ReadFrom(b); err == nil && m.Version >= 0 && len(m.Topics) > 0 && !ok { // null topics are not known topics
			t.Fatalf("%x can be read", b)
		}
	})
}

// A hundred thousand protocols in one join cost in proportion to their number: the partition's other groups wait.
func TestClassicManyProtocolsAreCheap(t *testing.T) {
	names := make([]string, 100_000)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	r := newClassicRig(t, nil)
	began := time.Now()
	a := r.join("", as(3), speaks(names...))
	r.advance(3 * time.Second)
	require.Less(t, time.Since(began), 5*time.Second)
	require.Equal(t, "0", *r.joined(a).Protocol)
	require.Len(t, r.round().supported, len(names))
	require.Zero(t, r.leave(leaver(r.joined(a).MemberID)).Members[0].ErrorCode)
	require.Empty(t, r.round().supported)
}
