package group

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/coordinator"
)

// newMemberJoinTimeout is how long a member that never had an answer may wait in a rebalance: it can't heartbeat, and its
// client may be gone.
const newMemberJoinTimeout = 5 * time.Minute

// loadedClassic starts a group that was read from the log. More members than allowed now rebalance, so that some are left
// out and the others commit first.
func (s *State) loadedClassic(g *classicGroup, now time.Time) coordinator.Result {
	if g.written == nil || len(g.written.Members) == 0 {
		return coordinator.Result{} // there may be very many of them
	}
	reason, limit := "", int(config.GroupMaxSize.Get(s.view))
	if n := len(g.round().members); n > limit {
		reason = fmt.Sprintf("loaded with %d members, %d are allowed", n, limit)
	}
	return s.adoptClassic(g, now, reason)
}

// rebalance begins a join phase, or ends the present one if everybody is there.
func (p *classicStep) rebalance(reason string) {
	if p.g.state == statePreparing {
		p.maybeComplete()
		return
	}
	p.prepareRebalance(reason)
}

// prepareRebalance has the members join again. A first generation waits for more of them (KIP-134).
func (p *classicStep) prepareRebalance(reason string) {
	g := p.g
	if g.state == stateCompleting {
		p.forgetAssignment(kerr.RebalanceInProgress.Code)
	}
	p.stopSync()
	first := g.state == stateEmpty
	p.s.logger().Info().Str("group", g.id).Int32("generation", g.generation).Str("state", string(g.state)).Str("reason", brief(reason)).Msg("group rebalances")
	g.moveTo(statePreparing, p.now)
	switch {
	case first:
		delay := config.GroupInitialRebalanceDelayMs.Get(p.s.view)
		g.first, g.delay, g.extendable = true, delay, max(g.rebalanceTimeout()-delay, 0)
		p.waitForJoins(delay)
	case g.allJoined():
		p.completeJoin()
	default:
		g.first = false
		p.waitForJoins(g.rebalanceTimeout())
	}
}

func (p *classicStep) waitForJoins(d time.Duration) {
	p.g.joinBy = p.now.Add(d)
	p.set(timerJoin, "", p.g.joinBy)
}

// maybeComplete ends the join phase when everybody is there; that of a first generation ends by time only.
func (p *classicStep) maybeComplete() {
	if p.g.state == statePreparing && p.g.previous != stateEmpty && p.g.allJoined() {
		p.completeJoin()
	}
}

// joinExpired is the timer of the join phase.
func (p *classicStep) joinExpired() {
	g := p.g
	if g.state != statePreparing {
		return
	}
	if g.first && g.newcomer && g.extendable > 0 {
		g.newcomer = false
		next := min(config.GroupInitialRebalanceDelayMs.Get(p.s.view), g.extendable)
		g.extendable = max(g.extendable-g.delay, 0)
		g.delay = next
		p.waitForJoins(next)
		return
	}
	p.completeJoin()
}

// completeJoin ends the join phase: who is not there is out, but for static members, whose place is kept for a session.
// The generation begins; the leader is told all subscriptions.
func (p *classicStep) completeJoin() {
	g := p.g
	g.joinBy, g.first = time.Time{}, false
	p.stop(timerJoin, "")
	var gone []string
	for _, m := range g.members {
		if m.join.token == 0 && m.instance == nil {
			gone = append(gone, m.id)
		}
	}
	for _, id := range gone {
		g.remove(id)
		p.stop(timerClassicSession, id)
	}
	if len(gone) > 0 {
		p.s.logger().Info().Str("group", g.id).Strs("members", gone).Msg("members did not join in time and are removed")
	}
	if !g.electLeader() && len(g.members) > 0 {
		p.s.logger().Warn().Str("group", g.id).Msg("nobody joined: the rebalance waits for the sessions of static members")
		p.waitForJoins(g.rebalanceTimeout())
		return
	}
	g.nextGeneration(p.now)
	if g.state == stateEmpty {
		p.s.logger().Info().Str("group", g.id).Int32("generation", g.generation).Msg("group is empty")
		p.out.Records = append(p.out.Records, g.metadataRecord(func(m *classicMember) []byte { return m.assignment }))
		p.lossy = true
		return
	}
	p.s.logger().Info().Str("group", g.id).Int32("generation", g.generation).Int("members", len(g.members)).Str("protocol", *g.protocol).Msg("members joined")
	if g.mustSync == nil {
		g.mustSync = make(map[string]struct{}, len(g.members))
	}
	for _, m := range g.members {
		p.answerJoin(m, g.joined(m, m.id == g.leader))
		p.keepAlive(m)
		m.isNew = false
		g.mustSync[m.id] = struct{}{}
	}
	g.syncBy = p.now.Add(g.rebalanceTimeout())
	p.set(timerSync, "", g.syncBy)
}

// joined is the answer to a join of the present generation.
func (g *classicRound) joined(m *classicMember, withMembers bool) *kmsg.JoinGroupResponse {
	resp := &kmsg.JoinGroupResponse{MemberID: m.id, Generation: g.generation, Protocol: g.protocol, LeaderID: g.leader}
	if g.protocolType != "" {
		resp.ProtocolType = &g.protocolType
	}
	if withMembers {
		resp.Members = make([]kmsg.JoinGroupResponseMember, len(g.members))
		for i, o := range g.members {
			resp.Members[i] = kmsg.JoinGroupResponseMember{MemberID: o.id, InstanceID: o.instance, ProtocolMetadata: o.metadata(g.protocol)}
		}
	}
	return resp
}

// stopSync ends the waiting for syncs.
func (p *classicStep) stopSync() {
	if p.g.syncBy.IsZero() {
		return
	}
	clear(p.g.mustSync)
	p.g.syncBy = time.Time{}
	p.stop(timerSync, "")
}

// synced notes that a member has synced; when all have, nobody is waited for.
func (p *classicStep) synced(m *classicMember) {
	delete(p.g.mustSync, m.id)
	if len(p.g.mustSync) == 0 {
		p.stopSync()
	}
}

// syncExpired removes the members that joined the generation and did not sync within the rebalance timeout (KAFKA-12890).
func (p *classicStep) syncExpired() {
	g := p.g
	if g.state != stateCompleting && g.state != stateStable || len(g.mustSync) == 0 {
		return
	}
	late := sortedKeys(g.mustSync)
	for _, id := range late {
		g.remove(id)
		p.stop(timerClassicSession, id)
	}
	p.prepareRebalance(fmt.Sprintf("%q did not sync in time", late))
}

// sessionExpired removes a member that was not heard of. One whose request is parked is alive, unless it is new.
func (p *classicStep) sessionExpired(id string) {
	m := p.g.byID[id]
	if m == nil || !m.isNew && (m.join.token != 0 || m.sync.token != 0) {
		return
	}
	p.s.logger().Info().Str("group", p.g.id).Str("member", id).Msg("member expired")
	p.dropMember(m)
	switch p.g.state {
	case stateStable, stateCompleting:
		p.prepareRebalance("member " + id + " expired")
	case statePreparing:
		if p.g.allJoined() {
			p.completeJoin()
		}
	}
}

// pendingExpired forgets a member id that nobody joined with.
func (p *classicStep) pendingExpired(id string) {
	if _, ok := p.g.pending[id]; !ok {
		return
	}
	delete(p.g.pending, id)
	if p.g.state == statePreparing && p.g.allJoined() {
		p.completeJoin()
	}
}

// expiredClassic is a timer of a classic group, or of a classic member of a consumer group.
func (s *State) expiredClassic(t coordinator.Timer, now time.Time) coordinator.Result {
	switch g := s.groups[t.Group].(type) {
	case *consumerGroup:
		if t.Kind == timerClassicSession {
			return s.expiredConsumer(t, now)
		}
	case *classicGroup:
		p := s.classicStep(g.round(), now)
		switch t.Kind {
		case timerJoin:
			p.joinExpired()
		case timerSync:
			p.syncExpired()
		case timerPendingMember:
			p.pendingExpired(t.Member)
			g.rest()
		case timerClassicSession:
			p.sessionExpired(t.Member)
		}
		return p.result(0, nil)
	}
	return coordinator.Result{}
}

// brief keeps what clients say from filling the log.
func brief(reason string) string { return reason[:min(len(reason), 255)] }
