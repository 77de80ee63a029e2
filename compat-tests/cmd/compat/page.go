package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/dohle-io/dohle/compat-tests/oracle"
	"github.com/dohle-io/dohle/compat-tests/wire"
)

// Result is what one stock client came to with one feature: an element of clients/results.json.
type Result struct {
	Client  string `json:"client"`
	Version string `json:"version"`
	Feature string `json:"feature"`
	Passed  bool   `json:"passed"`
	Note    string `json:"note"`
}

// writePage asks side B all that is recorded and writes what came out, with all else that a user wants to know first.
func (f *flags) writePage(temp string) error {
	f.only = ""
	r, reference, b, err := f.ask(temp)
	if err != nil {
		return err
	}
	results, err := readResults(f.results)
	if err != nil {
		return err
	}
	rows, err := os.ReadFile(f.rows)
	if err != nil {
		return err
	}
	var out strings.Builder
	reference = strings.TrimSuffix(reference, " (recorded)")
	fmt.Fprintf(&out, `# Compatibility

Dohle emulates %s. This page is made by `+"`make compatibility`"+` from what was asked and answered; nobody writes it.

`, reference)
	known := len(r.Differing) - len(r.Unexplained())
	fmt.Fprintf(&out, "%d scenarios with %d requests were put to %s and to Dohle: %d places differ and are explained in the list below,\n%d differ and are not.\n",
		r.Scenarios, r.Requests, reference, known, len(r.Unexplained()))
	f.clients(&out, results)
	served(&out, r, b)
	deviations(&out, string(rows))
	if err := os.WriteFile(f.page, []byte(out.String()), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s is written\n", f.page)
	if err := r.Err(); err != nil {
		r.Text(os.Stdout)
		return fmt.Errorf("%w: %w", errDiffers, err)
	}
	return nil
}

// readResults reads what the clients' runs left; there may be none yet.
func readResults(file string) ([]Result, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []Result
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, nil
}

func (f *flags) clients(out *strings.Builder, results []Result) {
	fmt.Fprint(out, "\n## Stock clients\n\n")
	if len(results) == 0 {
		fmt.Fprint(out, "No results are recorded: `make clients` makes them.\n")
		return
	}
	var features, clients []string
	cells := map[string]string{}
	var notes []string
	for _, r := range results {
		client := r.Client + " | " + r.Version
		if !slices.Contains(features, r.Feature) {
			features = append(features, r.Feature)
		}
		if !slices.Contains(clients, client) {
			clients = append(clients, client)
		}
		cell := "pass"
		if !r.Passed {
			cell = "**fail**"
		}
		if r.Note != "" {
			if !slices.Contains(notes, r.Note) {
				notes = append(notes, r.Note)
			}
			cell += fmt.Sprintf(" (%d)", slices.Index(notes, r.Note)+1)
		}
		cells[client+"\x00"+r.Feature] = cell
	}
	fmt.Fprintf(out, "| Client | Version | %s |\n|---|---|%s\n", strings.Join(features, " | "), strings.Repeat("---|", len(features)))
	for _, client := range clients {
		fmt.Fprintf(out, "| %s |", client)
		for _, feature := range features {
			cell := cells[client+"\x00"+feature]
			if cell == "" {
				cell = "–"
			}
			fmt.Fprintf(out, " %s |", cell)
		}
		fmt.Fprintln(out)
	}
	for i, note := range notes {
		fmt.Fprintf(out, "\n(%d) %s\n", i+1, note)
	}
}

func served(out *strings.Builder, r *oracle.Report, b *oracle.Side) {
	fmt.Fprint(out, `
## Requests

The ranges are those that ApiVersions answers. Scenarios speak each version; "explained" and "not" count the answers that
differ from the reference's.

| Key | Request | Clients | Controllers | Apache Kafka's | Scenarios | Answers | Explained | Not |
|---|---|---|---|---|---|---|---|---|
`)
	sums := map[string]oracle.Row{}
	for _, row := range r.Rows {
		sum := sums[row.API]
		sum.Equal, sum.Known, sum.Differs = sum.Equal+row.Equal, sum.Known+row.Known, sum.Differs+row.Differs
		sums[row.API] = sum
	}
	var not []string
	for _, m := range wire.Requests() {
		clients, ofClients := b.Serves[m.Key]
		controllers, ofControllers := b.ServesControllers[m.Key]
		sum := sums[m.Name]
		answers := sum.Equal + sum.Known + sum.Differs
		if !ofClients && !ofControllers && answers == 0 {
			not = append(not, m.Name)
			continue
		}
		fmt.Fprintf(out, "| %d | %s | %s | %s | %s | %d | %d | %d | %d |\n", m.Key, m.Name, rangeOf(clients, ofClients), rangeOf(controllers, ofControllers),
			m.Valid, r.ByAPI[m.Name], answers, sum.Known, sum.Differs)
	}
	fmt.Fprintf(out, "\nNot served, and not advertised: %s.\n", strings.Join(not, ", "))
}

func rangeOf(r wire.Range, ok bool) string {
	if !ok {
		return "–"
	}
	return r.String()
}

var tableRow = regexp.MustCompile(`^\| ([A-Z][0-9]+) \| (.*) \| (.*) \| (.*) \| (.*) \|$`)

// deviations repeats the known differences, without reasons and tests.
func deviations(out *strings.Builder, rows string) {
	fmt.Fprint(out, "\n## Known differences\n\nWhat is not in this list and differs is a bug. [docs/divergence.md](docs/divergence.md) gives each one's reason and the\ntest that pins it.\n")
	heading, opened := "", ""
	for line := range strings.Lines(rows) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "## "); ok {
			heading = rest
		}
		m := tableRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if opened != heading {
			fmt.Fprintf(out, "\n### %s\n\n| Id | Apache Kafka | Dohle |\n|---|---|---|\n", heading)
			opened = heading
		}
		fmt.Fprintf(out, "| %s | %s | %s |\n", m[1], m[2], m[3])
	}
}
