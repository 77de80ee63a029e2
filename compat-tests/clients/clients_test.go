package clients

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	update = flag.Bool("update", false, "write results.json")
	long   = os.Getenv("LONG") != ""
)

// result is a row of results.json.
type result struct {
	Client  string `json:"client"`
	Version string `json:"version"`
	Feature string `json:"feature"`
	Passed  bool   `json:"passed"`
	Note    string `json:"note"`
}

// Every client prints the one transcript against Dohle; with LONG=1 also against Apache Kafka, and then also the
// clients whose installation takes minutes.
func TestClients(t *testing.T) {
	sides := []string{"dohle"}
	if long {
		sides = append(sides, "kafka")
	}
	var mu sync.Mutex
	var rows []result
	t.Run("all", func(t *testing.T) {
		for _, c := range table() {
			for _, side := range sides {
				t.Run(strings.Map(plain, c.name)+"-"+strings.ReplaceAll(c.version, " ", "-")+"/"+side, func(t *testing.T) {
					if c.slow && !long {
						t.Skip("left to LONG=1: its installation compiles a C library for minutes")
					}
					t.Parallel()
					got := c.run(t, side)
					if side == "dohle" {
						mu.Lock()
						defer mu.Unlock()
						rows = append(rows, got...)
					}
				})
			}
		}
	})
	record(t, rows)
}

func plain(r rune) rune {
	if strings.ContainsRune("@/() ", r) {
		return -1
	}
	return r
}

// installed runs the Makefile's target once, three times at most; it does nothing when the client is there.
var installed = func() func(string) error {
	var mu sync.Mutex
	done := map[string]func() error{}
	return func(target string) error {
		mu.Lock()
		f := done[target]
		if f == nil {
			f = sync.OnceValue(func() error {
				for attempt := 1; ; attempt++ { // a registry may be away for a moment
					out, err := exec.Command("make", "-s", target).CombinedOutput()
					if err == nil {
						return nil
					}
					if attempt == 3 {
						return fmt.Errorf("make -C compat-tests/clients %s: %w\n%.4000s", target, err, out)
					}
					time.Sleep(10 * time.Second)
				}
			})
			done[target] = f
		}
		mu.Unlock()
		return f()
	}
}()

// asked are the steps that this client takes: all but what it lacks.
func (c client) asked() (steps []step) {
	for _, s := range transcript() {
		if _, lacks := c.lacks[s.name]; !lacks {
			steps = append(steps, s)
		}
	}
	return steps
}

// run starts a broker and the program, restarts the broker when it asks, and compares what it prints.
func (c client) run(t *testing.T, side string) (rows []result) {
	must(t, installed(c.make))
	steps := c.asked()
	var names []string
	for _, s := range steps {
		names = append(names, s.name)
	}
	b := startBroker(t, side)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	command := append(c.command(t), "--steps", strings.Join(names, ","), b.address, "orders")
	program := exec.CommandContext(ctx, command[0], command[1:]...)
	var stderr bytes.Buffer
	program.Stderr = &stderr
	stdin, err := program.StdinPipe()
	must(t, err)
	stdout, err := program.StdoutPipe()
	must(t, err)
	began := time.Now()
	must(t, program.Start())
	printed, all, restarts := map[string]string{}, []string{}, 0
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		all = append(all, lines.Text())
		if lines.Text() == "restart please" {
			restarts++
			b.restart()
			io.WriteString(stdin, "restarted\n")
			continue
		}
		name, line, _ := strings.Cut(lines.Text(), ": ")
		printed[name] = line
	}
	ended := program.Wait()
	t.Logf("%s %s against %s in %.1f s:\n%s", c.name, c.version, side, time.Since(began).Seconds(), strings.Join(all, "\n"))
	wrong := 0
	for _, s := range steps {
		r := result{Client: c.name, Version: c.version, Feature: s.name, Passed: printed[s.name] == s.line}
		if !r.Passed {
			wrong++
			t.Errorf("%s: want %q, got %q", s.name, s.line, printed[s.name])
			r.Note = fmt.Sprintf("printed %q instead of %q", printed[s.name], s.line)
		}
		rows = append(rows, r)
	}
	if want := len(slices.DeleteFunc(names, func(n string) bool { return n != "restart" })); restarts != want {
		t.Errorf("the program asked for %d restarts, not %d", restarts, want)
	}
	if ended != nil || wrong > 0 {
		t.Errorf("%v ended with %v; its stderr:\n%.3000s", command[0], ended, stderr.String())
	}
	return rows
}

// record writes the rows of the clients that ran into results.json, or says that they differ from what stands there.
func record(t *testing.T, rows []result) {
	var known []result
	if text, err := os.ReadFile("results.json"); err == nil {
		must(t, json.Unmarshal(text, &known))
	}
	ran := map[string]bool{}
	for _, r := range rows {
		ran[r.Client+r.Version] = true
	}
	if !*update {
		for _, r := range rows {
			if !slices.Contains(known, r) {
				t.Errorf("results.json does not say %+v: go test ./clients -run TestClients -update", r)
			}
		}
		return
	}
	merged := append(slices.DeleteFunc(known, func(r result) bool { return ran[r.Client+r.Version] }), rows...)
	order := func(r result) (int, int) {
		return slices.IndexFunc(table(), func(c client) bool { return c.name == r.Client && c.version == r.Version }),
			slices.IndexFunc(transcript(), func(s step) bool { return s.name == r.Feature })
	}
	merged = slices.DeleteFunc(merged, func(r result) bool { i, k := order(r); return i < 0 || k < 0 })
	slices.SortFunc(merged, func(a, b result) int {
		ai, ak := order(a)
		bi, bk := order(b)
		return cmp.Or(cmp.Compare(ai, bi), cmp.Compare(ak, bk))
	})
	var text strings.Builder
	text.WriteString("[\n")
	for i, r := range merged {
		line, err := json.Marshal(r)
		must(t, err)
		text.Write(line)
		if i < len(merged)-1 {
			text.WriteByte(',')
		}
		text.WriteByte('\n')
	}
	text.WriteString("]\n")
	must(t, os.WriteFile("results.json", []byte(text.String()), 0o644))
}
