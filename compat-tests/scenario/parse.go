package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/dohle-io/dohle/compat-tests/wire"
)

// Scenario is one conversation as it stands in a file.
type Scenario struct {
	File       string // base name without extension
	Line       int
	Title      string
	API        string // of `versions`
	Versions   wire.Range
	Each       []Each
	Controller bool
	Steps      []*Step
}

// Each is a variable with the values that the scenario is run with.
type Each struct {
	Name   string
	Values []string
}

// Kinds of steps.
const (
	Topic   = "topic"
	Group   = "group"
	Produce = "produce"
	On      = "on"
	Drop    = "drop"
	Client  = "client"
	Ask     = ">"
	Receive = "receive"
	Raw     = "raw"
)

// Step is one line and what follows it.
type Step struct {
	Kind string
	Line int
	Name string // topic, connection, client id, or API
	Args string // partitions, partition, "controller", version without v, or hex
	Body string // JSON with variables

	Captures []Capture
	Until    *Condition
	Filters  []Filter
	Masks    []string
	Sorts    []string
	Differs  []Differs
	Send     bool
	Quiet    bool
	Frame    []Mangle
}

type (
	// Capture keeps a value of an answer.
	Capture struct{ Name, Path string }
	// Condition is what an answer is asked for until it says so.
	Condition struct{ Path, Value string }
	// Filter keeps elements of a list.
	Filter struct{ Path, Field, Prefix string }
	// Differs is a known difference.
	Differs struct{ ID, Path string }
	// Mangle makes a frame wrong.
	Mangle struct{ What, Value string }
)

// Load reads all scenarios of a folder, file by file.
func Load(dir string) ([]*Scenario, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	var all []*Scenario
	for _, file := range files {
		if filepath.Base(file) == "rules.txt" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		list, err := Parse(file, string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no scenario in %s", dir)
	}
	return all, nil
}

type parser struct {
	file string
	line int
	all  []*Scenario
	cur  *Scenario
	last *Step
}

// Parse reads the scenarios of one file and checks every name in them.
func Parse(file, text string) ([]*Scenario, error) {
	p := &parser{file: file}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimRight(lines[i], " \t\r")
		p.line = i + 1
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			return nil, p.fail("nothing stands before this line that it could go on with")
		}
		for i+1 < len(lines) && lines[i+1] != "" && (lines[i+1][0] == ' ' || lines[i+1][0] == '\t') {
			i++
			line += " " + strings.TrimSpace(lines[i])
		}
		if err := p.command(line); err != nil {
			return nil, err
		}
	}
	titles := map[string]bool{}
	for _, s := range p.all {
		if titles[s.Title] {
			return nil, fmt.Errorf("%s:%d: a second scenario is called %q", file, s.Line, s.Title)
		}
		titles[s.Title] = true
		if len(s.Steps) == 0 {
			return nil, fmt.Errorf("%s:%d: the scenario asks nothing", file, s.Line)
		}
	}
	return p.all, nil
}

func (p *parser) fail(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.file, p.line, fmt.Sprintf(format, args...))
}

func (p *parser) command(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	if word == "scenario" {
		p.cur = &Scenario{File: strings.TrimSuffix(filepath.Base(p.file), ".txt"), Line: p.line, Title: rest}
		p.all, p.last = append(p.all, p.cur), nil
		return nil
	}
	if p.cur == nil {
		return p.fail("%q stands before the first scenario", word)
	}
	if done, err := p.heading(word, rest); done || err != nil {
		return err
	}
	if done, err := p.option(word, rest); done || err != nil {
		return err
	}
	s := &Step{Kind: word, Line: p.line}
	args := strings.Fields(rest)
	switch word {
	case Topic, Produce:
		head, body, found := strings.Cut(rest, "{")
		if found {
			s.Body = "{" + body
		}
		words := strings.Fields(head)
		if len(words) == 0 || len(words) > 2 || word == Produce && (len(words) != 2 || !found) {
			return p.fail("%s needs a topic and what to do with it", word)
		}
		s.Name, s.Args = words[0], "1"
		if len(words) == 2 {
			s.Args = words[1]
		}
	case On:
		if len(args) == 0 || len(args) > 2 || len(args) == 2 && args[1] != "controller" {
			return p.fail("on NAME [controller]")
		}
		s.Name, s.Args = args[0], strings.Join(args[1:], "")
		p.cur.Controller = p.cur.Controller || s.Args != ""
	case Client:
		s.Name = rest
	case Group:
		if len(args) != 1 {
			return p.fail("group NAME")
		}
		s.Name = args[0]
	case Raw:
		s.Args = rest
	case Receive, Drop:
	case Ask:
		if err := p.ask(s, rest); err != nil {
			return err
		}
	default:
		return p.fail("no command is called %q", word)
	}
	p.cur.Steps, p.last = append(p.cur.Steps, s), s
	return nil
}

func (p *parser) heading(word, rest string) (bool, error) {
	args := strings.Fields(rest)
	switch word {
	case "versions":
		if len(args) == 0 {
			return true, p.fail("versions of which API?")
		}
		m, err := wire.Request(args[0])
		if err != nil {
			return true, p.fail("%v", err)
		}
		p.cur.API, p.cur.Versions = m.Name, m.Valid
		if len(args) > 1 {
			low, high, _ := strings.Cut(args[1], "-")
			a, err1 := strconv.Atoi(low)
			b, err2 := strconv.Atoi(high)
			if err1 != nil || err2 != nil || a > b {
				return true, p.fail("versions are MIN-MAX, not %q", args[1])
			}
			p.cur.Versions = wire.Range{Min: int16(a), Max: int16(b)}
		}
	case "each":
		if len(args) < 2 {
			return true, p.fail("each NAME VALUE…")
		}
		p.cur.Each = append(p.cur.Each, Each{args[0], args[1:]})
	case "needs":
		if rest != "controller" {
			return true, p.fail("only a controller can be needed")
		}
		p.cur.Controller = true
	default:
		return false, nil
	}
	return true, nil
}

var identifier = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9]*$`)

func (p *parser) ask(s *Step, rest string) error {
	head, body, found := strings.Cut(rest, "{")
	if found {
		s.Body = "{" + body
	} else {
		s.Body = "{}"
	}
	words := strings.Fields(head)
	if len(words) == 0 || len(words) > 2 {
		return p.fail("a request is > API [vN] {…}")
	}
	m, err := wire.Request(words[0])
	if err != nil {
		return p.fail("%v", err)
	}
	s.Name = m.Name
	if len(words) == 2 {
		s.Args = strings.TrimPrefix(words[1], "v")
		if _, err := strconv.Atoi(s.Args); err != nil && !strings.HasPrefix(s.Args, "$") {
			return p.fail("%q is no version", words[1])
		}
	}
	values, err := wire.ParseJSON([]byte(anyVariable.ReplaceAllString(s.Body, "0")))
	if err != nil {
		return p.fail("%v in %s", err, s.Body)
	}
	if err := wire.Check(m, values.(map[string]any)); err != nil {
		return p.fail("%v", err)
	}
	return nil
}

func (p *parser) option(word, rest string) (bool, error) {
	args := strings.Fields(rest)
	want := map[string]int{"capture": 2, "until": 2, "filter": 3, "mask": 1, "sort": 1, "differs": 2, "send": 0, "quiet": 0, "frame": 2}
	n, known := want[word]
	if !known {
		return false, nil
	}
	if p.last == nil || p.last.Kind != Ask && p.last.Kind != Raw && p.last.Kind != Receive {
		return true, p.fail("%s follows a request", word)
	}
	if len(args) != n {
		return true, p.fail("%s takes %d words", word, n)
	}
	s := p.last
	switch word {
	case "capture":
		if !identifier.MatchString(args[0]) {
			return true, p.fail("%q cannot be a variable's name", args[0])
		}
		s.Captures = append(s.Captures, Capture{args[0], args[1]})
	case "until":
		s.Until = &Condition{args[0], args[1]}
	case "filter":
		s.Filters = append(s.Filters, Filter{args[0], args[1], args[2]})
	case "mask":
		s.Masks = append(s.Masks, args[0])
	case "sort":
		s.Sorts = append(s.Sorts, args[0])
	case "differs":
		s.Differs = append(s.Differs, Differs{args[0], args[1]})
	case "send":
		s.Send = true
	case "quiet":
		s.Quiet = true
	case "frame":
		s.Frame = append(s.Frame, Mangle{args[0], args[1]})
	}
	return true, nil
}
