package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/coordinator/group"
)

// Groups is what handlers ask of the group coordinator; *group.Coordinator is one. Each method answers in Kafka's terms,
// also when this node is not the coordinator, and may wait: for members, or until what it wrote is committed.
type Groups interface {
	PartitionFor(group string) int32

	JoinGroup(ctx context.Context, by group.Caller, req *kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse
	SyncGroup(ctx context.Context, by group.Caller, req *kmsg.SyncGroupRequest) *kmsg.SyncGroupResponse
	Heartbeat(ctx context.Context, by group.Caller, req *kmsg.HeartbeatRequest) *kmsg.HeartbeatResponse
	LeaveGroup(ctx context.Context, by group.Caller, req *kmsg.LeaveGroupRequest) *kmsg.LeaveGroupResponse

	OffsetCommit(ctx context.Context, by group.Caller, req *kmsg.OffsetCommitRequest) *kmsg.OffsetCommitResponse
	OffsetFetch(ctx context.Context, by group.Caller, req *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse
	OffsetDelete(ctx context.Context, by group.Caller, req *kmsg.OffsetDeleteRequest) *kmsg.OffsetDeleteResponse
	ListGroups(ctx context.Context, by group.Caller, req *kmsg.ListGroupsRequest) *kmsg.ListGroupsResponse
	DescribeGroups(ctx context.Context, by group.Caller, req *kmsg.DescribeGroupsRequest) *kmsg.DescribeGroupsResponse
	DeleteGroups(ctx context.Context, by group.Caller, req *kmsg.DeleteGroupsRequest) *kmsg.DeleteGroupsResponse

	ConsumerGroupHeartbeat(ctx context.Context, by group.Caller, req *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse
	ConsumerGroupDescribe(ctx context.Context, by group.Caller, req *kmsg.ConsumerGroupDescribeRequest) *kmsg.ConsumerGroupDescribeResponse
}

// groupOperations are what a caller may do with a group when there is no authorizer: READ 3, DELETE 6, DESCRIBE 8,
// DESCRIBE_CONFIGS 10, ALTER_CONFIGS 11.
const groupOperations int32 = 1<<3 | 1<<6 | 1<<8 | 1<<10 | 1<<11

// askGroups parks c and lets ask wait in its name. The context ends when the server stops: whoever waits is told
// NOT_COORDINATOR, and looks for the next one. req's byte slices must not alias the frame any more.
func askGroups[Q kmsg.Request, P kmsg.Response](c *server.Ctx, req Q, ask func(context.Context, group.Caller, Q) P) P {
	return ask(c.Park(), caller(c), req)
}

func caller(c *server.Ctx) group.Caller {
	id := ""
	if c.Header.ClientID != nil {
		id = *c.Header.ClientID
	}
	return group.NewCaller(id, c.Client)
}
