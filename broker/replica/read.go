package replica

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/storage"
)

// Read asks for records of one partition. ReplicaID is a broker id for followers, negative for others.
type Read struct {
	Offset           int64
	MaxBytes         int
	WholeFirst       bool  // return one whole batch even if it is larger than MaxBytes
	Bound            Bound // how far the reader may see
	NeedLeader       bool
	LeaderEpoch      int32 // the epoch that the reader believes in, -1 = none
	LastFetchedEpoch int32 // epoch of the reader's last record, -1 = don't compare (KIP-595)

	ReplicaID   int32
	ReplicaLog  int64 // the follower's log start offset
	BrokerEpoch int64 // the follower's, -1 = none
	Record      bool  // remember the follower's progress: the first read of a fetch, not the ones after waiting
}

// ReadResult is what a read found. The offsets are those from before the read, so that an append in between does not
// make a caught-up follower look late. Slice must be released.
type ReadResult struct {
	Slice         storage.Slice
	HighWatermark int64
	LastStable    int64
	LogStart      int64
	LogEnd        int64
	Diverging     bool // no records: the reader's log diverged after DivergingEnd of DivergingEpoch
	DivergingAt   EpochEnd
}

// EpochEnd is a leader epoch and the first offset behind it.
type EpochEnd struct {
	Epoch int32
	End   int64
}

// Read returns records from o.Offset on, without taking a lock. Nothing to read is an empty slice.
//
// Errors: NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH (also an unknown follower),
// OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR.
func (p *Partition) Read(o *Read) (ReadResult, error) {
	st := p.state.Load()
	if err := p.check(st, o.LeaderEpoch, o.NeedLeader); err != nil {
		return ReadResult{}, err
	}
	follower := o.ReplicaID >= 0
	if follower && (o.ReplicaID == p.env.self || !slices.Contains(st.Replicas, o.ReplicaID)) {
		if o.LeaderEpoch >= 0 {
			return ReadResult{}, fmt.Errorf("broker %d is no replica of %s: %w", o.ReplicaID, p.tp, kerr.UnknownLeaderEpoch)
		}
		return ReadResult{}, kerr.NotLeaderForPartition
	}
	r := ReadResult{HighWatermark: p.log.HighWatermark(), LastStable: p.log.LastStableOffset(),
		LogStart: p.log.LogStartOffset(), LogEnd: p.log.LogEndOffset()}
	if o.LastFetchedEpoch >= 0 {
		if err := p.compareEpochs(o, &r); err != nil || r.Diverging {
			return r, err
		}
	}
	end := r.LogEnd
	switch o.Bound {
	case HighWatermark:
		end = r.HighWatermark
	case LastStable:
		end = r.LastStable
	}
	var err error
	if r.Slice, err = p.log.Read(o.Offset, o.MaxBytes, end, o.WholeFirst); err != nil {
		return r, err
	}
	if follower && o.Record {
		if err := p.recordFetch(o, r.LogEnd); err != nil {
			r.Slice.Release()
			return ReadResult{}, err
		}
	}
	return r, nil
}

// compareEpochs finds out whether the reader's log is a prefix of this one (KIP-279, KIP-595).
func (p *Partition) compareEpochs(o *Read, r *ReadResult) error {
	epoch, end := p.log.EndOffsetForEpoch(o.LastFetchedEpoch)
	switch {
	case epoch < 0 || end < 0:
		return fmt.Errorf("leader epoch %d of the last fetch is not known: %w", o.LastFetchedEpoch, kerr.OffsetOutOfRange)
	case o.Offset < r.LogStart:
		return fmt.Errorf("offset %d is below the log start %d: %w", o.Offset, r.LogStart, kerr.OffsetOutOfRange)
	case epoch < o.LastFetchedEpoch || end < o.Offset:
		r.Diverging, r.DivergingAt = true, EpochEnd{Epoch: epoch, End: end}
	}
	return nil
}

// recordFetch remembers that a follower's log ends at the offset it fetches from, and moves what depends on it.
// It holds mu for reading so that no role change falls in between (KAFKA-15221), and progressMu, which no append
// holds while it writes.
func (p *Partition) recordFetch(o *Read, leaderEnd int64) error {
	moved, err := p.recordFetchLocked(o, leaderEnd)
	if err != nil {
		return err
	}
	if moved {
		p.wake()
	}
	p.maybeExpand(o.ReplicaID)
	return nil
}

func (p *Partition) recordFetchLocked(o *Read, leaderEnd int64) (moved bool, err error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	st := p.state.Load()
	if err := p.check(st, o.LeaderEpoch, true); err != nil {
		return false, err
	}
	if b := p.env.brokers(o.ReplicaID); o.BrokerEpoch >= 0 && b.Known && b.Epoch > o.BrokerEpoch {
		return false, fmt.Errorf("broker %d fetched with epoch %d, it is at %d: %w", o.ReplicaID, o.BrokerEpoch, b.Epoch, kerr.NotLeaderForPartition)
	}
	now := p.env.now()
	p.progressMu.Lock()
	defer p.progressMu.Unlock()
	i := slices.IndexFunc(p.followers, func(f Follower) bool { return f.ID == o.ReplicaID })
	if i < 0 {
		return false, kerr.UnknownLeaderEpoch
	}
	old := p.followers[i]
	p.followers[i] = old.fetched(o.Offset, o.ReplicaLog, now, leaderEnd, o.BrokerEpoch)
	moved = old.LogStart != o.ReplicaLog // the low watermark may have moved
	if old.LogEnd != o.Offset {
		moved = p.advanceLocked(st) || moved
	}
	return moved, nil
}

// Followers is a copy of what the leader knows about its followers; empty on a follower.
func (p *Partition) Followers() []Follower {
	p.progressMu.Lock()
	defer p.progressMu.Unlock()
	return slices.Clone(p.followers)
}

// EndOfEpoch answers OffsetForLeaderEpoch: the largest epoch not above the asked one, and where it ends. Both are -1
// when there is none.
func (p *Partition) EndOfEpoch(epoch, currentLeaderEpoch int32, needLeader bool) (EpochEnd, error) {
	if err := p.check(p.state.Load(), currentLeaderEpoch, needLeader); err != nil {
		return EpochEnd{-1, -1}, err
	}
	e, end := p.log.EndOffsetForEpoch(epoch)
	if end < 0 {
		return EpochEnd{-1, -1}, nil
	}
	return EpochEnd{e, end}, nil
}

// DeleteRecords raises the log start to offset, -1 meaning the high watermark. It returns the offset that all live
// replicas must reach. The new log start is durable when it returns (robustness S5).
//
// Errors: NOT_LEADER_OR_FOLLOWER, POLICY_VIOLATION, OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR.
//
// No lock is held: the new start is fsynced. Offsets up to the high watermark may be given up in any role; who lost
// the leadership meanwhile says so.
func (p *Partition) DeleteRecords(offset int64) (required int64, err error) {
	if err := p.check(p.state.Load(), -1, true); err != nil {
		return 0, err
	}
	if p.settings.Load().compactOnly {
		return 0, fmt.Errorf("%s is compacted only: %w", p.tp, kerr.PolicyViolation)
	}
	hw := p.log.HighWatermark()
	if offset == -1 {
		offset = hw
	}
	if offset < 0 || offset > hw {
		return 0, fmt.Errorf("offset %d of %s is not in 0 to %d: %w", offset, p.tp, hw, kerr.OffsetOutOfRange)
	}
	if err := p.log.IncrementLogStartOffset(offset); err != nil {
		return 0, err
	}
	return offset, p.check(p.state.Load(), -1, true)
}

// Deleted reports whether all live replicas' logs start at required or later, and where the lowest starts.
func (p *Partition) Deleted(required int64) (done bool, low int64, err error) {
	st := p.state.Load()
	switch st.Role {
	case RoleGone:
		return true, -1, st.Err
	case RoleFollower:
		return true, -1, kerr.NotLeaderForPartition
	}
	low = p.lowWatermark()
	return low >= required, low, nil
}
