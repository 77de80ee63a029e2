package group

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/record"
)

// newSimpleGroup makes the group of a consumer that commits without being a member: an empty classic group without a
// protocol.
func (s *State) newSimpleGroup(id string) Group { return simpleGroup{id} }

// simpleGroup is a group that has only offsets.
type simpleGroup struct{ id string }

func (g simpleGroup) ID() string               { return g.id }
func (g simpleGroup) Kind() Kind               { return KindClassic }
func (g simpleGroup) StateName() string        { return "Empty" }
func (g simpleGroup) ProtocolType() string     { return "" }
func (g simpleGroup) Empty() bool              { return true }
func (g simpleGroup) SubscribedTo(string) bool { return false }

func (g simpleGroup) CheckCommit(c OffsetSender) error {
	if c.Generation < 0 {
		return nil
	}
	return kerr.UnknownMemberID
}
func (g simpleGroup) CheckFetch(*string, int32) error              { return nil }
func (g simpleGroup) CheckOffsetDelete() error                     { return nil }
func (g simpleGroup) ExpireFrom(o *offset) (millis int64, ok bool) { return o.CommitTimestamp, true }
func (g simpleGroup) CheckDelete() error                           { return nil }
func (g simpleGroup) Vanishes() bool                               { return true }
func (g simpleGroup) Tombstones() []coordinator.Record {
	return []coordinator.Record{encode(&record.GroupMetadataKey{Group: g.id}, nil)}
}
