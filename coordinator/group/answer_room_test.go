package group

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A request that names a group with much to tell hundreds of thousands of times takes less than 1 MB, and would be answered
// in hundreds of gigabytes.
func TestAnswersAboutTheSameGroupsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCoordinator(t, logsInMemory(1)...)
		ctx := context.Background()
		synctest.Wait()
		refusedFrom := func(codes []int16, least int) {
			t.Helper()
			first := slices.Index(codes, kerr.InvalidRequest.Code)
			require.Greater(t, first, least)
			for i, code := range codes {
				require.Equal(t, i >= first, code == kerr.InvalidRequest.Code)
				require.True(t, code == 0 || i >= first)
			}
		}

		offsets := map[int32]int64{}
		for p := range int32(100) {
			offsets[p] = 1
		}
		commit := commitOf(8, "offsets", map[string]map[int32]int64{"a": offsets})
		for i := range commit.Topics[0].Partitions {
			commit.Topics[0].Partitions[i].Metadata = new(strings.Repeat("m", 4000))
		}
		for _, code := range codesOf(c.OffsetCommit(ctx, Caller{}, commit)) {
			require.Zero(t, code)
		}
		for _, topics := range [][]kmsg.OffsetFetchRequestGroupTopic{nil, {{Topic: "a", Partitions: make([]int32, 100)}}} {
			fetch := &kmsg.OffsetFetchRequest{Version: 9}
			for range 400 {
				fetch.Groups = append(fetch.Groups, kmsg.OffsetFetchRequestGroup{Group: "offsets", MemberEpoch: -1, Topics: topics})
			}
			var codes []int16
			for _, g := range c.OffsetFetch(ctx, Caller{}, fetch).Groups {
				codes = append(codes, g.ErrorCode)
			}
			require.Len(t, codes, 400)
			refusedFrom(codes, 300)
		}

		join := joinRequest("", as(3))
		join.Group = "classic"
		joined := c.JoinGroup(ctx, Caller{}, join)
		require.Zero(t, joined.ErrorCode)
		sync := &kmsg.SyncGroupRequest{Version: 3, Group: "classic", MemberID: joined.MemberID, Generation: 1}
		sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: joined.MemberID, MemberAssignment: make([]byte, 500_000)}}
		require.Zero(t, c.SyncGroup(ctx, Caller{}, sync).ErrorCode)
		described := c.DescribeGroups(ctx, Caller{}, &kmsg.DescribeGroupsRequest{Version: 6, Groups: slices.Repeat([]string{"classic"}, 300)})
		var codes []int16
		for _, g := range described.Groups {
			require.Equal(t, "classic", g.Group)
			codes = append(codes, g.ErrorCode)
		}
		refusedFrom(codes, 200)

		beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		beat.Version, beat.Group, beat.MemberID, beat.RebalanceTimeoutMillis, beat.Topics = 1, "consumer", "m", 1000, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		for i := range 10_000 {
			beat.SubscribedTopicNames = append(beat.SubscribedTopicNames, strings.Repeat("x", 50)+time.Duration(i).String())
		}
		require.Zero(t, c.ConsumerGroupHeartbeat(ctx, Caller{}, beat).ErrorCode)
		codes = nil
		for _, g := range c.ConsumerGroupDescribe(ctx, Caller{}, &kmsg.ConsumerGroupDescribeRequest{Version: 1, Groups: slices.Repeat([]string{"consumer"}, 250)}).Groups {
			codes = append(codes, g.ErrorCode)
		}
		refusedFrom(codes, 100)
	})
}
