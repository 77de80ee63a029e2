package group

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// G8, G16 at the level of groups: who is parked when the leadership moves is told so, nothing half-done is seen by the next
// coordinator, and members of the last written generation go on.
func TestClassicMembersWhenTheCoordinatorMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{}
		c := newCoordinator(t, log)
		synctest.Wait()
		ctx, by := context.Background(), Caller{ClientID: "app", Host: "/h"}
		beat := func(id string, generation int32) *kerr.Error {
			return codeOf(c.Heartbeat(ctx, by, &kmsg.HeartbeatRequest{Version: 4, Group: "g", MemberID: id, Generation: generation}).ErrorCode)
		}
		id := c.JoinGroup(ctx, by, joinRequest("")).MemberID
		first := c.JoinGroup(ctx, by, joinRequest(id))
		require.Equal(t, int32(1), first.Generation)
		sync := &kmsg.SyncGroupRequest{Version: 4, Group: "g", MemberID: id, Generation: 1, GroupAssignment: []kmsg.SyncGroupRequestGroupAssignment{{MemberID: id, MemberAssignment: []byte("x")}}}
		require.Equal(t, "x", string(c.SyncGroup(ctx, by, sync).MemberAssignment))

		other := c.JoinGroup(ctx, by, joinRequest("")).MemberID
		parked := make(chan *kmsg.JoinGroupResponse, 1)
		go func() { parked <- c.JoinGroup(ctx, by, joinRequest(other)) }()
		synctest.Wait()
		require.Equal(t, kerr.RebalanceInProgress, beat(id, 1))
		require.Equal(t, []Wait{{"g", WaitRebalance, "", time.Now().Add(30 * time.Second)}, {"g", WaitJoin, other, time.Now().Add(30 * time.Second)}}, c.Waits())

		c.Resign(0, 1)
		resp := <-parked
		require.Equal(t, kerr.NotCoordinator, codeOf(resp.ErrorCode))
		require.Empty(t, resp.MemberID)
		require.Equal(t, kerr.NotCoordinator, beat(id, 1))
		require.Empty(t, c.Waits())

		c.Lead(0, 2, log)
		synctest.Wait()
		require.Nil(t, beat(id, 1), "the rebalance was never written")
		require.Equal(t, "x", string(c.SyncGroup(ctx, by, sync).MemberAssignment))
		require.Equal(t, kerr.UnknownMemberID, codeOf(c.JoinGroup(ctx, by, joinRequest(other)).ErrorCode))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, kerr.UnknownMemberID, beat(id, 1), "sessions run from the load on")
	})
}

// A request whose connection ended waits no longer; the member it is of expires.
func TestClassicJoinThatNobodyWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCoordinator(t, logsInMemory(1)...)
		synctest.Wait()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { c.JoinGroup(ctx, Caller{}, joinRequest("", as(3))); close(done) }()
		synctest.Wait()
		cancel()
		<-done
		snap, _ := c.Snapshot("g")
		require.Len(t, snap.Members, 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		snap, _ = c.Snapshot("g")
		require.Equal(t, "Empty", snap.State)
	})
}
