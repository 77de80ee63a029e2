package group

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
)

// classicRig speaks for members of one classic group, at the newest versions unless told otherwise.
type classicRig struct {
	*rig
	by Caller
}

func newClassicRig(t *testing.T, properties map[string]string) *classicRig {
	return &classicRig{newRig(t, properties), Caller{ClientID: "app", Host: "/127.0.0.1"}}
}

// edit changes a request before it is sent.
type edit[R any] func(R)

func joinRequest(member string, changes ...edit[*kmsg.JoinGroupRequest]) *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID = 9, "g", member
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.ProtocolType = 10_000, 30_000, "consumer"
	speaks("range")(req)
	for _, c := range changes {
		c(req)
	}
	return req
}

func speaks(protocols ...string) edit[*kmsg.JoinGroupRequest] {
	return func(req *kmsg.JoinGroupRequest) {
		req.Protocols = nil
		for _, name := range protocols {
			req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: name, Metadata: subscription("t")})
		}
	}
}

func subscribes(topics ...string) edit[*kmsg.JoinGroupRequest] {
	return func(req *kmsg.JoinGroupRequest) {
		for i := range req.Protocols {
			req.Protocols[i].Metadata = subscription(topics...)
		}
	}
}

func subscription(topics ...string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version, m.Topics = 1, topics
	return m.AppendTo(nil)
}

func as(version int16) edit[*kmsg.JoinGroupRequest] {
	return func(req *kmsg.JoinGroupRequest) { req.Version = version }
}

func instance(id string) edit[*kmsg.JoinGroupRequest] {
	return func(req *kmsg.JoinGroupRequest) { req.InstanceID = &id }
}

func (r *classicRig) join(member string, changes ...edit[*kmsg.JoinGroupRequest]) *call {
	r.t.Helper()
	req := joinRequest(member, changes...)
	return r.ask(func(s *State, t coordinator.Turn) coordinator.Result { return s.join(t, r.by, req) })
}

func (r *classicRig) sync(member string, generation int32, assignments map[string]string, changes ...edit[*kmsg.SyncGroupRequest]) *call {
	r.t.Helper()
	req := kmsg.NewPtrSyncGroupRequest()
	consumer := "consumer"
	req.Version, req.Group, req.MemberID, req.Generation, req.ProtocolType = 5, "g", member, generation, &consumer
	for _, id := range sortedKeys(assignments) {
		req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: id, MemberAssignment: []byte(assignments[id])})
	}
	for _, c := range changes {
		c(req)
	}
	return r.ask(func(s *State, t coordinator.Turn) coordinator.Result { return s.sync(t, r.by, req) })
}

func (r *classicRig) heartbeat(member string, generation int32, instance ...string) *kerr.Error {
	r.t.Helper()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.Generation = 4, "g", member, generation
	if len(instance) > 0 {
		req.InstanceID = &instance[0]
	}
	c := r.ask(func(s *State, t coordinator.Turn) coordinator.Result { return s.heartbeat(t, r.by, req) })
	require.NotNil(r.t, c.resp, "a heartbeat never waits")
	return codeOf(c.resp.(*kmsg.HeartbeatResponse).ErrorCode)
}

func (r *classicRig) leave(members ...kmsg.LeaveGroupRequestMember) *kmsg.LeaveGroupResponse {
	r.t.Helper()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version, req.Group, req.Members = 5, "g", members
	c := r.ask(func(s *State, t coordinator.Turn) coordinator.Result { return s.leave(t, r.by, req) })
	require.NotNil(r.t, c.resp, "leaving never waits")
	return c.resp.(*kmsg.LeaveGroupResponse)
}

func leaver(id string) kmsg.LeaveGroupRequestMember {
	return kmsg.LeaveGroupRequestMember{MemberID: id}
}

// joined is the answer to a join that must have come.
func (r *classicRig) joined(c *call) *kmsg.JoinGroupResponse {
	r.t.Helper()
	require.NotNil(r.t, c.resp, "the join is still parked")
	return c.resp.(*kmsg.JoinGroupResponse)
}

func (r *classicRig) synced(c *call) *kmsg.SyncGroupResponse {
	r.t.Helper()
	require.NotNil(r.t, c.resp, "the sync is still parked")
	return c.resp.(*kmsg.SyncGroupResponse)
}

func (r *classicRig) parked(c *call) {
	r.t.Helper()
	require.Nil(r.t, c.resp)
}

// memberID gets a member id by the round trip of version 4 on.
func (r *classicRig) memberID(changes ...edit[*kmsg.JoinGroupRequest]) string {
	r.t.Helper()
	resp := r.joined(r.join("", changes...))
	require.Equal(r.t, kerr.MemberIDRequired, codeOf(resp.ErrorCode))
	require.Equal(r.t, int32(-1), resp.Generation)
	return resp.MemberID
}

// stable makes the group a stable one with n new dynamic members; the first leads.
func (r *classicRig) stable(n int, changes ...edit[*kmsg.JoinGroupRequest]) (members []string, generation int32) {
	r.t.Helper()
	for range n {
		members = append(members, r.memberID(changes...))
	}
	var joins []*call
	for _, id := range members {
		joins = append(joins, r.join(id, changes...))
	}
	r.advance(6 * time.Second)
	generation = r.joined(joins[0]).Generation
	r.settleGeneration(members[0], generation, members)
	return members, generation
}

// settleGeneration has all members sync; each is assigned its own number.
func (r *classicRig) settleGeneration(leader string, generation int32, members []string) {
	r.t.Helper()
	assignments := map[string]string{}
	for i, id := range members {
		assignments[id] = fmt.Sprint(i)
	}
	var syncs []*call
	for _, id := range members {
		if id != leader {
			syncs = append(syncs, r.sync(id, generation, nil))
		}
	}
	syncs = append(syncs, r.sync(leader, generation, assignments))
	for _, c := range syncs {
		require.Zero(r.t, r.synced(c).ErrorCode)
	}
	require.Equal(r.t, "Stable", r.stateName())
}

func (r *classicRig) stateName() string {
	g := r.state.groups["g"]
	if g == nil {
		return "Dead"
	}
	return g.StateName()
}

func (r *classicRig) round() *classicRound { return r.state.groups["g"].(*classicGroup).round() }

func codeOf(code int16) *kerr.Error {
	if code == 0 {
		return nil
	}
	return kerr.TypedErrorForCode(code)
}

func memberIDs(resp *kmsg.JoinGroupResponse) []string {
	ids := []string{}
	for _, m := range resp.Members {
		ids = append(ids, m.MemberID)
	}
	slices.Sort(ids)
	return ids
}

// hard is the group's hard state as text, for the comparison of a state with its replayed log.
func (g *classicGroup) hard() string {
	v := g.written
	if v == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "classic %q generation %d protocol %s leader %s since %d", v.ProtocolType, v.Generation, text(v.Protocol), text(v.Leader), v.CurrentStateTimestamp)
	for _, m := range v.Members {
		fmt.Fprintf(&b, "\n  %s instance %s %s%s %d %d %x %x", m.MemberId, text(m.GroupInstanceId), m.ClientId, m.ClientHost,
			m.RebalanceTimeout, m.SessionTimeout, m.Subscription, m.Assignment)
	}
	return b.String()
}

// groupTimers are the timers of the group that are set.
func (r *classicRig) groupTimers() []coordinator.Timer {
	return slices.DeleteFunc(r.sortedTimers(), func(t coordinator.Timer) bool { return t.Group != "g" })
}

// write puts a record into the log that some other broker wrote; the state learns of it when it is loaded.
func (r *classicRig) write(key, value []byte) {
	r.log = append(r.log, logged{record: coordinator.Record{Key: key, Value: value}, at: coordinator.Position{Offset: int64(len(r.log)), ProducerID: -1}})
}
