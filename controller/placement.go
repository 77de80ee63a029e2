package controller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/dohle-io/dohle/metadata"
)

// A placer chooses brokers for new partitions, in Kafka's manner ("striped"): replicas go to racks in turn, and within a
// rack to brokers in turn, from random starting points that move on with every partition. The leader is never placed
// on a fenced broker; other replicas use fenced ones last. Balance over racks comes before balance over brokers.
type placer struct {
	rng      *rand.Rand
	racks    []*rack
	total    int
	unfenced int
	round    int // partitions placed since the last shuffle
	offset   int // of the first rack
}

type rack struct {
	name             string
	named            bool
	unfenced, fenced ring
}

// A ring is walked once per round, from a start that moves on by one each round.
type ring struct {
	brokers       []int32
	start, walked int
	round         int
}

func (r *ring) next(round int) (int32, bool) {
	if len(r.brokers) == 0 {
		return 0, false
	}
	if r.round != round {
		r.round, r.walked = round, 0
		r.start = (r.start + 1) % len(r.brokers)
	}
	if r.walked >= len(r.brokers) {
		return 0, false
	}
	b := r.brokers[(r.walked+r.start)%len(r.brokers)]
	r.walked++
	return b, true
}

func (r *rack) next(round int) (int32, bool) {
	if b, ok := r.unfenced.next(round); ok {
		return b, true
	}
	return r.fenced.next(round)
}

// newPlacer takes the brokers that can get replicas: not leaving, with a directory that is not cordoned.
func newPlacer(rng *rand.Rand, brokers metadata.BrokersImage) *placer {
	p := &placer{rng: rng}
	for b := range brokers.All() {
		if b.InControlledShutdown || !b.HasUncordonedDir() {
			continue
		}
		r := p.rack(b.Rack)
		if b.Fenced {
			r.fenced.brokers = append(r.fenced.brokers, b.ID)
		} else {
			r.unfenced.brokers = append(r.unfenced.brokers, b.ID)
			p.unfenced++
		}
		p.total++
	}
	slices.SortFunc(p.racks, func(a, b *rack) int {
		if a.named != b.named {
			if b.named {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	for _, r := range p.racks {
		for _, ring := range []*ring{&r.fenced, &r.unfenced} {
			if n := len(ring.brokers); n > 0 {
				ring.start = rng.IntN(n)
			}
		}
	}
	if n := len(p.racks); n > 0 {
		p.offset = rng.IntN(n)
	}
	return p
}

func (p *placer) rack(name *string) *rack {
	for _, r := range p.racks {
		if r.named == (name != nil) && (name == nil || *name == r.name) {
			return r
		}
	}
	r := &rack{named: name != nil}
	if name != nil {
		r.name = *name
	}
	p.racks = append(p.racks, r)
	return r
}

// place chooses the replicas of n partitions. The error's text is Kafka's; what it is wrapped in depends on the
// caller.
func (p *placer) place(n int, factor int) ([][]int32, error) {
	switch {
	case factor <= 0:
		return nil, fmt.Errorf("Invalid replication factor %d: the replication factor must be positive.", factor)
	case p.unfenced == 0:
		return nil, fmt.Errorf("All brokers are currently fenced, or have all their log directories cordoned.")
	case factor > p.total:
		return nil, fmt.Errorf("The target replication factor of %d cannot be reached because only %d broker(s) are registered "+
			"or some brokers have all their log directories cordoned.", factor, p.total)
	}
	list := make([][]int32, n)
	for i := range list {
		list[i] = p.one(factor)
	}
	return list, nil
}

func (p *placer) one(factor int) []int32 {
	if p.round == p.unfenced && p.unfenced > 1 {
		// Every broker led once: shuffle, so that the same sets do not come again.
		p.rng.Shuffle(len(p.racks), func(i, j int) { p.racks[i], p.racks[j] = p.racks[j], p.racks[i] })
		for _, r := range p.racks {
			for _, b := range [][]int32{r.fenced.brokers, r.unfenced.brokers} {
				p.rng.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
			}
		}
		p.round = 0
	}
	p.offset %= len(p.racks)
	replicas := make([]int32, 0, factor)
	first := p.offset
	for { // there is an unfenced broker, so this ends
		if b, ok := p.racks[first].unfenced.next(p.round); ok {
			replicas = append(replicas, b)
			break
		}
		first = (first + 1) % len(p.racks)
	}
	for at := p.offset; len(replicas) < factor; at = (at + 1) % len(p.racks) {
		if at == first { // the leader's rack has had its turn
			first = -1
			continue
		}
		if b, ok := p.racks[at].next(p.round); ok {
			replicas = append(replicas, b)
		}
	}
	p.round++
	p.offset++
	return replicas
}
