// Command compat asks two brokers the same and reports every difference.
//
//	compat run --a kafka --b dohle                 Apache Kafka and Dohle, both started here
//	compat run --a kafka --b 10.0.0.7:9092         any address may stand on either side
//	compat record                                  keeps what Apache Kafka answers in golden/
//	compat replay --b dohle                        compares with what is kept, without Java
//
// It ends with 0 when nothing differs that is not explained, with 1 when something does, with 2 when it could not ask.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/dohle-io/dohle/compat-tests/generate"
	"github.com/dohle-io/dohle/compat-tests/node"
	"github.com/dohle-io/dohle/compat-tests/oracle"
	"github.com/dohle-io/dohle/compat-tests/scenario"
)

// errDiffers ends with 1; what was found has been printed.
var errDiffers = errors.New("the two differ")

func main() {
	err := run(os.Args[1:])
	switch {
	case err == nil:
	case errors.Is(err, errDiffers):
		fmt.Fprintln(os.Stderr, "compat:", err)
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "compat:", err)
		os.Exit(2)
	}
}

type flags struct {
	home              node.Home
	a, b              string
	scenarios, golden string
	rows, report      string
	only              string
	generate          int
	seed              uint64
	reference         string
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("say run, record or replay")
	}
	var f flags
	set := flag.NewFlagSet("compat "+args[0], flag.ContinueOnError)
	set.StringVar(&f.home.Module, "module", ".", "folder of compat-tests")
	set.StringVar(&f.home.Dohle, "dohle", "../bin/dohle", "Dohle's binary")
	set.StringVar(&f.a, "a", "kafka", "first side: kafka, dohle, kfake, or an address; with a controller: client,controller")
	set.StringVar(&f.b, "b", "dohle", "second side")
	set.StringVar(&f.scenarios, "scenarios", "scenarios", "folder of scenarios")
	set.StringVar(&f.golden, "golden", "golden", "folder of recorded answers")
	set.StringVar(&f.rows, "rows", "../docs/divergence.md", "known differences")
	set.StringVar(&f.report, "report", "", "folder to write report.txt, .json and .html into")
	set.StringVar(&f.only, "only", "", "pattern of the scenarios to run, such as 'fetch/*'")
	set.IntVar(&f.generate, "generate", 0, "how many random requests to compare")
	set.Uint64Var(&f.seed, "seed", 0, "seed of the random requests; 0 takes one from the clock")
	set.StringVar(&f.reference, "reference", "Apache Kafka 4.4.0", "what recorded answers are said to be from")
	set.SetOutput(io.Discard)
	if err := set.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		set.SetOutput(os.Stdout)
		set.PrintDefaults()
		return nil
	} else if err != nil {
		return fmt.Errorf("compat %s -help lists what can be said", args[0])
	}
	if set.NArg() > 0 {
		return fmt.Errorf("%q is not understood: flags only", set.Arg(0))
	}
	for _, dir := range []*string{&f.scenarios, &f.golden, &f.rows, &f.home.Dohle} {
		if !filepath.IsAbs(*dir) {
			*dir = filepath.Join(f.home.Module, *dir)
		}
	}
	all, rules, err := f.load()
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "compat-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	switch args[0] {
	case "run":
		return f.compare(all, rules, temp)
	case "record":
		return f.record(all, temp)
	case "replay":
		return f.replay(all, rules, temp)
	}
	return fmt.Errorf("%q is none of run, record, replay", args[0])
}

func (f *flags) load() ([]*scenario.Instance, *oracle.Rules, error) {
	list, err := scenario.Load(f.scenarios)
	if err != nil {
		return nil, nil, err
	}
	rules, err := oracle.LoadRules(filepath.Join(f.scenarios, "rules.txt"))
	if err != nil {
		return nil, nil, err
	}
	rows, err := oracle.Rows(f.rows)
	if err != nil {
		return nil, nil, err
	}
	return scenario.Expand(list), rules, oracle.CheckRows(rows, rules, list)
}

func (f *flags) compare(all []*scenario.Instance, rules *oracle.Rules, temp string) error {
	a, stopA, err := f.side("A", f.a, filepath.Join(temp, "a"))
	if err != nil {
		return err
	}
	defer stopA()
	b, stopB, err := f.side("B", f.b, filepath.Join(temp, "b"))
	if err != nil {
		return err
	}
	defer stopB()
	start := time.Now()
	r, err := oracle.Run(all, rules, a, b, oracle.Options{Only: f.only, Controller: a.Controller != "" && b.Controller != "", Pinned: b.Pinned, Progress: progress})
	if err != nil {
		return err
	}
	if f.generate > 0 {
		if f.seed == 0 {
			f.seed = uint64(time.Now().UnixNano())
		}
		if err := generate.Run(r, rules, a, b, f.generate, f.seed); err != nil {
			return err
		}
	}
	if r.NotServed, err = oracle.NotServed(a, b); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "asked in %s\n", time.Since(start).Round(time.Millisecond))
	return f.conclude(r, a.Name, b.Name)
}

func (f *flags) conclude(r *oracle.Report, a, b string) error {
	r.A, r.B = a, b
	r.Text(os.Stdout)
	if f.report != "" {
		if err := r.Save(f.report); err != nil {
			return err
		}
	}
	if r.Scenarios == 0 && r.Generated == 0 {
		return errors.New("no scenario was run")
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("%w: %w", errDiffers, err)
	}
	return nil
}

func (f *flags) record(all []*scenario.Instance, temp string) error {
	a, stop, err := f.side("A", f.a, filepath.Join(temp, "a"))
	if err != nil {
		return err
	}
	defer stop()
	g, err := oracle.Record(all, a, oracle.Options{Only: f.only, Controller: true, Progress: progress})
	if err != nil {
		return err
	}
	if len(g.Transcripts) == 0 {
		return errors.New("no scenario was run")
	}
	if f.only != "" { // keep the others
		if old, err := oracle.LoadGolden(f.golden); err == nil {
			for name, t := range old.Transcripts {
				if g.Transcripts[name] == nil {
					g.Transcripts[name] = t
				}
			}
		}
	}
	g.Reference = f.reference
	if err := g.Save(f.golden); err != nil {
		return err
	}
	fmt.Printf("%d scenarios recorded in %s\n", len(g.Transcripts), f.golden)
	return nil
}

func (f *flags) replay(all []*scenario.Instance, rules *oracle.Rules, temp string) error {
	g, err := oracle.LoadGolden(f.golden)
	if err != nil {
		return err
	}
	b, stop, err := f.side("B", f.b, filepath.Join(temp, "b"))
	if err != nil {
		return err
	}
	defer stop()
	start := time.Now()
	r, err := oracle.Run(all, rules, g, b, oracle.Options{Only: f.only, Controller: b.Controller != "", Pinned: b.Pinned, Progress: progress})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "asked in %s\n", time.Since(start).Round(time.Millisecond))
	return f.conclude(r, g.Reference+" (recorded)", b.Name)
}

func progress(done, all int) {
	if done%100 == 0 || done == all {
		fmt.Fprintf(os.Stderr, "%d of %d\n", done, all)
	}
}
