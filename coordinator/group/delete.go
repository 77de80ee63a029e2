package group

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/protocol"
)

// DeleteGroups answers key 42, v0-3: groups of all kinds, each once, in the order asked.
func (c *Coordinator) DeleteGroups(ctx context.Context, _ Caller, req *kmsg.DeleteGroupsRequest) *kmsg.DeleteGroupsResponse {
	ids := unique(req.Groups)
	resp := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
	resp.Groups = make([]kmsg.DeleteGroupsResponseGroup, len(ids))
	for partition, indexes := range c.byPartition(ids) {
		refuse := func(e *kerr.Error) kmsg.Response {
			part := &kmsg.DeleteGroupsResponse{}
			for _, i := range indexes {
				part.Groups = append(part.Groups, kmsg.DeleteGroupsResponseGroup{Group: ids[i], ErrorCode: e.Code})
			}
			return part
		}
		part := c.shards.Ask(ctx, partition, refuse, func(s *State, t coordinator.Turn) coordinator.Result {
			r := coordinator.Result{Split: true}
			part := &kmsg.DeleteGroupsResponse{}
			for _, i := range indexes {
				records, err := s.deletion(ids[i])
				r.Records = append(r.Records, records...)
				part.Groups = append(part.Groups, kmsg.DeleteGroupsResponseGroup{Group: ids[i], ErrorCode: protocol.CodeOf(err)})
			}
			return r.And(t.Answer(part))
		}).(*kmsg.DeleteGroupsResponse)
		for n, i := range indexes {
			resp.Groups[i] = part.Groups[n]
		}
	}
	return resp
}

// deletion are the records that delete a group with its offsets.
func (s *State) deletion(id string) ([]coordinator.Record, error) {
	g := s.groups[id]
	if g == nil {
		return nil, kerr.GroupIDNotFound
	}
	if err := g.CheckDelete(); err != nil {
		return nil, err
	}
	return append(s.offsetTombstones(id), g.Tombstones()...), nil
}

func unique(list []string) []string {
	seen := make(map[string]bool, min(len(list), 1024))
	out := make([]string, 0, len(list))
	for _, item := range list {
		if !seen[item] {
			seen[item] = true
			out = append(out, item)
		}
	}
	return out
}
