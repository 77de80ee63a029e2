package group

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
)

// BenchmarkClassicRound is one rebalance of a group of 50 members and 100 partitions: all join, all sync. It counts what
// the coordinator decides and encodes, without its log.
func BenchmarkClassicRound(b *testing.B) {
	const members, partitions = 50, 100
	r := newRig(b, nil)
	s, token := r.state, coordinator.Token(0)
	by := Caller{ClientID: "app", Host: "/127.0.0.1"}
	answered := 0
	settle := func(res coordinator.Result) {
		answered += len(res.Replies)
		if res.Then != nil {
			answered += len(res.Then().Replies)
		}
	}
	turn := func() coordinator.Turn {
		token++
		return coordinator.Turn{Token: token, Now: r.now}
	}
	g := newRound("g", r.now)
	s.groups["g"] = &classicGroup{id: "g", soft: g}
	joins := make([]*kmsg.JoinGroupRequest, members)
	for i := range joins {
		joins[i] = joinRequest("", as(3), speaks("range", "cooperative-sticky"))
		settle(s.join(turn(), by, joins[i]))
	}
	settle(s.Expired(coordinator.Timer{Kind: timerJoin, Group: "g"}, r.now))
	settle(s.Expired(coordinator.Timer{Kind: timerJoin, Group: "g"}, r.now))
	syncs := make([]*kmsg.SyncGroupRequest, members)
	for i, m := range g.members {
		joins[i].MemberID, joins[i].Version = m.id, 9
		consumer := "consumer"
		syncs[i] = &kmsg.SyncGroupRequest{Version: 5, Group: "g", MemberID: m.id, ProtocolType: &consumer}
	}
	for i, m := range g.members {
		a := kmsg.ConsumerMemberAssignment{Topics: []kmsg.ConsumerMemberAssignmentTopic{{Topic: "t", Partitions: []int32{int32(i), int32(i + partitions/2)}}}}
		syncs[0].GroupAssignment = append(syncs[0].GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: m.id, MemberAssignment: a.AppendTo(nil)})
	}
	round := func() {
		answered = 0
		for _, req := range joins {
			settle(s.join(turn(), by, req))
		}
		for i := members - 1; i >= 0; i-- {
			syncs[i].Generation = g.generation
			settle(s.sync(turn(), by, syncs[i]))
		}
	}
	round()
	if answered != 2*members || g.state != stateStable {
		b.Fatal(fmt.Sprint(answered, " answers, ", g.state))
	}
	b.ReportAllocs()
	for b.Loop() {
		round()
	}
}

// BenchmarkClassicHeartbeat is one heartbeat of a member of such a group.
func BenchmarkClassicHeartbeat(b *testing.B) {
	r := newRig(b, nil)
	g := newRound("g", r.now)
	g.add(&classicMember{id: "m", sessionMillis: 10_000})
	g.state, g.generation = stateStable, 1
	r.state.groups["g"] = &classicGroup{id: "g", soft: g}
	req := &kmsg.HeartbeatRequest{Version: 4, Group: "g", MemberID: "m", Generation: 1}
	b.ReportAllocs()
	for b.Loop() {
		r.state.heartbeat(coordinator.Turn{Token: 1, Now: r.now}, Caller{}, req)
	}
}
