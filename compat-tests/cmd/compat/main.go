// Command compat asks two brokers the same and reports every difference.
//
//	compat run --a kafka --b dohle                 Apache Kafka and Dohle, both started here
//	compat run --a kafka --b 10.0.0.7:9092         any address may stand on either side
//	compat run --a kafka --b kafka:4.3.1           two versions of Apache Kafka
//	compat record                                  keeps what Apache Kafka answers in golden/
//	compat replay --b dohle                        compares with what is kept, without Java
//	compat kafka install                           brings Apache Kafka and makes kafka/bin
//	compat kafka start --nodes 3                   starts it until it is interrupted
//	compat page                                    writes COMPATIBILITY.md
//
// A side is kafka, kafka:VERSION, the folder of an Apache Kafka, dohle, the path of a binary with Dohle's commands, kfake,
// an address, or an address of clients and one of controllers: host:port,host:port.
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
	"strings"
	"time"

	"github.com/dohle-io/dohle/compat-tests/generate"
	"github.com/dohle-io/dohle/compat-tests/node"
	"github.com/dohle-io/dohle/compat-tests/oracle"
	"github.com/dohle-io/dohle/compat-tests/scenario"
)

// errDiffers ends with 1; what was found has been printed.
var errDiffers = errors.New("the two differ")

func main() {
	endWithSignals()
	err := run(os.Args[1:])
	switch {
	case err == nil:
	case node.Ended():
		fmt.Fprintln(os.Stderr, "compat: ended by a signal before all was asked")
		os.Exit(2)
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
	only, like        string
	generate          int
	seed              uint64
	workers           int
	nodes             int
	config, dir       string
	results, page     string
}

// commands are what the first words may be, with what each does in a temporary folder.
var commands = map[string]func(f *flags, temp string) error{
	"run":           (*flags).compare,
	"record":        (*flags).record,
	"replay":        (*flags).replay,
	"page":          (*flags).writePage,
	"kafka install": (*flags).installKafka,
	"kafka start":   (*flags).startKafka,
}

func run(args []string) error {
	const say = "say run, record, replay, page, kafka install or kafka start"
	if len(args) == 0 {
		return errors.New(say)
	}
	name, rest := args[0], args[1:]
	if name == "kafka" {
		if len(rest) == 0 || strings.HasPrefix(rest[0], "-") {
			return errors.New("kafka: say kafka install or kafka start")
		}
		name, rest = name+" "+rest[0], rest[1:]
	}
	command := commands[name]
	if command == nil {
		return fmt.Errorf("%q is no command: %s", name, say)
	}
	var f flags
	set := flag.NewFlagSet("compat "+name, flag.ContinueOnError)
	set.StringVar(&f.home.Module, "module", ".", "folder of compat-tests")
	set.StringVar(&f.home.Dohle, "dohle", "../bin/dohle", "Dohle's binary")
	set.StringVar(&f.a, "a", "kafka", "first side: kafka, kafka:VERSION, dohle, kfake, a path, or an address; with a controller: client,controller")
	set.StringVar(&f.b, "b", "dohle", "second side")
	set.StringVar(&f.scenarios, "scenarios", "scenarios", "folder of scenarios")
	set.StringVar(&f.golden, "golden", "golden", "folder of recorded answers")
	set.StringVar(&f.rows, "rows", "../docs/divergence.md", "known differences")
	set.StringVar(&f.report, "report", "", "folder to write report.txt, .json and .html into")
	set.StringVar(&f.only, "only", "", "pattern of the scenarios to run, such as 'fetch/*'")
	set.IntVar(&f.generate, "generate", 0, "how many random requests to compare")
	set.StringVar(&f.like, "like", "", "random requests only of APIs that this side serves")
	set.Uint64Var(&f.seed, "seed", 0, "seed of the random requests; 0 takes one from the clock")
	set.IntVar(&f.workers, "workers", 0, "how many scenarios at once; 0: 12")
	set.IntVar(&f.nodes, "nodes", 1, "kafka start: how many nodes, 1 to 9")
	set.StringVar(&f.config, "config", "", "kafka start: server.properties to start from")
	set.StringVar(&f.dir, "dir", "", "kafka start: folder of the nodes; empty: a temporary one")
	set.StringVar(&f.results, "results", "clients/results.json", "page: what the stock clients' runs came to")
	set.StringVar(&f.page, "page", "../COMPATIBILITY.md", "page: the file to write")
	set.SetOutput(io.Discard)
	if err := set.Parse(rest); errors.Is(err, flag.ErrHelp) {
		set.SetOutput(os.Stdout)
		set.PrintDefaults()
		return nil
	} else if err != nil {
		return fmt.Errorf("%w: compat %s -help lists what can be said", err, name)
	}
	if set.NArg() > 0 {
		return fmt.Errorf("%q is not understood: flags only", set.Arg(0))
	}
	for _, dir := range []*string{&f.scenarios, &f.golden, &f.rows, &f.home.Dohle, &f.results, &f.page} {
		if !filepath.IsAbs(*dir) {
			*dir = filepath.Join(f.home.Module, *dir)
		}
	}
	temp, err := os.MkdirTemp("", "compat-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	return command(&f, temp)
}

func (f *flags) load() ([]*scenario.Instance, *oracle.Rules, error) {
	if _, err := os.Stat(f.scenarios); err != nil {
		return nil, nil, fmt.Errorf("scenarios: %w: start compat in the folder compat-tests, or name that by -module", err)
	}
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

func (f *flags) options(controller, pinned bool) oracle.Options {
	return oracle.Options{Only: f.only, Controller: controller, Pinned: pinned, Workers: f.workers, Progress: progress}
}

func (f *flags) compare(temp string) error {
	all, rules, err := f.load()
	if err != nil {
		return err
	}
	sides, stop, err := f.both(temp)
	if err != nil {
		return err
	}
	defer stop()
	a, b := sides[0], sides[1]
	if f.like != "" {
		c, stopC, err := f.side("C", f.like, filepath.Join(temp, "C"))
		if err != nil {
			return err
		}
		a.Like, err = c.Served()
		stopC()
		if err != nil {
			return err
		}
	}
	r := oracle.NewReport()
	if f.generate > 0 { // first, while the brokers have the same topics: some requests ask for all
		start := time.Now()
		if f.seed == 0 {
			f.seed = uint64(start.UnixNano())
		}
		err := generate.Run(r, rules, a, b, f.generate, f.seed)
		if err := alive(err, a, b); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "random requests of seed %d asked in %s\n", f.seed, time.Since(start).Round(time.Millisecond))
	}
	start := time.Now()
	options := f.options(a.Controller != "" && b.Controller != "", b.Pinned && f.a == "kafka")
	options.Report = r
	_, err = oracle.Run(all, rules, a, b, options)
	if err := alive(err, a, b); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "scenarios asked in %s\n", time.Since(start).Round(time.Millisecond))
	if r.NotServed, err = oracle.NotServed(a, b); err != nil {
		return err
	}
	err = f.conclude(r, a.Name, b.Name)
	if errors.Is(err, errDiffers) && f.report != "" {
		err = errors.Join(err, f.keepPrinted("A", a), f.keepPrinted("B", b))
	}
	return err
}

// keepPrinted leaves what a broker printed beside the report, to find out why it answered as it did.
func (f *flags) keepPrinted(letter string, s *oracle.Side) error {
	if s.Printed == nil {
		return nil
	}
	file := filepath.Join(f.report, letter+".log")
	fmt.Printf("%s printed: %s\n", s.Name, file)
	return os.WriteFile(file, []byte(s.Printed()), 0o644)
}

func (f *flags) conclude(r *oracle.Report, a, b string) error {
	r.A, r.B = a, b
	r.Text(os.Stdout)
	if f.report != "" {
		if err := r.Save(f.report); err != nil {
			return err
		}
		fmt.Printf("report: %s\n", filepath.Join(f.report, "report.html"))
	}
	if r.Scenarios == 0 {
		return f.noScenario()
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("%w: %w", errDiffers, err)
	}
	return nil
}

func (f *flags) noScenario() error {
	if f.only == "" {
		return errors.New("no scenario was run")
	}
	return fmt.Errorf("no scenario was run: none of %s has a name like %q; names are file/title, as in 'fetch/*'", f.scenarios, f.only)
}

func (f *flags) record(temp string) error {
	all, _, err := f.load()
	if err != nil {
		return err
	}
	a, stop, err := f.side("A", f.a, filepath.Join(temp, "a"))
	if err != nil {
		return err
	}
	defer stop()
	g, err := oracle.Record(all, a, f.options(true, false))
	if err != nil {
		return err
	}
	if len(g.Transcripts) == 0 {
		return f.noScenario()
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
	g.Reference = a.Name
	if err := g.Save(f.golden); err != nil {
		return err
	}
	fmt.Printf("%d scenarios recorded in %s\n", len(g.Transcripts), f.golden)
	return nil
}

func (f *flags) replay(temp string) error {
	r, reference, b, err := f.ask(temp)
	if err != nil {
		return err
	}
	return f.conclude(r, reference, b.Name)
}

// ask compares side B with what is recorded. The side that is returned has ended.
func (f *flags) ask(temp string) (*oracle.Report, string, *oracle.Side, error) {
	all, rules, err := f.load()
	if err != nil {
		return nil, "", nil, err
	}
	g, err := oracle.LoadGolden(f.golden)
	if err != nil {
		return nil, "", nil, err
	}
	if err := g.Has(all, f.only); err != nil {
		return nil, "", nil, err
	}
	b, stop, err := f.side("B", f.b, filepath.Join(temp, "b"))
	if err != nil {
		return nil, "", nil, err
	}
	defer stop()
	start := time.Now()
	r, err := oracle.Run(all, rules, g, b, f.options(b.Controller != "", b.Pinned))
	if err := alive(err, b); err != nil {
		return nil, "", nil, err
	}
	fmt.Fprintf(os.Stderr, "scenarios asked in %s\n", time.Since(start).Round(time.Millisecond))
	if b.Serves, b.ServesControllers, err = b.Advertised(); err != nil {
		return nil, "", nil, err
	}
	return r, g.Reference + " (recorded)", b, nil
}

func progress(done, all int) {
	if done%500 == 0 || done == all {
		fmt.Fprintf(os.Stderr, "%d of %d\n", done, all)
	}
}
