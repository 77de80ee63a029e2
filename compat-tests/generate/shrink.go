package generate

import (
	"regexp"
	"slices"

	"github.com/dohle-io/dohle/compat-tests/oracle"
	"github.com/dohle-io/dohle/compat-tests/wire"
)

// maxTries bounds how often both sides are asked again to make one difference smaller.
const maxTries = 80

// shrink leaves out elements and fields as long as the two sides still differ, and returns the differences of the
// smallest request. One that does not show again, because it depends on what was asked before, is returned as it is.
func (p *pair) shrink(one api, body map[string]any, found []oracle.Difference) ([]oracle.Difference, error) {
	for tries := 0; tries < maxTries; {
		smaller := false
		for _, candidate := range candidates(body) {
			if tries++; tries > maxTries {
				break
			}
			again, err := p.ask(one, candidate)
			if err != nil {
				continue // no longer valid in form
			}
			if alike(found, again) {
				body, found, smaller = candidate, again, true
				break
			}
		}
		if !smaller {
			break
		}
	}
	return found, nil
}

// alike says whether two lists have an unexplained difference at one place in common.
func alike(a, b []oracle.Difference) bool {
	for _, x := range a {
		for _, y := range b {
			if x.ID == "" && y.ID == "" && place.ReplaceAllString(x.Place, "") == place.ReplaceAllString(y.Place, "") {
				return true
			}
		}
	}
	return false
}

// place are the indexes inside one, which change when elements go.
var place = regexp.MustCompile(`\[\d+\]`)

// candidates are copies of a request with one element or one field less, larger parts first.
func candidates(body map[string]any) []map[string]any {
	var list []map[string]any
	walk(body, func(cut func() func()) {
		undo := cut()
		list = append(list, copyOf(body))
		undo()
	})
	slices.SortStableFunc(list, func(a, b map[string]any) int { return len(wire.JSON(a)) - len(wire.JSON(b)) })
	return list
}

// walk offers every cut that can be made; a cut returns what takes it back.
func walk(v any, offer func(cut func() func())) {
	switch v := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			old := v[name]
			if !slices.Contains(given, name) && name != "Topics" {
				offer(func() func() {
					delete(v, name)
					return func() { v[name] = old }
				})
			}
			if items, ok := old.([]any); ok {
				for i := range items {
					offer(func() func() {
						v[name] = slices.Delete(slices.Clone(items), i, i+1)
						return func() { v[name] = items }
					})
				}
			}
			walk(old, offer)
		}
	case []any:
		for _, item := range v {
			walk(item, offer)
		}
	}
}

func copyOf(body map[string]any) map[string]any {
	v, err := wire.ParseJSON([]byte(wire.JSON(body)))
	if err != nil {
		return map[string]any{}
	}
	return v.(map[string]any)
}
