package group

import (
	"time"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/record"
)

// classicGroup is a group of the classic protocol: members choose a protocol and one of them assigns.
type classicGroup struct{ Group }

func (s *State) loadedClassic(*classicGroup, time.Time) coordinator.Result {
	return coordinator.Result{}
}
func (s *State) expiredClassic(coordinator.Timer, time.Time) coordinator.Result {
	return coordinator.Result{}
}
func (s *State) replayClassicGroup(*record.GroupMetadataKey, *record.GroupMetadataValue, coordinator.Position) error {
	return nil
}
