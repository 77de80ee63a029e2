package group

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/metadata"
)

// consumerLeave is a heartbeat with epoch -1, or -2 of a static member that will be back.
func (s *State) consumerLeave(t coordinator.Turn, _ Caller, req *kmsg.ConsumerGroupHeartbeatRequest) (coordinator.Result, error) {
	g := s.consumer(req.Group)
	switch {
	case g != nil:
	case s.groups[req.Group] == nil:
		return coordinator.Result{}, refusal{kerr.GroupIDNotFound, fmt.Sprintf("Group %s not found.", req.Group)}
	default:
		return coordinator.Result{}, refusal{kerr.GroupIDNotFound, fmt.Sprintf("Group %s is not a consumer group.", req.Group)}
	}
	resp := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	resp.MemberID, resp.MemberEpoch = &req.MemberID, req.MemberEpoch
	d := s.decide(g, t.Now)
	m := g.members[req.MemberID]
	if req.InstanceID == nil {
		if m == nil {
			return coordinator.Result{}, refusal{kerr.UnknownMemberID, fmt.Sprintf("Member %s is not a member of group %s.", req.MemberID, g.id)}
		}
	} else {
		m = g.static(req.InstanceID)
		if err := checkInstance(m, req.MemberID, *req.InstanceID); err != nil {
			return coordinator.Result{}, err
		}
		if req.MemberEpoch == epochLeaveStatic {
			// What it had stays its own until its session ends or its instance comes back, which then has it from epoch 0 on.
			next := *m
			next.epoch, next.revoking, next.assigned = epochLeaveStatic, nil, m.assigned.sinceZero()
			d.write(currentRecord(g.id, &next))
			return d.result(t.Token, resp), nil
		}
	}
	if err := d.fence(m); err != nil {
		return coordinator.Result{}, err
	}
	return d.result(t.Token, resp), nil
}

// sinceZero is the same partitions, all assigned in epoch 0.
func (h holding) sinceZero() (zero holding) {
	for _, t := range h {
		for _, p := range t.partitions {
			zero = zero.add(t.topic, p, 0)
		}
	}
	return zero
}

// fence removes members, and raises the group epoch so that others get what they had. When only members of the classic
// protocol are left the group becomes a classic one (KIP-848, online downgrade).
func (d *consumerDecision) fence(members ...*consumerMember) error {
	if len(members) == 0 {
		return nil
	}
	g := d.g
	if d.s.downgrades(g, members) {
		return d.downgrade(members, nil, fmt.Sprintf("group %s becomes a classic group as its last consumer protocol member leaves", g.id))
	}
	topics := map[string]subscriberCount{}
	for name, c := range g.topics {
		topics[name] = c
	}
	gone := map[string]int{}
	for _, m := range members {
		d.write(removal(g.id, m.id)...)
		for _, name := range m.topics {
			change(topics, name, -1, 0)
		}
		if p := m.pattern(); p != "" {
			gone[p]++
		}
	}
	for _, p := range sortedKeys(gone) {
		if g.patterns[p] == gone[p] {
			d.write(regexTombstone(g.id, p))
			g.uncount(topics, p)
		}
	}
	epoch := g.epoch + 1
	d.write(groupEpochRecord(g.id, epoch, d.s.metadataHash(topics)))
	if len(members) == len(g.members) {
		d.write(targetEpochRecord(g.id, epoch, 0)) // nobody is left to assign to: the empty assignment is up to date
	}
	for _, m := range members {
		d.forget(m.id)
	}
	return nil
}

// expiredConsumer is a member that was silent or slow for too long.
func (s *State) expiredConsumer(t coordinator.Timer, now time.Time) coordinator.Result {
	g := s.consumer(t.Group)
	if g == nil {
		return coordinator.Result{}
	}
	if t.Kind == timerRegexRefresh {
		return s.resolveRegexes(g, now)
	}
	m, l := g.members[t.Member], g.deadlines[t.Member]
	if m == nil {
		return coordinator.Result{}
	}
	why := "the member session expired"
	switch t.Kind {
	case timerConsumerRebalance:
		if l == nil || m.epoch != l.revokeEpoch {
			return coordinator.Result{}
		}
		why = "it kept partitions that it had to give up"
	case timerClassicJoin:
		why = "the classic member failed to join within the rebalance timeout"
	case timerClassicSync:
		why = "the member failed to sync within timeout"
	}
	d := s.decide(g, now)
	again := func(err error) coordinator.Result {
		s.logger().Warn().Err(err).Str("group", t.Group).Str("member", t.Member).Msg("member can't be removed yet: " + why)
		return coordinator.Result{Timers: []coordinator.Set{{Timer: t, At: now.Add(fenceAgain)}}}
	}
	if err := d.fence(m); err != nil {
		return again(err)
	}
	s.logger().Info().Str("group", g.id).Str("member", m.id).Msg("member fenced: " + why)
	r := d.result(0, nil)
	r.Refused = again
	return r
}

// fenceAgain is when a member is fenced that could not be: nobody else would ever take its partitions from it.
const fenceAgain = 500 * time.Millisecond

// loadedConsumer starts the sessions of a group that was loaded.
func (s *State) loadedConsumer(g *consumerGroup, now time.Time) coordinator.Result {
	d := s.decide(g, now)
	for _, id := range sortedKeys(g.members) {
		d.session(id, s.consumerSession(g.id))
		if m := g.members[id]; m.state == memberUnrevoked {
			d.revokeBy(m)
		}
	}
	return d.result(0, nil)
}

// imageForConsumers has groups look again at the topics that changed.
func (s *State) imageForConsumers(delta *metadata.Delta, _ time.Time) coordinator.Result {
	for _, c := range delta.Topics().Changes() {
		name := c.Name()
		delete(s.topicHashes, name)
		for _, g := range s.topicIndex[name] {
			g.refreshAt, g.refreshEpoch = 0, 0
		}
		if c.Before == nil {
			s.newTopicsAt = s.image.Offset
		}
	}
	return coordinator.Result{}
}
