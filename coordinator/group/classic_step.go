package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/protocol"
)

// classicStep is one decision about one classic group: it moves the round and gathers what that wants of the shard.
type classicStep struct {
	s   *State
	g   *classicRound
	now time.Time
	out coordinator.Result

	// lossy says that the records only make the log follow a round that has moved already: when they are refused,
	// everything else is done nevertheless.
	lossy bool
}

func (s *State) classicStep(g *classicRound, now time.Time) *classicStep {
	return &classicStep{s: s, g: g, now: now}
}

// answer replies to the request that asks; t.Token zero is none.
func (p *classicStep) answer(token coordinator.Token, resp kmsg.Response) {
	p.out.Replies = append(p.out.Replies, coordinator.Reply{Token: token, Response: resp})
}

// result is what the step wants. refused makes the answer to the asker when the records of a lossy step are not taken; nil
// when nobody asks.
func (p *classicStep) result(asker coordinator.Token, refused func(code int16) kmsg.Response) coordinator.Result {
	if p.lossy {
		out := p.out
		p.out.Refused = func(err error) coordinator.Result {
			p.s.logger().Warn().Err(err).Str("group", p.g.id).Msg("the record of an empty group was refused")
			kept := coordinator.Result{Timers: out.Timers}
			for _, r := range out.Replies {
				if r.Token == asker && refused != nil {
					r.Response = refused(protocol.CodeOf(err))
				}
				kept.Replies = append(kept.Replies, r)
			}
			return kept
		}
	}
	return p.out
}

func (p *classicStep) set(kind uint8, member string, when time.Time) {
	p.out.Timers = append(p.out.Timers, at(kind, p.g.id, member, when))
}

func (p *classicStep) stop(kind uint8, member string) {
	p.out.Timers = append(p.out.Timers, stop(kind, p.g.id, member))
}

// keepAlive begins the member's session anew.
func (p *classicStep) keepAlive(m *classicMember) { p.expireIn(m, millis(m.sessionMillis)) }

func (p *classicStep) expireIn(m *classicMember, d time.Duration) {
	m.expires = p.now.Add(d)
	p.set(timerClassicSession, m.id, m.expires)
}

// answerJoin gives a parked join its answer.
func (p *classicStep) answerJoin(m *classicMember, resp *kmsg.JoinGroupResponse) {
	if m.join.token == 0 {
		return
	}
	resp.Version = m.join.version
	p.answer(m.join.token, resp)
	p.g.setJoin(m, parked{})
}

// answerSync gives a parked sync its answer, and reports whether there was one.
func (p *classicStep) answerSync(m *classicMember, resp *kmsg.SyncGroupResponse) bool {
	if m.sync.token == 0 {
		return false
	}
	resp.Version = m.sync.version
	p.answer(m.sync.token, resp)
	m.sync = parked{}
	return true
}

// dropMember takes out a member that is gone; what it has parked is told so, that a live client comes again.
func (p *classicStep) dropMember(m *classicMember) {
	p.stop(timerClassicSession, m.id)
	p.answerJoin(m, joinRefusal("", kerr.UnknownMemberID.Code))
	p.answerSync(m, &kmsg.SyncGroupResponse{ErrorCode: kerr.UnknownMemberID.Code})
	p.g.remove(m.id)
}

// dismissClassic ends a classic group that becomes another kind of group: parked requests are told code, timers stop.
func (s *State) dismissClassic(g *classicGroup, code int16, now time.Time) coordinator.Result {
	p := s.classicStep(g.round(), now)
	for _, m := range p.g.members {
		p.answerJoin(m, joinRefusal(m.id, code))
		p.answerSync(m, &kmsg.SyncGroupResponse{ErrorCode: code})
		p.stop(timerClassicSession, m.id)
	}
	for _, id := range sortedKeys(p.g.pending) {
		p.stop(timerPendingMember, id)
	}
	p.stop(timerJoin, "")
	p.stop(timerSync, "")
	return p.out
}

// adoptClassic starts a classic group that records have made: from the log, or from a group of another kind. Its members'
// sessions begin. reason, if not empty, has them rebalance at once.
func (s *State) adoptClassic(g *classicGroup, now time.Time, reason string) coordinator.Result {
	p := s.classicStep(g.round(), now)
	for _, m := range p.g.members {
		p.keepAlive(m)
	}
	if reason != "" {
		p.prepareRebalance(reason)
	}
	return p.result(0, nil)
}
