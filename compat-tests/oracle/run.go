package oracle

import (
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
	Only       string // pattern of the instances' names, as path.Match without its slashes' meaning; empty: all
	Controller bool   // both sides have a controller listener
	Pinned     bool   // known differences must show
	Progress   func(done, all int)
}

// Run asks two sides everything and compares. Both are asked at the same time, one scenario after the other.
func Run(all []*scenario.Instance, rules *Rules, a, b Asker, o Options) (*Report, error) {
	r := newReport()
	for i, inst := range all {
		if o.Only != "" && !matches(o.Only, inst.Name) {
			continue
		}
		if inst.Controller && !o.Controller {
			r.Skipped++
			continue
		}
		var x, y *Transcript
		var errA, errB error
		var both sync.WaitGroup
		both.Add(1)
		go func() {
			defer both.Done()
			x, errA = a.Run(inst)
		}()
		y, errB = b.Run(inst)
		both.Wait()
		if errA != nil {
			return nil, errA
		}
		if errB != nil {
			return nil, errB
		}
		found, missing := Compare(inst, rules, x, y)
		if !o.Pinned {
			missing = nil
		}
		r.add(x, y, found, missing)
		if x.Fault != "" {
			r.Faults = append(r.Faults, inst.Name+": "+x.Fault)
		}
		if o.Progress != nil {
			o.Progress(i+1, len(all))
		}
	}
	return r, nil
}

// Record asks one side everything.
func Record(all []*scenario.Instance, a Asker, o Options) (*Golden, error) {
	g := &Golden{Transcripts: map[string]*Transcript{}}
	for i, inst := range all {
		if o.Only != "" && !matches(o.Only, inst.Name) {
			continue
		}
		t, err := a.Run(inst)
		if err != nil {
			return nil, err
		}
		if t.Fault != "" {
			return nil, fmt.Errorf("the reference does not get through %s: %s", inst.Name, t.Fault)
		}
		g.Transcripts[inst.Name] = t
		if o.Progress != nil {
			o.Progress(i+1, len(all))
		}
	}
	return g, nil
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
