package controller

import (
	"slices"
	"strings"

	"github.com/dohle-io/dohle/metadata"
)

const nobody = metadata.NoLeader

// A move says which broker stops or starts to be a candidate. The image still shows them as they were before.
type move struct {
	remove  int32 // leaves the ISR and leads no more; nobody = none
	add     int32 // may lead from now on
	unclean int32 // came back without a clean stop: neither in the ISR nor eligible
}

// elections builds the changes of all partitions that pick selects, in order of topic and partition. It looks at every
// partition; a scan of 10,000 topics costs a few milliseconds.
func (s *State) elections(m move, pick func(*metadata.Partition) bool) []metadata.Record {
	accept := func(r int32) bool {
		return r != m.remove && r != m.unclean && (r == m.add || s.active(r))
	}
	var records []metadata.Record
	var hits []*metadata.Topic
	for t := range s.Image.Topics.All() {
		if slices.ContainsFunc(t.Partitions, pick) {
			hits = append(hits, t)
		}
	}
	slices.SortFunc(hits, func(a, b *metadata.Topic) int { return strings.Compare(a.Name, b.Name) })
	for _, t := range hits {
		unclean := s.uncleanElection(t.Name)
		for i, p := range t.Partitions {
			if !pick(p) {
				continue
			}
			c := s.newChange(t, int32(i), accept)
			if unclean {
				c.election = electUnclean
			}
			if m.unclean != nobody {
				c.uncleanShutdown = []int32{m.unclean}
			}
			if slices.Contains(p.ISR, m.remove) || slices.Contains(p.ISR, m.unclean) {
				c.isr = without(p.ISR, m.remove, m.unclean)
			}
			if r := c.record(); r != nil {
				records = append(records, r)
			}
		}
	}
	return records
}

func inISR(broker int32) func(*metadata.Partition) bool {
	return func(p *metadata.Partition) bool { return slices.Contains(p.ISR, broker) }
}

func inELR(broker int32) func(*metadata.Partition) bool {
	return func(p *metadata.Partition) bool { return slices.Contains(p.ELR, broker) }
}

func leaderless(p *metadata.Partition) bool { return p.Leader == nobody }

func (s *State) leadsAny(broker int32) bool {
	for t := range s.Image.Topics.All() {
		for _, p := range t.Partitions {
			if p.Leader == broker {
				return true
			}
		}
	}
	return false
}

// fence takes a broker out of every ISR and marks it.
func (s *State) fence(b *metadata.Broker) []metadata.Record {
	records := s.elections(move{remove: b.ID, add: nobody, unclean: nobody}, inISR(b.ID))
	return append(records, &metadata.BrokerRegistrationChangeRecord{BrokerId: b.ID, BrokerEpoch: b.Epoch, Fenced: 1})
}

// unfence marks a broker and lets it lead what has no leader.
func (s *State) unfence(b *metadata.Broker) []metadata.Record {
	records := []metadata.Record{&metadata.BrokerRegistrationChangeRecord{BrokerId: b.ID, BrokerEpoch: b.Epoch, Fenced: -1}}
	return append(records, s.elections(move{remove: nobody, add: b.ID, unclean: nobody}, leaderless)...)
}

// leave begins a controlled shutdown: leaders move away first (KIP-841).
func (s *State) leave(b *metadata.Broker) []metadata.Record {
	var records []metadata.Record
	if !b.InControlledShutdown {
		records = append(records, &metadata.BrokerRegistrationChangeRecord{BrokerId: b.ID, BrokerEpoch: b.Epoch, InControlledShutdown: 1})
	}
	return append(records, s.elections(move{remove: b.ID, add: nobody, unclean: nobody}, inISR(b.ID))...)
}

// returned cleans up after an earlier incarnation of a broker that registers now.
func (s *State) returned(id int32, clean bool) []metadata.Record {
	if s.Image.Features.ELREnabled() && !clean {
		m := move{remove: nobody, add: nobody, unclean: id}
		return append(s.elections(m, inISR(id)), s.elections(m, inELR(id))...)
	}
	return s.elections(move{remove: id, add: nobody, unclean: nobody}, inISR(id))
}

// gone takes a broker out for good.
func (s *State) gone(b *metadata.Broker) []metadata.Record {
	m := move{remove: b.ID, add: nobody, unclean: nobody}
	records := append(s.elections(m, inISR(b.ID)), s.elections(m, inELR(b.ID))...)
	return append(records, &metadata.UnregisterBrokerRecord{BrokerId: b.ID, BrokerEpoch: b.Epoch})
}
