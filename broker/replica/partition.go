package replica

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/storage"
)

// Role is what this broker is to a partition.
type Role uint8

const (
	RoleFollower Role = iota
	RoleLeader
	RoleGone // deleted, reassigned away, or its log directory is offline: State.Err says which
)

// State is a partition's role with everything that changes with it. It is immutable.
type State struct {
	Role           Role
	Leader         int32 // broker id, -1 = none
	LeaderEpoch    int32
	PartitionEpoch int32 // what AlterPartition compares and sets
	EpochStart     int64 // first offset of LeaderEpoch; leaders only
	Replicas       []int32
	ISR            []int32 // committed
	MaximalISR     []int32 // ISR, and what a proposed change would add
	Adding         []int32
	Removing       []int32
	Pending        bool   // an ISR change is on its way to the controller
	Term           uint64 // grows whenever the partition stops leading: offsets of an older term may have been cut
	Err            error  // RoleGone: what to answer
}

// settings are the topic configs that a partition needs itself; the log has its own.
type settings struct {
	minISR      int
	compactOnly bool // cleanup.policy without delete: DeleteRecords is refused
}

// Partition is one hosted replica. See the package comment for its locks.
type Partition struct {
	tp      protocol.TopicPartition
	topicID protocol.UUID
	log     *storage.Log // nil only in RoleGone
	env     *environment

	state    atomic.Pointer[State]
	settings atomic.Pointer[settings]
	waiters  waiters

	mu sync.RWMutex // guards changes of state: an append holds it for reading, a change for writing

	progressMu sync.Mutex
	followers  []Follower // of a leader, one per remote replica, in the order of Replicas
}

// environment is what all partitions of a broker share.
type environment struct {
	self    int32
	now     func() int64 // Real clock, milliseconds
	maxLag  int64        // replica.lag.time.max.ms
	brokers func(id int32) BrokerState
	alter   AlterPartition // nil = ISR changes are not proposed yet
}

// BrokerState is what the image says about another broker.
type BrokerState struct {
	Known        bool // registered
	Fenced       bool
	ShuttingDown bool
	Epoch        int64
}

func newPartition(tp protocol.TopicPartition, topicID protocol.UUID, log *storage.Log, env *environment) *Partition {
	p := &Partition{tp: tp, topicID: topicID, log: log, env: env}
	p.state.Store(&unknownState)
	p.settings.Store(&defaultSettings)
	return p
}

// What a partition is before the image has said anything. Never changed.
var (
	unknownState    = State{Role: RoleFollower, Leader: -1, LeaderEpoch: -1, PartitionEpoch: -1}
	defaultSettings = settings{minISR: 1}
)

// gonePartition stands for a replica that can't be served, to answer err.
func gonePartition(tp protocol.TopicPartition, topicID protocol.UUID, env *environment, err error) *Partition {
	p := newPartition(tp, topicID, nil, env)
	p.state.Store(&State{Role: RoleGone, Leader: -1, LeaderEpoch: -1, PartitionEpoch: -1, Err: err})
	return p
}

// TopicPartition is the partition's name and index, TopicID its identity.
func (p *Partition) TopicPartition() protocol.TopicPartition { return p.tp }
func (p *Partition) TopicID() protocol.UUID                  { return p.topicID }

// State is the current role. It stays true only as long as nobody changes it.
func (p *Partition) State() *State { return p.state.Load() }

// Log is the partition's log, nil when its directory is offline. Appending to it directly would bypass the
// partition's rules: coordinators and handlers use Append.
func (p *Partition) Log() *storage.Log { return p.log }

// Offset is the current value of a bound; -1 when the partition has no log.
func (p *Partition) Offset(b Bound) int64 {
	switch {
	case p.log == nil:
		return unknownOffset
	case b == HighWatermark:
		return p.log.HighWatermark()
	case b == LastStable:
		return p.log.LastStableOffset()
	case b == LowWatermark:
		return p.lowWatermark()
	}
	return p.log.LogEndOffset()
}

// LogStart is the log start offset; -1 when the partition has no log.
func (p *Partition) LogStart() int64 {
	if p.log == nil {
		return unknownOffset
	}
	return p.log.LogStartOffset()
}

// NewWatch makes a watch of this partition for wake. It fires only after Arm.
func (p *Partition) NewWatch(wake *Wake, bound Bound, owner any) *Watch {
	return &Watch{Owner: owner, wake: wake, list: &p.waiters, bound: bound}
}

// becomeLeader takes the leadership that the image gives. An older partition epoch than the known one is ignored:
// the answer to an AlterPartition may have come first.
func (p *Partition) becomeLeader(r registration) error {
	err := p.changeLocked(func() error {
		old := p.state.Load()
		if old.Role == RoleGone || r.partitionEpoch < old.PartitionEpoch {
			return nil
		}
		now := p.env.now()
		st := r.state(old)
		st.Role, st.EpochStart = RoleLeader, old.EpochStart
		newEpoch, newLeader := r.leaderEpoch > old.LeaderEpoch, old.Role != RoleLeader
		if newEpoch || newLeader {
			st.EpochStart = p.log.LogEndOffset()
			if err := p.log.AssignEpochStart(r.leaderEpoch, st.EpochStart); err != nil {
				return err
			}
		}
		p.progressMu.Lock()
		defer p.progressMu.Unlock()
		p.followers = keepFollowers(p.followers, r.replicas, p.env.self)
		if newEpoch || newLeader {
			for i, f := range p.followers {
				p.followers[i] = f.newEpoch(now, st.EpochStart, newLeader, slices.Contains(r.isr, f.ID))
			}
		}
		p.state.Store(st)
		p.advanceLocked(st)
		return nil
	})
	p.waiters.notify(everything)
	return err
}

// becomeFollower gives leadership up, or follows another leader or epoch.
func (p *Partition) becomeFollower(r registration) {
	_ = p.changeLocked(func() error {
		old := p.state.Load()
		if old.Role == RoleGone || r.partitionEpoch < old.PartitionEpoch {
			return nil
		}
		st := r.state(old)
		if old.Role == RoleLeader {
			st.Term++
		}
		p.progressMu.Lock()
		p.followers = nil
		p.progressMu.Unlock()
		p.state.Store(st)
		return nil
	})
	p.waiters.notify(everything)
}

// stop ends serving for good: everybody who waits is woken and gets err.
func (p *Partition) stop(err error) {
	_ = p.changeLocked(func() error {
		st := *p.state.Load()
		if st.Role == RoleGone {
			return nil
		}
		st.Role, st.Err, st.Pending = RoleGone, err, false
		st.Term++
		p.state.Store(&st)
		return nil
	})
	p.waiters.notify(everything)
}

func (p *Partition) changeLocked(change func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return change()
}

// registration is the image's word about a partition.
type registration struct {
	replicas, isr, adding, removing     []int32
	leader, leaderEpoch, partitionEpoch int32
}

// state starts from the old state's term; a pending ISR change is settled by whatever the image says.
func (r registration) state(old *State) *State {
	return &State{Role: RoleFollower, Leader: r.leader, LeaderEpoch: r.leaderEpoch, PartitionEpoch: r.partitionEpoch,
		Replicas: r.replicas, ISR: r.isr, MaximalISR: r.isr, Adding: r.adding, Removing: r.removing, Term: old.Term}
}

// keepFollowers is the followers for a new assignment: known ones as they are, new ones empty.
func keepFollowers(known []Follower, replicas []int32, self int32) []Follower {
	if len(replicas) == 1 && replicas[0] == self {
		return nil
	}
	out := make([]Follower, 0, len(replicas))
	for _, id := range replicas {
		if id == self {
			continue
		}
		if i := slices.IndexFunc(known, func(f Follower) bool { return f.ID == id }); i >= 0 {
			out = append(out, known[i])
		} else {
			out = append(out, newFollower(id))
		}
	}
	return out
}

// check compares the leader epoch that a client believes in (-1 = none) and asks for leadership if the caller needs
// it (KIP-320).
func (p *Partition) check(st *State, leaderEpoch int32, needLeader bool) error {
	switch {
	case st.Role == RoleGone:
		return st.Err
	case leaderEpoch != -1 && leaderEpoch < st.LeaderEpoch:
		return fmt.Errorf("%s is at leader epoch %d, not %d: %w", p.tp, st.LeaderEpoch, leaderEpoch, kerr.FencedLeaderEpoch)
	case leaderEpoch > st.LeaderEpoch:
		return fmt.Errorf("%s is at leader epoch %d, not %d: %w", p.tp, st.LeaderEpoch, leaderEpoch, kerr.UnknownLeaderEpoch)
	case needLeader && st.Role != RoleLeader:
		return kerr.NotLeaderForPartition
	}
	return nil
}

// advanceLocked moves the high watermark as far as the followers allow, and reports whether it moved.
// The caller holds mu in either way, and progressMu.
func (p *Partition) advanceLocked(st *State) bool {
	if st.Role != RoleLeader || len(st.ISR) < effectiveMinISR(p.settings.Load().minISR, len(st.Replicas)) {
		return false
	}
	var now int64
	if len(p.followers) > 0 {
		now = p.env.now()
	}
	return p.log.UpdateHighWatermark(highWatermark(p.log.LogEndOffset(), p.followers, st.MaximalISR, now, p.env.maxLag, p.eligible))
}

// wake tells the waiters where the bounds are now.
func (p *Partition) wake() {
	if p.waiters.count.Load() == 0 {
		return
	}
	p.waiters.notify(bounds{LogEnd: p.log.LogEndOffset(), HighWatermark: p.log.HighWatermark(),
		LastStable: p.log.LastStableOffset(), LowWatermark: p.lowWatermark()})
}

func (p *Partition) lowWatermark() int64 {
	p.progressMu.Lock()
	defer p.progressMu.Unlock()
	return lowWatermark(p.log.LogStartOffset(), p.followers, func(id int32) bool {
		b := p.env.brokers(id)
		return b.Known && !b.Fenced
	})
}

// configure takes changed settings; a lowered min.insync.replicas may let the high watermark move.
func (p *Partition) configure(s *settings) {
	p.settings.Store(s)
	p.recheck()
}

// recheck moves the high watermark after something else than an append or a fetch changed.
func (p *Partition) recheck() {
	if p.recheckLocked() {
		p.wake()
	}
}

func (p *Partition) recheckLocked() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	st := p.state.Load()
	if st.Role != RoleLeader {
		return false
	}
	p.progressMu.Lock()
	defer p.progressMu.Unlock()
	p.advanceLocked(st)
	return true
}
