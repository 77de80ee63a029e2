package group

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/protocol"
)

// refusal is an error code with a message for the client; "" leaves the message out.
type refusal struct {
	code    *kerr.Error
	message string
}

func (r refusal) Error() string { return r.code.Message + ": " + r.message }
func (r refusal) Unwrap() error { return r.code }

// refused is the code and the message of an error.
func refused(err error) (code int16, message *string) {
	if r, ok := errors.AsType[refusal](err); ok && r.message != "" && r.code != kerr.UnknownServerError {
		message = &r.message
	}
	return protocol.CodeOf(err), message
}

// consumerDecision gathers what one request or timer wants of a consumer group. Nothing of it is done until result is
// carried out: a refused append leaves no trace.
type consumerDecision struct {
	s       *State
	g       *consumerGroup // what records are decided for; not yet in State.groups when the group is new
	now     time.Time
	records []coordinator.Record
	timers  []coordinator.Set
	then    []func(g *consumerGroup)
	more    coordinator.Result // of other kinds of groups
}

func (s *State) decide(g *consumerGroup, now time.Time) *consumerDecision {
	return &consumerDecision{s: s, g: g, now: now}
}

func (d *consumerDecision) write(records ...coordinator.Record) {
	d.records = append(d.records, records...)
}

// soft changes soft state of the group once the records are replayed.
func (d *consumerDecision) soft(change func(g *consumerGroup)) { d.then = append(d.then, change) }

// deadline changes the deadlines of a member.
func (d *consumerDecision) deadline(member string, change func(*memberDeadlines)) {
	d.soft(func(g *consumerGroup) {
		m := g.deadlines[member]
		if m == nil {
			m = &memberDeadlines{}
			g.deadlines[member] = m
		}
		if change(m); *m == (memberDeadlines{}) {
			delete(g.deadlines, member)
		}
	})
}

// result is all of it, with an answer for the request that asks; nil answers nobody.
func (d *consumerDecision) result(token coordinator.Token, resp kmsg.Response) coordinator.Result {
	r := coordinator.Result{Records: d.records, Timers: d.timers}
	if resp != nil {
		r.Replies = []coordinator.Reply{{Token: token, Response: resp}}
	}
	if len(d.then) > 0 {
		id, then := d.g.id, d.then
		s := d.s
		r.Then = func() coordinator.Result {
			if g := s.consumer(id); g != nil {
				for _, change := range then {
					change(g)
				}
			}
			return coordinator.Result{}
		}
	}
	return r.And(d.more)
}

// session starts a member's session anew.
func (d *consumerDecision) session(member string, timeout time.Duration) {
	d.timers = append(d.timers, at(timerConsumerSession, d.g.id, member, d.now.Add(timeout)))
}

// revokeBy gives a member that must give partitions up its rebalance timeout.
func (d *consumerDecision) revokeBy(m *consumerMember) {
	when, epoch := d.now.Add(millis(m.rebalanceMs)), m.epoch
	d.timers = append(d.timers, at(timerConsumerRebalance, d.g.id, m.id, when))
	d.deadline(m.id, func(l *memberDeadlines) { l.revokeBy, l.revokeEpoch = when, epoch })
}

func (d *consumerDecision) revoked(member string) {
	d.timers = append(d.timers, stop(timerConsumerRebalance, d.g.id, member))
	d.deadline(member, func(l *memberDeadlines) { l.revokeBy, l.revokeEpoch = time.Time{}, 0 })
}

// forget stops all timers of a member that goes.
func (d *consumerDecision) forget(member string) {
	for _, kind := range []uint8{timerConsumerSession, timerConsumerRebalance, timerClassicJoin, timerClassicSync} {
		d.timers = append(d.timers, stop(kind, d.g.id, member))
	}
	d.deadline(member, func(l *memberDeadlines) { *l = memberDeadlines{} })
}

// millis is a timeout of the protocol; a negative one has passed at once.
func millis(ms int32) time.Duration { return time.Duration(max(ms, 0)) * time.Millisecond }

// groupView is the configuration of a group.
func (s *State) groupView(id string) config.View {
	return config.GroupView(s.view, s.image.Configs.Group(id))
}

func (s *State) consumerSession(id string) time.Duration {
	return config.ConsumerSessionTimeoutMs.Get(s.groupView(id))
}
