package group

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
)

// ListGroups answers key 16, v0-5: the groups of all partitions that this node leads. While one of them is loading the
// answer is COORDINATOR_LOAD_IN_PROGRESS; one whose leadership ended meanwhile has no groups.
func (c *Coordinator) ListGroups(ctx context.Context, _ Caller, req *kmsg.ListGroupsRequest) *kmsg.ListGroupsResponse {
	resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
	resp.Groups = []kmsg.ListGroupsResponseGroup{}
	wanted := newListFilter(req)
	for _, partition := range c.shards.Led() {
		refuse := func(e *kerr.Error) kmsg.Response { return &kmsg.ListGroupsResponse{ErrorCode: e.Code} }
		part := c.shards.Ask(ctx, partition, refuse, func(s *State, t coordinator.Turn) coordinator.Result {
			return t.Answer(&kmsg.ListGroupsResponse{Groups: s.list(wanted)})
		}).(*kmsg.ListGroupsResponse)
		switch part.ErrorCode {
		case 0:
			resp.Groups = append(resp.Groups, part.Groups...)
		case kerr.NotCoordinator.Code:
		default:
			resp.Groups, resp.ErrorCode = []kmsg.ListGroupsResponseGroup{}, part.ErrorCode
			return resp
		}
	}
	return resp
}

// listFilter keeps groups by state and type, both without regard to case. An empty list keeps all.
type listFilter struct{ states, types []string }

func newListFilter(req *kmsg.ListGroupsRequest) listFilter {
	f := listFilter{}
	for _, state := range req.StatesFilter {
		f.states = append(f.states, strings.TrimSpace(strings.ToLower(state)))
	}
	for _, kind := range req.TypesFilter {
		f.types = append(f.types, strings.ToLower(kind))
	}
	return f
}

func (f listFilter) keeps(g Group) bool {
	return (len(f.states) == 0 || slices.Contains(f.states, strings.ToLower(g.StateName()))) &&
		(len(f.types) == 0 || slices.Contains(f.types, string(g.Kind())))
}

func (s *State) list(f listFilter) []kmsg.ListGroupsResponseGroup {
	list := make([]kmsg.ListGroupsResponseGroup, 0, len(s.groups))
	for _, id := range sortedKeys(s.groups) {
		if g := s.groups[id]; f.keeps(g) {
			list = append(list, kmsg.ListGroupsResponseGroup{Group: id, ProtocolType: g.ProtocolType(), GroupState: g.StateName(), GroupType: string(g.Kind())})
		}
	}
	return list
}
