package group

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/coordinator"
)

// upgrade turns a classic group with members into a consumer group (KIP-848, online upgrade).
func (d *consumerDecision) upgrade(g Group) error {
	return refusal{kerr.GroupIDNotFound, fmt.Sprintf("Cannot upgrade classic group %s to consumer group because online upgrade is disabled.", g.ID())}
}

// downgrades says whether a consumer group becomes a classic one when these members leave.
func (s *State) downgrades(g *consumerGroup, leaving []*consumerMember) bool { return false }

func (d *consumerDecision) downgrade(leaving []*consumerMember, joining *consumerMember, rebalance bool) error {
	return nil
}

func (s *State) stopClassic(g Group) []coordinator.Set { return nil }
