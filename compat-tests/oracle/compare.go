package oracle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dohle-io/dohle/compat-tests/scenario"
	"github.com/dohle-io/dohle/compat-tests/wire"
)

// Difference is one place at which two sides are not equal.
type Difference struct {
	Scenario string `json:"scenario"`
	Line     int    `json:"line"`
	API      string `json:"api"`
	Version  int16  `json:"version"`
	Place    string `json:"place"` // path into the answer, or effect, or fault
	A        string `json:"a"`
	B        string `json:"b"`
	ID       string `json:"id,omitempty"` // row that explains it
	Request  string `json:"request,omitempty"`
}

// comparison walks two answers.
type comparison struct {
	rules *Rules
	api   string
	found func(place string, a, b any)
}

// Compare lists the differences of two transcripts of one scenario, and the known ones that did not show.
func Compare(inst *scenario.Instance, rules *Rules, a, b *Transcript) (found []Difference, missing []string) {
	if a.Fault != b.Fault {
		found = append(found, Difference{Scenario: inst.Name, Line: inst.Line, Place: "fault", A: a.Fault, B: b.Fault})
	}
	n := max(len(a.Steps), len(b.Steps))
	asked := inst.Asked()
	for i := range n {
		if i >= len(a.Steps) || i >= len(b.Steps) || i >= len(asked) {
			found = append(found, Difference{Scenario: inst.Name, Line: inst.Line, Place: "steps", A: fmt.Sprint(len(a.Steps)), B: fmt.Sprint(len(b.Steps))})
			break
		}
		x, y, step := a.Steps[i], b.Steps[i], asked[i]
		seen := map[string]bool{}
		add := func(place string, va, vb any) {
			d := Difference{Scenario: inst.Name, Line: step.Line, API: x.API, Version: x.Version, Place: place, A: brief(va), B: brief(vb), Request: y.Request}
			for _, known := range step.Differs {
				if scenario.Covers(known.Path, place) {
					d.ID = known.ID
					seen[known.ID+" "+known.Path] = true
				}
			}
			if d.ID == "" {
				d.ID = rules.explains(x.API, place, vb)
			}
			found = append(found, d)
		}
		if x.Effect != y.Effect {
			add("effect", x.Effect, y.Effect)
		} else {
			c := comparison{rules: rules, api: x.API, found: add}
			c.values("", x.Answer, y.Answer)
		}
		for _, known := range step.Differs {
			if !seen[known.ID+" "+known.Path] {
				missing = append(missing, fmt.Sprintf("%s line %d: %s %s", inst.Name, step.Line, known.ID, known.Path))
			}
		}
	}
	return found, missing
}

func (c *comparison) values(place string, a, b any) {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			break
		}
		for _, name := range fieldsOf(x, y) {
			va, inA := x[name]
			vb, inB := y[name]
			where := strings.TrimPrefix(place+"."+name, ".")
			if inA && inB {
				c.values(where, va, vb)
			} else {
				c.found(where, present(va, inA), present(vb, inB))
			}
		}
		return
	case []any:
		y, ok := b.([]any)
		if !ok {
			break
		}
		c.lists(place, x, y)
		return
	}
	if wire.JSON(a) != wire.JSON(b) {
		c.found(place, a, b)
	}
}

func (c *comparison) lists(place string, a, b []any) {
	if c.rules.unordered(c.api, place) {
		a, b = slices.Clone(a), slices.Clone(b)
		order(a)
		order(b)
		a, b = paired(a, b)
	}
	for i := range max(len(a), len(b)) {
		where := fmt.Sprintf("%s[%d]", place, i)
		switch {
		case i >= len(a):
			c.found(where, present(nil, false), b[i])
		case i >= len(b):
			c.found(where, a[i], present(nil, false))
		case isAbsent(a[i]) || isAbsent(b[i]):
			c.found(where, a[i], b[i])
		default:
			c.values(where, a[i], b[i])
		}
	}
}

// paired puts elements with equal keys at equal places; one that has no partner faces absent.
func paired(a, b []any) ([]any, []any) {
	var left, right []any
	used := make([]bool, len(b))
	for _, x := range a {
		left = append(left, x)
		var partner any = absent{}
		for j, y := range b {
			if !used[j] && keyOf(x) == keyOf(y) {
				partner, used[j] = y, true
				break
			}
		}
		right = append(right, partner)
	}
	for j, y := range b {
		if !used[j] {
			left, right = append(left, absent{}), append(right, y)
		}
	}
	return left, right
}

// keys are the fields by which elements of a list are told apart.
var keys = []string{"Name", "Topic", "TopicName", "TopicId", "Partition", "PartitionIndex", "PartitionId", "Index", "ResourceType", "ResourceName", "ApiKey", "GroupId", "MemberId", "NodeId", "BrokerId", "LogDir"}

func keyOf(v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return wire.JSON(v)
	}
	var key []string
	for _, name := range keys {
		if x, ok := m[name]; ok {
			key = append(key, wire.JSON(x))
		}
	}
	return strings.Join(key, " ")
}

func fieldsOf(a, b map[string]any) []string {
	var list []string
	for name := range a {
		list = append(list, name)
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// absent stands for a field or element that is not there.
type absent struct{}

// MarshalJSON shows it.
func (absent) MarshalJSON() ([]byte, error) { return []byte(`"(absent)"`), nil }

func present(v any, ok bool) any {
	if !ok {
		return absent{}
	}
	return v
}

func brief(v any) string {
	s := wire.JSON(v)
	if len(s) > 600 {
		s = s[:600] + "…"
	}
	return s
}

func isAbsent(v any) bool {
	_, is := v.(absent)
	return is
}
