package oracle

import (
	"errors"
	"fmt"
	"path"
	"sync"

	"github.com/dohle-io/dohle/compat-tests/scenario"
)

// Asker gives the transcript of an instance: a Side, or a Golden.
type Asker interface {
	Run(*scenario.Instance) (*Transcript, error)
}

// Run gives the recorded transcript.
func (g *Golden) Run(inst *scenario.Instance) (*Transcript, error) {
	t := g.Transcripts[inst.Name]
	if t == nil {
		return nil, fmt.Errorf("%s has no recorded answer: compat record makes them", inst.Name)
	}
	return t, nil
}

// Options of a run.
type Options struct {
	Only       string  // pattern of the instances' names, as path.Match without its slashes' meaning; empty: all
	Controller bool    // both sides have a controller listener
	Pinned     bool    // known differences must show
	Workers    int     // how many scenarios at once; 0: twelve
	Report     *Report // what is found goes into it; nil: a new one
	Progress   func(done, all int)
}

// Run asks two sides everything and compares. Both are asked at the same time, Workers scenarios at once; the report
// is in the order of the scenarios.
func Run(all []*scenario.Instance, rules *Rules, a, b Asker, o Options) (*Report, error) {
	r := o.Report
	if r == nil {
		r = NewReport()
	}
	var chosen []*scenario.Instance
	for _, inst := range all {
		switch {
		case o.Only != "" && !matches(o.Only, inst.Name):
		case inst.Controller && !o.Controller:
			r.Skipped++
		default:
			chosen = append(chosen, inst)
		}
	}
	pairs := make([][2]*Transcript, len(chosen))
	err := o.each(len(chosen), func(i int) error {
		var errs [2]error
		var both sync.WaitGroup
		for side, asker := range []Asker{a, b} {
			both.Go(func() { pairs[i][side], errs[side] = asker.Run(chosen[i]) })
		}
		both.Wait()
		return errors.Join(errs[0], errs[1])
	})
	if err != nil {
		return nil, err
	}
	for i, inst := range chosen {
		x, y := pairs[i][0], pairs[i][1]
		found, missing := Compare(inst, rules, x, y)
		if !o.Pinned {
			missing = nil
		}
		r.add(x, found, missing)
		if x.Fault != "" {
			r.Faults = append(r.Faults, inst.Name+": "+x.Fault)
		}
	}
	return r, nil
}

// Record asks one side everything.
func Record(all []*scenario.Instance, a Asker, o Options) (*Golden, error) {
	g := &Golden{Transcripts: map[string]*Transcript{}}
	var mu sync.Mutex
	err := o.each(len(all), func(i int) error {
		if o.Only != "" && !matches(o.Only, all[i].Name) {
			return nil
		}
		t, err := a.Run(all[i])
		if err != nil {
			return err
		}
		if t.Fault != "" {
			return fmt.Errorf("the reference does not get through %s: %s", all[i].Name, t.Fault)
		}
		mu.Lock()
		defer mu.Unlock()
		g.Transcripts[t.Name] = t
		return nil
	})
	return g, err
}

// workers ask at once unless Options say otherwise: most of a scenario is waiting.
const workers = 12

// each calls f for 0…n-1, several at once, and returns the first error after all that run have ended.
func (o Options) each(n int, f func(int) error) error {
	many := o.Workers
	if many == 0 {
		many = workers
	}
	var mu sync.Mutex
	var first error
	next, done := 0, 0
	take := func(err error, finished bool) (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if finished {
			if done++; o.Progress != nil {
				o.Progress(done, n)
			}
		}
		if first == nil {
			first = err
		}
		if next++; first != nil || next > n {
			return 0, false
		}
		return next - 1, true
	}
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			for i, more := take(nil, false); more; {
				i, more = take(f(i), true)
			}
		})
	}
	all.Wait()
	return first
}

func matches(pattern, name string) bool {
	flat := func(s string) string {
		b := []byte(s)
		for i := range b {
			if b[i] == '/' {
				b[i] = ':'
			}
		}
		return string(b)
	}
	ok, err := path.Match(flat(pattern), flat(name))
	return err == nil && ok
}
