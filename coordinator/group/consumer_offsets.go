package group

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol"
)

// CheckCommit lets members commit, and while there are none anybody. A member's epoch may be an old one: then single
// partitions decide (KIP-1251).
func (g *consumerGroup) CheckCommit(c OffsetSender) error {
	if c.Generation < 0 && g.Empty() {
		return nil
	}
	if c.Transactional && c.Generation == -1 && c.MemberID == "" && c.InstanceID == nil {
		return nil
	}
	m := g.members[c.MemberID]
	switch {
	case m == nil:
		return kerr.UnknownMemberID
	case !c.Transactional && m.classic == nil && c.Version < 9:
		return kerr.UnsupportedVersion
	case c.Generation > m.epoch:
		return m.stale()
	}
	return nil
}

// stale is what a member is told about an epoch that is not its own.
func (m *consumerMember) stale() error {
	if m.classic != nil {
		return kerr.IllegalGeneration
	}
	return kerr.StaleMemberEpoch
}

// CheckCommitPartition: with an old epoch a member commits for what it has had since then or longer.
func (g *consumerGroup) CheckCommitPartition(c OffsetSender, _ string, topic protocol.UUID, partition int32) error {
	m := g.members[c.MemberID]
	if m == nil || c.Generation >= m.epoch {
		return nil
	}
	since, ok := m.assigned.epoch(topic, partition)
	if !ok {
		since, ok = m.revoking.epoch(topic, partition)
	}
	if !ok || c.Generation < since {
		return m.stale()
	}
	return nil
}

// CheckFetch lets members read offsets, and whoever does not say who it is.
func (g *consumerGroup) CheckFetch(memberID *string, memberEpoch int32) error {
	if memberID == nil && memberEpoch < 0 {
		return nil
	}
	if memberID == nil || g.members[*memberID] == nil {
		return kerr.UnknownMemberID
	}
	if m := g.members[*memberID]; m.epoch != memberEpoch {
		return m.stale()
	}
	return nil
}
