package controller

import (
	"slices"

	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

type election int8

const (
	electOnline    election = iota // keep the leader if it can be kept
	electPreferred                 // the first replica if it can lead
	electUnclean                   // anyone alive, if nobody in sync is
)

// A change builds one PartitionChangeRecord. Set the targets, then call record.
//
// ISR and ELR rules are KIP-966's: with eligible leader replicas on, the ISR may become empty; a replica that falls out
// of an ISR below min.insync.replicas stays eligible; the leader of a partition that lost the last one is remembered.
type change struct {
	old    *metadata.Partition
	topic  protocol.UUID
	index  int32
	level  metadata.Level
	elr    bool
	minISR int
	// accept says whether a replica's broker may lead: alive, not leaving, its directory online.
	accept func(replica int32) bool
	// defaultDir is the directory of a replica that has none yet.
	defaultDir func(broker int32) protocol.UUID

	election                                  election
	isr, replicas, removing, adding, eligible []int32
	uncleanShutdown                           []int32
	recovery                                  int8
	dirs                                      map[int32]protocol.UUID // of replicas, changed ones included
}

// newChange starts with targets as they are. accept may be nil for "active brokers".
func (s *State) newChange(t *metadata.Topic, index int32, accept func(int32) bool) *change {
	p := t.Partitions[index]
	if accept == nil {
		accept = s.active
	}
	c := &change{old: p, topic: t.ID, index: index, level: s.Image.Level(), elr: s.Image.Features.ELREnabled(),
		minISR: s.minISR(t), isr: p.ISR, replicas: p.Replicas, removing: p.RemovingReplicas, adding: p.AddingReplicas,
		eligible: p.ELR, recovery: p.LeaderRecoveryState, defaultDir: s.defaultDir, dirs: make(map[int32]protocol.UUID, len(p.Replicas))}
	for i, r := range p.Replicas {
		c.dirs[r] = p.Directories[i]
	}
	c.accept = func(r int32) bool {
		if !accept(r) {
			return false
		}
		dir, ok := p.Directory(r)
		if !ok {
			dir = c.defaultDir(r)
		}
		b := s.Image.Brokers.Get(r)
		return b != nil && b.HasOnlineDir(dir)
	}
	return c
}

// defaultDir is where a new replica on a broker goes: its only directory, or undecided.
func (s *State) defaultDir(broker int32) protocol.UUID {
	b := s.Image.Brokers.Get(broker)
	switch {
	case b == nil:
		return metadata.DirectoryUnassigned
	case len(b.LogDirs) == 0:
		return metadata.DirectoryMigrating
	case len(b.LogDirs) == 1:
		return b.LogDirs[0]
	}
	return metadata.DirectoryUnassigned
}

// record is the change, or nil when nothing changes.
func (c *change) record() *metadata.PartitionChangeRecord {
	r := metadata.NewPartitionChangeRecord()
	r.TopicId, r.PartitionId = c.topic, c.index

	c.completeReassignment()
	c.findEligible()
	c.elect(r)
	if r.Leader == metadata.NoLeaderChange && !containsAll(c.replicas, c.old.Replicas) {
		r.Leader = c.old.Leader // a replica is gone: the leader epoch must rise
	}
	c.recordEligible(r)
	if r.Isr == nil && (len(c.isr) > 0 || c.elr) && !slices.Equal(c.isr, c.old.ISR) {
		r.Isr = list(c.isr)
	}
	if c.level.LeaderEpochBumpOnISRShrink() && r.Leader == metadata.NoLeaderChange && r.Isr != nil && !containsAll(r.Isr, c.old.ISR) {
		r.Leader = c.old.Leader // KAFKA-15021
	}
	c.recordLastKnown(r)
	c.recordAssignment(r)
	if c.recovery != c.old.LeaderRecoveryState {
		r.LeaderRecoveryState = c.recovery
	}
	if r.Isr == nil && r.EligibleLeaderReplicas == nil && r.LastKnownElr == nil && r.Leader == metadata.NoLeaderChange &&
		r.Replicas == nil && r.RemovingReplicas == nil && r.AddingReplicas == nil &&
		r.LeaderRecoveryState == metadata.NoRecoveryChange && r.Directories == nil {
		return nil
	}
	return r
}

// completeReassignment ends a reassignment once every added replica is in sync. When the replication factor shrinks, all
// replicas that stay must be: otherwise the ISR would shrink more than it has to.
func (c *change) completeReassignment() {
	if len(c.adding) == 0 && len(c.removing) == 0 {
		return
	}
	isr, replicas := c.isr, c.replicas
	if len(c.removing) > 0 {
		isr, replicas = without(isr, c.removing...), without(replicas, c.removing...)
		if len(isr) == 0 || len(replicas) == 0 {
			return
		}
	}
	if !containsAll(isr, c.adding) || len(c.adding) < len(c.removing) && !containsAll(isr, replicas) {
		return
	}
	c.isr, c.replicas, c.removing, c.adding = isr, replicas, nil, nil
}

func (c *change) findEligible() {
	if !c.elr {
		return
	}
	if len(c.isr) >= c.minISR {
		c.eligible = nil
		return
	}
	var eligible []int32
	for _, r := range slices.Concat(c.eligible, c.old.ISR) {
		if !slices.Contains(c.isr, r) && !slices.Contains(c.uncleanShutdown, r) && !slices.Contains(eligible, r) {
			eligible = append(eligible, r)
		}
	}
	slices.Sort(eligible)
	c.eligible = eligible
}

// canLead: in sync, or eligible while nobody is in sync.
func (c *change) canLead(r int32) bool {
	return (slices.Contains(c.isr, r) || len(c.isr) == 0 && slices.Contains(c.eligible, r)) && c.accept(r)
}

func (c *change) choose() (leader int32, unclean bool) {
	if c.election == electPreferred && len(c.replicas) > 0 && c.canLead(c.replicas[0]) {
		return c.replicas[0], false
	}
	if c.canLead(c.old.Leader) {
		return c.old.Leader, false
	}
	for _, r := range c.replicas {
		if c.canLead(r) {
			return r, false
		}
	}
	// The last leader of a partition that lost all: it has all that was acknowledged to acks=1, perhaps.
	if c.elr && len(c.eligible) == 0 && len(c.isr) == 0 && len(c.old.LastKnownELR) == 1 && c.accept(c.old.LastKnownELR[0]) {
		return c.old.LastKnownELR[0], true
	}
	if c.election == electUnclean {
		for _, r := range c.replicas {
			if c.accept(r) {
				return r, true
			}
		}
	}
	return metadata.NoLeader, false
}

func (c *change) elect(r *metadata.PartitionChangeRecord) {
	leader, unclean := c.choose()
	if leader == c.old.Leader {
		return
	}
	if slices.Contains(c.eligible, leader) {
		c.isr = []int32{leader}
		c.eligible = without(c.eligible, leader)
	}
	r.Leader = leader
	if unclean {
		r.Isr = []int32{leader} // data may be lost here
		if c.old.LeaderRecoveryState != metadata.LeaderRecovering {
			r.LeaderRecoveryState = metadata.LeaderRecovering
		}
	}
}

func (c *change) recordEligible(r *metadata.PartitionChangeRecord) {
	if r.Isr != nil || !c.elr {
		c.eligible = nil
	}
	if !slices.Equal(c.eligible, c.old.ELR) {
		r.EligibleLeaderReplicas = list(c.eligible)
	}
}

func (c *change) recordLastKnown(r *metadata.PartitionChangeRecord) {
	switch {
	case !c.elr:
	case r.Leader == metadata.NoLeader && len(c.old.LastKnownELR) == 0:
		r.LastKnownElr = []int32{c.old.Leader} // only the first time
	case r.Leader >= 0 && len(c.old.LastKnownELR) > 0:
		r.LastKnownElr = []int32{}
	}
}

func (c *change) recordAssignment(r *metadata.PartitionChangeRecord) {
	if len(c.replicas) > 0 {
		if c.level.DirectoryAssignmentSupported() {
			dirs := make([]protocol.UUID, len(c.replicas))
			for i, b := range c.replicas {
				dir, ok := c.dirs[b]
				if !ok {
					dir = c.defaultDir(b)
				}
				dirs[i] = dir
			}
			if !slices.Equal(dirs, c.old.Directories) {
				r.Directories = dirs
			}
		}
		if !slices.Equal(c.replicas, c.old.Replicas) {
			r.Replicas = c.replicas
		}
	}
	if !slices.Equal(c.removing, c.old.RemovingReplicas) {
		r.RemovingReplicas = list(c.removing)
	}
	if !slices.Equal(c.adding, c.old.AddingReplicas) {
		r.AddingReplicas = list(c.adding)
	}
}

// list turns nil, which means "no change" in a record, into an empty list.
func list(ids []int32) []int32 {
	if ids == nil {
		return []int32{}
	}
	return ids
}

func without(ids []int32, gone ...int32) []int32 {
	left := make([]int32, 0, len(ids))
	for _, id := range ids {
		if !slices.Contains(gone, id) {
			left = append(left, id)
		}
	}
	return left
}

func containsAll(set, ids []int32) bool {
	for _, id := range ids {
		if !slices.Contains(set, id) {
			return false
		}
	}
	return true
}
