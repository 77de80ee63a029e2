package oracle

import (
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/dohle-io/dohle/compat-tests/wire"
)

// Report is what a run found.
type Report struct {
	A         string       `json:"a"`
	B         string       `json:"b"`
	Scenarios int          `json:"scenarios"`
	Requests  int          `json:"requests"`
	Generated int          `json:"generated"`
	Seed      uint64       `json:"seed,omitempty"`
	Skipped   int          `json:"skipped"`
	Rows      []*Row       `json:"apis"`
	Differing []Difference `json:"differences"`
	Missing   []string     `json:"missing"` // known differences that did not show
	Faults    []string     `json:"faults"`  // scenarios that the reference did not get through
	NotServed []string     `json:"notServed"`

	ByAPI map[string]int `json:"scenariosByAPI"` // how many scenarios ask each API

	rows map[string]*Row
}

// Row counts the answers of an API at a version.
type Row struct {
	API     string `json:"api"`
	Version int16  `json:"version"`
	Equal   int    `json:"equal"`
	Known   int    `json:"known"`
	Differs int    `json:"differs"`
}

// NewReport is an empty one.
func NewReport() *Report { return &Report{rows: map[string]*Row{}, ByAPI: map[string]int{}} }

func (r *Report) row(api string, version int16) *Row {
	if api == "" {
		api = "(raw frames)"
	}
	key := fmt.Sprintf("%s %d", api, version)
	row := r.rows[key]
	if row == nil {
		row = &Row{API: api, Version: version}
		r.rows[key] = row
		r.Rows = append(r.Rows, row)
	}
	return row
}

func (r *Report) add(a *Transcript, found []Difference, missing []string) {
	r.Scenarios++
	r.Missing = append(r.Missing, missing...)
	r.Differing = append(r.Differing, found...)
	worst := map[string]int{}
	for _, d := range found {
		key := fmt.Sprintf("%s %d", d.API, d.Version)
		if d.ID == "" {
			worst[key] = 2
		} else {
			worst[key] = max(worst[key], 1)
		}
	}
	asked := map[string]bool{}
	for _, s := range a.Steps {
		r.Requests++
		if s.API != "" && !asked[s.API] {
			asked[s.API] = true
			r.ByAPI[s.API]++
		}
		row := r.row(s.API, s.Version)
		switch worst[fmt.Sprintf("%s %d", s.API, s.Version)] {
		case 0:
			row.Equal++
		case 1:
			row.Known++
		default:
			row.Differs++
		}
	}
}

// Unexplained are the differences that no row explains.
func (r *Report) Unexplained() []Difference {
	var list []Difference
	for _, d := range r.Differing {
		if d.ID == "" {
			list = append(list, d)
		}
	}
	return list
}

// Err says why the run failed, nil if it passed.
func (r *Report) Err() error {
	switch {
	case r.Scenarios == 0 && r.Generated == 0:
		return fmt.Errorf("no scenario was run")
	case len(r.Faults) > 0:
		return fmt.Errorf("the reference did not get through %d scenarios, the first: %s", len(r.Faults), r.Faults[0])
	case len(r.Unexplained()) > 0:
		return fmt.Errorf("%d differences are not explained", len(r.Unexplained()))
	case len(r.Missing) > 0:
		return fmt.Errorf("%d known differences did not show, the first: %s", len(r.Missing), r.Missing[0])
	}
	return nil
}

func (r *Report) sort() {
	key := func(x *Row) int16 {
		if m, err := wire.Request(x.API); err == nil {
			return m.Key
		}
		return 32767
	}
	sort.SliceStable(r.Rows, func(i, j int) bool {
		if a, b := key(r.Rows[i]), key(r.Rows[j]); a != b {
			return a < b
		}
		return r.Rows[i].Version < r.Rows[j].Version
	})
}

// Text writes the report for a terminal.
func (r *Report) Text(w io.Writer) {
	r.sort()
	fmt.Fprintf(w, "A: %s\nB: %s\n\n", r.A, r.B)
	shown := map[string]int{}
	for _, d := range r.Unexplained() {
		alike := fmt.Sprint(numbers.ReplaceAllString(d.Place, "[]"), d.Line, d.API, d.A, d.B)
		if shown[alike]++; shown[alike] > 1 { // the same at other versions and places
			continue
		}
		fmt.Fprintf(w, "%s line %d\n  %s v%d at %s\n    A %s\n    B %s\n", d.Scenario, d.Line, d.API, d.Version, d.Place, d.A, d.B)
		if d.Request != "" {
			fmt.Fprintf(w, "    asked %.400s\n", d.Request)
		}
	}
	for _, m := range r.Missing {
		fmt.Fprintf(w, "known difference that did not show: %s\n", m)
	}
	for _, f := range r.Faults {
		fmt.Fprintf(w, "fault of the reference: %s\n", f)
	}
	fmt.Fprintf(w, "%-30s %-10s %7s %7s %7s\n", "API", "versions", "equal", "known", "differs")
	for i := 0; i < len(r.Rows); {
		j, sum := i, Row{}
		for ; j < len(r.Rows) && r.Rows[j].API == r.Rows[i].API; j++ {
			sum.Equal += r.Rows[j].Equal
			sum.Known += r.Rows[j].Known
			sum.Differs += r.Rows[j].Differs
		}
		fmt.Fprintf(w, "%-30s %-10s %7d %7d %7d\n", r.Rows[i].API, fmt.Sprintf("%d-%d", r.Rows[i].Version, r.Rows[j-1].Version), sum.Equal, sum.Known, sum.Differs)
		i = j
	}
	known := map[string]int{}
	for _, d := range r.Differing {
		if d.ID != "" {
			known[d.ID]++
		}
	}
	var ids []string
	for id, n := range known {
		ids = append(ids, fmt.Sprintf("%s %d", id, n))
	}
	slices.Sort(ids)
	if len(ids) > 0 {
		fmt.Fprintf(w, "\nknown differences seen: %s\n", strings.Join(ids, ", "))
	}
	if len(r.NotServed) > 0 {
		fmt.Fprintf(w, "not served by B: %s\n", strings.Join(r.NotServed, ", "))
	}
	fmt.Fprintf(w, "\n%d scenarios, %d requests in them, %d generated requests, %d scenarios left out, %d differences known, %d not explained\n",
		r.Scenarios, r.Requests, r.Generated, r.Skipped, len(r.Differing)-len(r.Unexplained()), len(r.Unexplained()))
}

// numbers are the places in lists, which reports of equal kind may differ in.
var numbers = regexp.MustCompile(`\[[0-9]+\]`)

// Save writes report.txt, report.json and report.html into a folder.
func (r *Report) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var text strings.Builder
	r.Text(&text)
	if err := os.WriteFile(filepath.Join(dir, "report.txt"), []byte(text.String()), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "report.json"), []byte(wire.JSON(r)+"\n"), 0o644); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "report.html"))
	if err != nil {
		return err
	}
	defer f.Close()
	return page.Execute(f, r)
}

var page = template.Must(template.New("report").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Same questions, two brokers</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1d2733}
table{border-collapse:collapse;width:100%;margin:1rem 0}td,th{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #d8dee6;vertical-align:top}
td.n{text-align:right}code{white-space:pre-wrap;word-break:break-all;font-size:13px}.bad{background:#fde8e8}.known{background:#fff6dd}.good{color:#1a7f45}
</style>
<h1>Same questions, two brokers</h1>
<p>A: {{.A}}<br>B: {{.B}}</p>
<p>{{.Scenarios}} scenarios with {{.Requests}} requests, {{.Generated}} generated requests, {{.Skipped}} scenarios left out.
{{with .Unexplained}}<strong>{{len .}} differences that no row explains.</strong>{{else}}<strong class="good">No difference that is not explained.</strong>{{end}}</p>
{{with .Differing}}<h2>Differences</h2><table><tr><th>Scenario<th>Request<th>Place<th>A<th>B<th>Row</tr>
{{range .}}<tr class="{{if .ID}}known{{else}}bad{{end}}"><td>{{.Scenario}}, line {{.Line}}<td>{{.API}} v{{.Version}}<td><code>{{.Place}}</code><td><code>{{.A}}</code><td><code>{{.B}}</code><td>{{.ID}}</tr>
{{end}}</table>{{end}}
<h2>Requests</h2><table><tr><th>API<th>Version<th>Equal<th>Known<th>Differs</tr>
{{range .Rows}}<tr{{if .Differs}} class="bad"{{else if .Known}} class="known"{{end}}><td>{{.API}}<td class="n">{{.Version}}<td class="n">{{.Equal}}<td class="n">{{.Known}}<td class="n">{{.Differs}}</tr>
{{end}}</table>
{{with .NotServed}}<h2>Not served by B</h2><p>{{range $i, $n := .}}{{if $i}}, {{end}}{{$n}}{{end}}</p>{{end}}
</html>
`))
