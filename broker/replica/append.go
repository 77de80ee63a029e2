package replica

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/storage"
)

// Acks of a produce request.
const (
	AcksNone   int16 = 0
	AcksLeader int16 = 1
	AcksAll    int16 = -1
)

// Appended is what an append did, and what an acks=all producer still waits for.
type Appended struct {
	storage.AppendInfo
	term uint64
}

// Required is the high watermark at which the append is on every replica of the ISR. For a duplicate it is that of
// the batch that was stored the first time.
func (a Appended) Required() int64 { return a.LastOffset + 1 }

// Append writes records as the leader: the wire bytes of one batch of a client, or several of a coordinator. Offsets
// and leader epoch are patched in place, so records must not be used by anyone else meanwhile; they are free when
// Append returns. The high watermark moves in the same call if no follower holds it back.
//
// Errors: NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS (acks=all, nothing was written), KAFKA_STORAGE_ERROR, and those
// of the log: what is wrong with the records or the producer's sequence.
func (p *Partition) Append(records []byte, acks int16, o storage.AppendOptions) (Appended, error) {
	return p.append(records, acks, -1, o)
}

// append is Append as the leader of one epoch, -1 = of any.
func (p *Partition) append(records []byte, acks int16, epoch int32, o storage.AppendOptions) (Appended, error) {
	a, flushTo, err := p.appendLocked(records, acks, epoch, o)
	if err != nil {
		return a, err
	}
	if flushTo > 0 { // flush.messages: no lock is held, and producers that come together share one fsync
		if err := p.log.Flush(flushTo); err != nil {
			return a, err
		}
		p.advance(a.term)
	}
	p.wake()
	return a, nil
}

// appendLocked leaves the high watermark alone when a flush must come first.
func (p *Partition) appendLocked(records []byte, acks int16, epoch int32, o storage.AppendOptions) (a Appended, flushTo int64, err error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	st := p.state.Load()
	if err := p.check(st, epoch, true); err != nil {
		return a, 0, err
	}
	if acks == AcksAll {
		if need := effectiveMinISR(p.settings.Load().minISR, len(st.Replicas)); len(st.ISR) < need {
			return a, 0, fmt.Errorf("the ISR of %s has %d of %d replicas that min.insync.replicas asks for: %w",
				p.tp, len(st.ISR), need, kerr.NotEnoughReplicas)
		}
	}
	a.AppendInfo, flushTo, err = p.log.AppendUnflushed(records, st.LeaderEpoch, o)
	if err != nil {
		return a, 0, err
	}
	a.term = st.Term
	if flushTo == 0 {
		p.progressMu.Lock()
		defer p.progressMu.Unlock()
		p.advanceLocked(st)
	}
	return a, flushTo, nil
}

// advance moves the high watermark after a flush, if this is still the leadership of the append.
func (p *Partition) advance(term uint64) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	st := p.state.Load()
	if st.Term != term {
		return
	}
	p.progressMu.Lock()
	defer p.progressMu.Unlock()
	p.advanceLocked(st)
}

// Acked reports whether an acks=all append is done: it is on all of the ISR (nil), or will not be (the error). An ISR
// that fell below the minimum after the append is NOT_ENOUGH_REPLICAS_AFTER_APPEND; a leadership that was lost, even
// if it came back since, is NOT_LEADER_OR_FOLLOWER: the records may have been cut.
func (p *Partition) Acked(a Appended) (done bool, err error) {
	st := p.state.Load()
	switch {
	case st.Role == RoleGone:
		return true, st.Err
	case st.Role != RoleLeader || st.Term != a.term:
		return true, kerr.NotLeaderForPartition
	case p.log.HighWatermark() < a.Required():
		return false, nil
	case len(st.MaximalISR) < effectiveMinISR(p.settings.Load().minISR, len(st.Replicas)):
		return true, kerr.NotEnoughReplicasAfterAppend
	}
	return true, nil
}
