package metadata

import (
	"fmt"
	"slices"

	"github.com/dohle-io/dohle/protocol"
)

const (
	// NoLeader is the leader of a partition that has none.
	NoLeader int32 = -1
	// NoLeaderChange stands in a PartitionChangeRecord that keeps the leader and its epoch.
	NoLeaderChange int32 = -2

	// LeaderRecovered and LeaderRecovering: the latter after an unclean election, until the leader has recovered
	// (KIP-704). NoRecoveryChange keeps the state in a PartitionChangeRecord.
	LeaderRecovered  int8 = 0
	LeaderRecovering int8 = 1
	NoRecoveryChange int8 = -1
)

// A Partition is what the controller decided about one partition. It is immutable, its slices too.
type Partition struct {
	Replicas            []int32         // in order of preference
	Directories         []protocol.UUID // one per replica, in the same order
	ISR                 []int32
	ELR                 []int32 // eligible leader replicas (KIP-966)
	LastKnownELR        []int32
	RemovingReplicas    []int32
	AddingReplicas      []int32
	Leader              int32 // NoLeader if there is none
	LeaderEpoch         int32 // raised with every election
	PartitionEpoch      int32 // raised with every change
	LeaderRecoveryState int8
}

// PreferredLeader is the first replica.
func (p *Partition) PreferredLeader() int32 {
	if len(p.Replicas) == 0 {
		return NoLeader
	}
	return p.Replicas[0]
}

// Reassigning reports whether replicas are being added or removed.
func (p *Partition) Reassigning() bool { return len(p.AddingReplicas)+len(p.RemovingReplicas) > 0 }

// HasReplica reports whether broker holds a replica.
func (p *Partition) HasReplica(broker int32) bool { return slices.Contains(p.Replicas, broker) }

// Directory is the log directory of broker's replica; false if it has none.
func (p *Partition) Directory(broker int32) (protocol.UUID, bool) {
	for i, r := range p.Replicas {
		if r == broker {
			return p.Directories[i], true
		}
	}
	return protocol.UUID{}, false
}

// Equal compares every field.
func (p *Partition) Equal(q *Partition) bool {
	return p.Leader == q.Leader && p.LeaderEpoch == q.LeaderEpoch && p.PartitionEpoch == q.PartitionEpoch &&
		p.LeaderRecoveryState == q.LeaderRecoveryState &&
		slices.Equal(p.Replicas, q.Replicas) && slices.Equal(p.Directories, q.Directories) &&
		slices.Equal(p.ISR, q.ISR) && slices.Equal(p.ELR, q.ELR) && slices.Equal(p.LastKnownELR, q.LastKnownELR) &&
		slices.Equal(p.RemovingReplicas, q.RemovingReplicas) && slices.Equal(p.AddingReplicas, q.AddingReplicas)
}

func partitionOf(r *PartitionRecord) (*Partition, error) {
	dirs, err := directoriesFor(r.Directories, len(r.Replicas))
	if err != nil {
		return nil, err
	}
	return &Partition{
		Replicas: some(r.Replicas), Directories: dirs, ISR: some(r.Isr),
		ELR: some(r.EligibleLeaderReplicas), LastKnownELR: some(r.LastKnownElr),
		RemovingReplicas: some(r.RemovingReplicas), AddingReplicas: some(r.AddingReplicas),
		Leader: r.Leader, LeaderEpoch: r.LeaderEpoch, PartitionEpoch: r.PartitionEpoch,
		LeaderRecoveryState: r.LeaderRecoveryState,
	}, nil
}

// merged is p after r. Null arrays in r keep what there is; a named leader raises the leader epoch even if it is the
// same; every change raises the partition epoch.
func (p *Partition) merged(r *PartitionChangeRecord) (*Partition, error) {
	n := *p
	if r.Replicas != nil {
		n.Replicas = r.Replicas
	}
	dirs := n.Directories
	if r.Directories != nil {
		dirs = r.Directories
	}
	var err error
	if n.Directories, err = directoriesFor(dirs, len(n.Replicas)); err != nil {
		return nil, err
	}
	keep(&n.ISR, r.Isr)
	keep(&n.RemovingReplicas, r.RemovingReplicas)
	keep(&n.AddingReplicas, r.AddingReplicas)
	keep(&n.ELR, r.EligibleLeaderReplicas)
	keep(&n.LastKnownELR, r.LastKnownElr)
	if r.Leader != NoLeaderChange {
		n.Leader = r.Leader
		n.LeaderEpoch++
	}
	if r.LeaderRecoveryState != NoRecoveryChange {
		n.LeaderRecoveryState = r.LeaderRecoveryState
	}
	n.PartitionEpoch++
	return &n, nil
}

func (p *Partition) record(topic protocol.UUID, index int32, level Level) *PartitionRecord {
	r := &PartitionRecord{
		PartitionId: index, TopicId: topic, Replicas: p.Replicas, Isr: p.ISR,
		RemovingReplicas: p.RemovingReplicas, AddingReplicas: p.AddingReplicas,
		Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch,
		LeaderRecoveryState: p.LeaderRecoveryState,
	}
	// Kafka leaves both lists null when they are empty, and writes no directories below their level.
	if level.ELRSupported() {
		if len(p.ELR) > 0 {
			r.EligibleLeaderReplicas = p.ELR
		}
		if len(p.LastKnownELR) > 0 {
			r.LastKnownElr = p.LastKnownELR
		}
	}
	if level.DirectoryAssignmentSupported() {
		r.Directories = p.Directories
	}
	return r
}

// directoriesFor fills in "migrating" for records that were written before directories were assigned.
func directoriesFor(dirs []protocol.UUID, replicas int) ([]protocol.UUID, error) {
	for _, d := range dirs {
		if d != DirectoryMigrating {
			if len(dirs) != replicas {
				return nil, fmt.Errorf("%d directories for %d replicas", len(dirs), replicas)
			}
			return dirs, nil
		}
	}
	if len(dirs) == replicas {
		return dirs, nil
	}
	return make([]protocol.UUID, replicas), nil
}

// some turns nil into an empty list, so that equal states are deeply equal.
func some(ids []int32) []int32 {
	if ids == nil {
		return none
	}
	return ids
}

var none = []int32{}

func keep(field *[]int32, change []int32) {
	if change != nil {
		*field = change
	}
}
