package group

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
)

// describer is a Group that DescribeGroups shows: a classic one. Group and codes are filled in by the caller.
type describer interface {
	Describe() kmsg.DescribeGroupsResponseGroup
}

// DescribeGroups answers key 15, v0-6: classic groups, in the order asked. Groups of other kinds do not exist for it.
func (c *Coordinator) DescribeGroups(ctx context.Context, _ Caller, req *kmsg.DescribeGroupsRequest) *kmsg.DescribeGroupsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	resp.Groups = make([]kmsg.DescribeGroupsResponseGroup, len(req.Groups))
	room := answerRoom(maxAnswer)
	for partition, indexes := range c.byPartition(req.Groups) {
		refuse := func(e *kerr.Error) kmsg.Response {
			part := &kmsg.DescribeGroupsResponse{}
			for range indexes {
				g := kmsg.NewDescribeGroupsResponseGroup()
				g.ErrorCode = e.Code
				part.Groups = append(part.Groups, g)
			}
			return part
		}
		part := c.shards.Ask(ctx, partition, refuse, func(s *State, t coordinator.Turn) coordinator.Result {
			part := &kmsg.DescribeGroupsResponse{}
			for _, i := range indexes {
				g := s.describe(req.Version, req.Groups[i])
				if !room.take(describedSize(&g)) {
					g = kmsg.NewDescribeGroupsResponseGroup()
					g.ErrorCode = kerr.InvalidRequest.Code
				}
				part.Groups = append(part.Groups, g)
			}
			return t.Answer(part)
		}).(*kmsg.DescribeGroupsResponse)
		for n, i := range indexes {
			resp.Groups[i] = part.Groups[n]
			resp.Groups[i].Group = req.Groups[i]
		}
	}
	return resp
}

func (s *State) describe(version int16, id string) kmsg.DescribeGroupsResponseGroup {
	g := s.groups[id]
	if d, ok := g.(describer); ok {
		return d.Describe()
	}
	out := kmsg.NewDescribeGroupsResponseGroup()
	out.State = "Dead"
	if version >= 6 {
		text := fmt.Sprintf("Group %s not found.", id)
		if g != nil {
			text = fmt.Sprintf("Group %s is not a classic group.", id)
		}
		out.ErrorCode, out.ErrorMessage = kerr.GroupIDNotFound.Code, &text
	}
	return out
}

// byPartition sorts a request's groups, by their indexes, under the partitions that they belong to.
func (c *Coordinator) byPartition(groups []string) map[int32][]int {
	m := map[int32][]int{}
	for i, id := range groups {
		partition := c.PartitionFor(id)
		m[partition] = append(m[partition], i)
	}
	return m
}
