package replica

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol"
)

// AlterPartition takes ISR changes to the controller (KIP-497). Propose must not block: it is called from fetches and
// from the shrink check. It reports whether the change was taken; if so, Partition.Altered is called later, once,
// from any goroutine, with the outcome.
type AlterPartition interface {
	Propose(p *Partition, change ISRChange) bool
}

// ISRChange is what a leader asks the controller to commit: compare-and-set on the partition epoch.
type ISRChange struct {
	Topic          protocol.TopicPartition
	TopicID        protocol.UUID
	LeaderEpoch    int32
	PartitionEpoch int32
	ISR            []ISRMember
}

// ISRMember carries the broker epoch at which the leader knows the replica (KIP-903); -1 for the leader itself and
// for a follower whose fetches carry none.
type ISRMember struct {
	ID          int32
	BrokerEpoch int64
}

// eligible reports whether a replica may join the ISR: its broker is live, is not shutting down, and has fetched
// with the epoch at which it is registered now. A restarted broker's old fetches don't count (KAFKA-14139, 15221).
func (p *Partition) eligible(f Follower) bool {
	if f.BrokerEpoch == unknownEpoch {
		return false
	}
	b := p.env.brokers(f.ID)
	return b.Known && !b.Fenced && !b.ShuttingDown && (f.BrokerEpoch == -1 || f.BrokerEpoch == b.Epoch)
}

// maybeExpand proposes follower id for the ISR when it has caught up.
func (p *Partition) maybeExpand(id int32) {
	if p.env.alter == nil {
		return
	}
	st := p.state.Load()
	if st.Role != RoleLeader || st.Pending || slices.Contains(st.ISR, id) {
		return
	}
	p.propose(func(st *State) (isr, maximal []int32) {
		if slices.Contains(st.ISR, id) {
			return nil, nil
		}
		i := slices.IndexFunc(p.followers, func(f Follower) bool { return f.ID == id })
		if i < 0 || !p.eligible(p.followers[i]) || !mayJoin(p.followers[i], p.log.HighWatermark(), st.EpochStart) {
			return nil, nil
		}
		isr = append(slices.Clone(st.ISR), id)
		return isr, isr
	})
}

// MaybeShrink proposes an ISR without the followers that have lagged for too long. The broker calls it every half
// replica.lag.time.max.ms on the partitions it leads. The members leave the maximal ISR only when that is committed.
func (p *Partition) MaybeShrink() {
	if p.env.alter == nil {
		return
	}
	st := p.state.Load()
	if st.Role != RoleLeader || st.Pending || len(st.ISR) < 2 {
		return
	}
	p.propose(func(st *State) (isr, maximal []int32) {
		out := outOfSync(st.ISR, p.env.self, p.log.LogEndOffset(), p.followers, p.env.now(), p.env.maxLag)
		if len(out) == 0 {
			return nil, nil
		}
		isr = slices.DeleteFunc(slices.Clone(st.ISR), func(id int32) bool { return slices.Contains(out, id) })
		return isr, st.ISR
	})
}

// propose decides under the locks and hands the change over outside of them. It looks first without holding appends
// up: the fetches of a follower that is far behind come often.
func (p *Partition) propose(decide func(*State) (isr, maximal []int32)) {
	if !p.glance(decide) {
		return
	}
	var change ISRChange
	_ = p.changeLocked(func() error {
		st := p.state.Load()
		if st.Role != RoleLeader || st.Pending {
			return nil
		}
		p.progressMu.Lock()
		defer p.progressMu.Unlock()
		isr, maximal := decide(st)
		if isr == nil {
			return nil
		}
		next := *st
		next.Pending, next.MaximalISR = true, maximal
		p.state.Store(&next)
		change = ISRChange{Topic: p.tp, TopicID: p.topicID, LeaderEpoch: st.LeaderEpoch, PartitionEpoch: st.PartitionEpoch, ISR: p.members(isr)}
		return nil
	})
	if change.ISR != nil && !p.env.alter.Propose(p, change) {
		p.Altered(change, AlterOutcome{Err: kerr.OperationNotAttempted})
	}
}

func (p *Partition) glance(decide func(*State) (isr, maximal []int32)) bool {
	p.progressMu.Lock()
	defer p.progressMu.Unlock()
	isr, _ := decide(p.state.Load())
	return isr != nil
}

func (p *Partition) members(isr []int32) []ISRMember {
	out := make([]ISRMember, 0, len(isr))
	for _, id := range isr {
		m := ISRMember{ID: id, BrokerEpoch: -1}
		for _, f := range p.followers {
			if f.ID == id && f.BrokerEpoch != unknownEpoch {
				m.BrokerEpoch = f.BrokerEpoch
			}
		}
		out = append(out, m)
	}
	return out
}

// AlterOutcome is the controller's answer to a change: Err, or the state that is committed now.
type AlterOutcome struct {
	Err            error
	Leader         int32
	LeaderEpoch    int32
	PartitionEpoch int32
	ISR            []int32
}

// Altered settles a proposed change. A refusal puts the committed ISR back, a success moves to the new one; an
// outcome for a state that is no longer current is dropped. Nothing is lost by dropping: the image brings the truth.
func (p *Partition) Altered(change ISRChange, o AlterOutcome) {
	_ = p.changeLocked(func() error {
		st := p.state.Load()
		if !st.Pending || st.Role != RoleLeader || st.LeaderEpoch != change.LeaderEpoch || st.PartitionEpoch != change.PartitionEpoch {
			return nil
		}
		next := *st
		next.Pending, next.MaximalISR = false, st.ISR
		if o.Err == nil && o.LeaderEpoch == st.LeaderEpoch && o.PartitionEpoch >= st.PartitionEpoch {
			next.PartitionEpoch, next.ISR, next.MaximalISR = o.PartitionEpoch, o.ISR, o.ISR
		}
		p.state.Store(&next)
		p.progressMu.Lock()
		defer p.progressMu.Unlock()
		p.advanceLocked(&next) // KAFKA-13091: a shrink alone may complete acks=all
		return nil
	})
	p.wake()
}
