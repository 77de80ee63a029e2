package quorum

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	simSeeds = flag.Int("seeds", 300, "seeds of the simulation")
	simFirst = flag.Uint64("seed", 1, "the first seed")
)

// TestSimulatedQuorumKeepsItsPromises runs one to five voters and perhaps an observer under loss, delay, cuts and restarts,
// with dials drawn per seed, then lets the network heal and asks for progress.
func TestSimulatedQuorumKeepsItsPromises(t *testing.T) {
	n := *simSeeds
	if testing.Short() {
		n = min(n, 50)
	}
	for i := range uint64(n) {
		if err := simulate(*simFirst + i); err != nil {
			t.Fatalf("seed %d: %v\n(go test -run TestSimulated -seed=%d -seeds=1)", *simFirst+i, err, *simFirst+i)
		}
	}
}

type sim struct {
	*cluster
	rng       *rand.Rand
	now       time.Time
	loss      float64
	delay     time.Duration
	cut       map[[2]int32]bool
	crashRate float64
	voteCrash float64
	proposals int
}

func simulate(seed uint64) (err error) {
	rng := rand.New(rand.NewPCG(seed, 0xd0417))
	voters, observers, kraft := []int{3, 3, 3, 5, 1, 2}[rng.IntN(6)], rng.IntN(2), int16(1)
	if rng.IntN(4) == 0 {
		kraft = 0
	}
	s := &sim{rng: rng, cluster: newCluster(seed, voters, observers, kraft), now: epochZero, cut: map[[2]int32]bool{}}
	if observers > 0 && rng.IntN(2) == 0 {
		s.members[voters].disk.snaps = nil // a broker formatted without the voters
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
		if simDone != nil {
			simDone(s)
		}
	}()
	s.loss = []float64{0, 0.01, 0.1}[rng.IntN(3)]
	s.delay = []time.Duration{time.Millisecond, 20 * time.Millisecond, 300 * time.Millisecond}[rng.IntN(3)]
	s.crashRate = []float64{0, 0.001, 0.005}[rng.IntN(3)]
	s.voteCrash = []float64{0, 0.05, 0.3}[rng.IntN(3)]
	if rng.IntN(2) == 0 {
		s.fetch = 1 // one batch per fetch
	} else if rng.IntN(2) == 0 {
		s.fetch = 150 // and half of the next
	}
	s.crashNow = func(m *member, out Output) bool {
		for _, w := range out.Writes {
			if w.Kind == SaveState && s.rng.Float64() < s.voteCrash {
				return true
			}
		}
		return s.rng.Float64() < s.crashRate/10
	}
	for _, m := range s.members {
		s.start(m)
	}
	for step := 0; step < 1500 && len(s.broken) == 0; step++ {
		s.trace.Reset()
		s.chaos()
		s.turn()
	}
	if len(s.broken) > 0 {
		return fmt.Errorf("%s", s.broken[0])
	}
	return s.heal()
}

// TestSimulationGetsSomewhere guards against a simulation that proves nothing because nothing happens in it.
func TestSimulationGetsSomewhere(t *testing.T) {
	epochs, records, snapshots := 0, 0, 0
	simDone = func(s *sim) {
		epochs += len(s.leaders)
		records += len(s.committed)
		snapshots += len(s.cluster.snapshots) - 1
	}
	defer func() { simDone = nil }()
	for seed := range uint64(30) {
		if err := simulate(seed + 1); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("30 seeds: %d epochs with a leader, %d batches committed, %d snapshots", epochs, records, snapshots)
	if epochs < 60 || records < 1000 || snapshots < 30 {
		t.Fatalf("too little happened: %d epochs, %d batches, %d snapshots", epochs, records, snapshots)
	}
}

var simDone func(*sim)

// chaos does something unkind now and then.
func (s *sim) chaos() {
	m := s.members[s.rng.IntN(len(s.members))]
	switch {
	case m.core == nil:
		if s.rng.Float64() < 0.05 {
			m.now = s.now
			s.start(m)
		}
	case s.rng.Float64() < s.crashRate:
		s.crash(m, s.rng.IntN(3))
	case s.rng.Float64() < 0.01:
		a, b := s.members[s.rng.IntN(len(s.members))].id, m.id
		s.cut[[2]int32{a, b}] = !s.cut[[2]int32{a, b}]
	case s.rng.Float64() < 0.02:
		clear(s.cut)
	case s.rng.Float64() < 0.005:
		m.now = s.now
		s.snapshot(m, s.rng.IntN(2) == 0)
	case s.rng.Float64() < 0.2:
		if _, leads := m.core.LeaderSince(); leads {
			m.now = s.now
			s.proposals++
			values := []string{fmt.Sprintf("r%d", s.proposals)}
			if s.rng.IntN(3) == 0 {
				values = append(values, fmt.Sprintf("r%d'", s.proposals))
			}
			s.propose(m, values...)
		}
	}
}

// turn lets time pass to the next thing that happens.
func (s *sim) turn() {
	kept := s.mail[:0]
	for _, l := range s.mail {
		if l.at.IsZero() || l.resp != nil && l.at.Equal(s.now) {
			if s.rng.Float64() < s.loss && !l.failed {
				if s.rng.IntN(2) == 0 {
					l.failed, l.reset, l.resp = true, s.rng.IntN(2) == 0, nil
				} else {
					continue // silence
				}
			}
			l.at = s.now.Add(time.Duration(s.rng.Int64N(int64(s.delay))) + 1)
		}
		kept = append(kept, l)
	}
	s.mail = kept
	var next *letter
	for _, l := range s.mail {
		if next == nil || l.at.Before(next.at) {
			next = l
		}
	}
	var wake *member
	for _, m := range s.members {
		if m.core != nil && !m.wake.IsZero() && (wake == nil || m.wake.Before(wake.wake)) {
			wake = m
		}
	}
	switch {
	case next != nil && (wake == nil || !wake.wake.Before(next.at)):
		if next.at.After(s.now) {
			s.now = next.at
		}
		s.take(next)
		if s.cut[[2]int32{next.from, next.to}] && !next.failed {
			return
		}
		reply := next.resp == nil && !next.failed
		next.at = time.Time{}
		if m := s.member(next.to); reply && m.core != nil {
			m.now = s.now
		}
		if m := s.member(next.from); !reply && m.core != nil {
			m.now = s.now
		}
		s.deliver(next)
	case wake != nil:
		if wake.wake.After(s.now) {
			s.now = wake.wake
		}
		wake.now = s.now
		s.step(wake, Tick{})
	default:
		s.now = s.now.Add(time.Millisecond)
	}
}

func (s *sim) take(l *letter) {
	for i, x := range s.mail {
		if x == l {
			s.mail = append(s.mail[:i], s.mail[i+1:]...)
			return
		}
	}
}

// heal mends everything and asks that within a minute someone leads and a new record reaches every voter.
func (s *sim) heal() error {
	s.loss, s.delay, s.crashRate, s.voteCrash = 0, 5*time.Millisecond, 0, 0
	clear(s.cut)
	for _, m := range s.members {
		if m.core == nil {
			m.now = s.now
			s.start(m)
		}
	}
	until := s.now.Add(time.Minute)
	var offset int64 = -1
	for s.now.Before(until) && len(s.broken) == 0 {
		s.trace.Reset()
		s.turn()
		done := offset >= 0
		for _, m := range s.members {
			if _, leads := m.core.LeaderSince(); leads && offset < 0 && s.now.After(until.Add(-30*time.Second)) {
				m.now = s.now
				if p := s.propose(m, "last"); p.Err == nil {
					offset = p.LastOffset
				}
			}
			done = done && m.core.HighWatermark() > offset
		}
		if done {
			return nil
		}
	}
	if len(s.broken) > 0 {
		return fmt.Errorf("%s", s.broken[0])
	}
	return fmt.Errorf("no progress after everything was mended (%s)", s.summary())
}

func (c *cluster) summary() string {
	text := ""
	for _, m := range c.members {
		if m.core != nil {
			text += fmt.Sprintf("%d %s epoch %d log [%d,%d) hw %d; ", m.id, m.core.RoleName(), m.core.Election().Epoch, m.core.Log().Start, m.core.Log().End, m.core.HighWatermark())
		}
	}
	return text
}
