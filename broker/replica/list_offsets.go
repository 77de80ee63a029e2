package replica

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Timestamps with a meaning of their own, in ListOffsets.
const (
	TimestampLatest                int64 = -1
	TimestampEarliest              int64 = -2
	TimestampMax                   int64 = -3 // KIP-734
	TimestampEarliestLocal         int64 = -4 // KIP-405
	TimestampLatestTiered          int64 = -5 // KIP-1005
	TimestampEarliestPendingUpload int64 = -6 // KIP-1023
)

// Found is the answer to a ListOffsets question. The zero value of an absent answer is NotFound.
type Found struct {
	Timestamp int64
	Offset    int64
	Epoch     int32 // -1 = not known
}

// NotFound is what "no such record" looks like on the wire.
var NotFound = Found{-1, -1, -1}

// Lookup asks for an offset by timestamp.
type Lookup struct {
	Timestamp   int64
	LeaderEpoch int32 // that the client believes in, -1 = none
	NeedLeader  bool
	Client      bool  // a consumer, who must not see beyond Bound; else a replica
	Bound       Bound // HighWatermark or LastStable for clients
}

// OffsetFor answers a lookup. A new leader whose high watermark is still below its epoch's start does not know yet
// what is committed: OFFSET_NOT_AVAILABLE for the end of the log and for whatever lies beyond (KIP-207).
func (p *Partition) OffsetFor(l Lookup) (Found, error) {
	st := p.state.Load()
	if err := p.check(st, l.LeaderEpoch, l.NeedLeader); err != nil {
		return NotFound, err
	}
	end := p.log.LogEndOffset()
	if l.Client {
		end = p.Offset(l.Bound)
	}
	var behind error
	if hw := p.log.HighWatermark(); l.Client && st.Role == RoleLeader && st.EpochStart > hw {
		behind = fmt.Errorf("the high watermark %d of %s is below the start %d of leader epoch %d: %w",
			hw, p.tp, st.EpochStart, st.LeaderEpoch, kerr.OffsetNotAvailable)
	}
	found := NotFound
	var ok bool
	var err error
	switch l.Timestamp {
	case TimestampLatest:
		if behind != nil {
			return NotFound, behind
		}
		return Found{-1, end, st.LeaderEpoch}, nil
	case TimestampEarliest, TimestampEarliestLocal:
		start := p.log.LogStartOffset()
		epoch, known := p.log.EpochForOffset(start)
		if !known {
			epoch = -1
		}
		return Found{-1, start, epoch}, nil
	case TimestampLatestTiered, TimestampEarliestPendingUpload:
		return NotFound, nil // there is no tiered storage
	case TimestampMax:
		found.Offset, found.Timestamp, found.Epoch, ok, err = p.log.OffsetOfMaxTimestamp()
	default:
		found.Offset, found.Timestamp, found.Epoch, ok, err = p.log.OffsetForTimestamp(l.Timestamp)
	}
	switch {
	case err != nil:
		return NotFound, err
	case !ok || found.Offset >= end:
		return NotFound, behind
	}
	return found, nil
}
