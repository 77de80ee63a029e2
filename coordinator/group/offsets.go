package group

import (
	"time"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/record"
	"github.com/dohle-io/dohle/metadata"
)

// offset is one committed offset.
type offset struct {
	Offset          int64
	LeaderEpoch     int32 // -1 = unknown
	Metadata        string
	CommitTimestamp int64 // milliseconds
	ExpireTimestamp int64 // -1 = by retention; only clients before OffsetCommit v5 set it
}

// offsets are the committed offsets of a partition's groups.
type offsets struct{}

func newOffsets() offsets { return offsets{} }

func (s *State) loadedOffsets(time.Time) coordinator.Result { return coordinator.Result{} }
func (s *State) expireOffsets(time.Time) coordinator.Result { return coordinator.Result{} }
func (s *State) imageForOffsets(*metadata.Delta, time.Time) coordinator.Result {
	return coordinator.Result{}
}
func (o *offsets) hard() string { return "" }
func (s *State) replayOffset(*record.OffsetCommitKey, *record.OffsetCommitValue, coordinator.Position) {
}
func (s *State) replayLegacyOffset(*record.LegacyOffsetCommitKey, *record.LegacyOffsetCommitValue, coordinator.Position) {
}

// EndTransaction implements coordinator.Machine.
func (s *State) EndTransaction(producerID int64, committed bool, at coordinator.Position) {}
