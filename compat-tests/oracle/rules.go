package oracle

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/dohle-io/dohle/compat-tests/scenario"
	"github.com/dohle-io/dohle/compat-tests/wire"
)

// Rules hold for all scenarios, see scenarios/rules.txt:
//
//	unordered ID API PATH   the order of this list means nothing
//	differs ID API PATH     a known difference
//	missing ID API PATH     B may lack this or elements of it
type Rules struct {
	lists   []rule
	differs []rule
	missing []rule
}

type rule struct{ id, api, path string }

// LoadRules reads rules; a file that is not there has none.
func LoadRules(file string) (*Rules, error) {
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return &Rules{}, nil
	}
	if err != nil {
		return nil, err
	}
	r := &Rules{}
	for n, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) != 4 {
			return nil, fmt.Errorf("%s:%d: a rule has four words", file, n+1)
		}
		if _, err := wire.Request(words[2]); err != nil && words[2] != "*" {
			return nil, fmt.Errorf("%s:%d: %w", file, n+1, err)
		}
		one := rule{words[1], words[2], words[3]}
		switch words[0] {
		case "unordered":
			r.lists = append(r.lists, one)
		case "differs":
			r.differs = append(r.differs, one)
		case "missing":
			r.missing = append(r.missing, one)
		default:
			return nil, fmt.Errorf("%s:%d: no rule is called %q", file, n+1, words[0])
		}
	}
	return r, nil
}

func (r rule) covers(api, place string) bool {
	return (r.api == "*" || r.api == api) && scenario.Covers(r.path, place)
}

func (r *Rules) unordered(api, place string) bool {
	for _, one := range r.lists {
		if one.covers(api, place) && strings.Count(one.path, ".") == strings.Count(place, ".") {
			return true
		}
	}
	return false
}

func (r *Rules) explains(api, place string, b any) string {
	if _, lacks := b.(absent); lacks {
		for _, one := range r.missing {
			if one.covers(api, place) {
				return one.id
			}
		}
	}
	for _, one := range r.differs {
		if one.covers(api, place) {
			return one.id
		}
	}
	return ""
}

var rowID = regexp.MustCompile(`(?m)^\| ([A-Z][0-9]+) \|`)

// Rows are the ids of the known differences listed in a file such as docs/divergence.md.
func Rows(file string) (map[string]bool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	rows := map[string]bool{}
	for _, m := range rowID.FindAllStringSubmatch(string(text), -1) {
		rows[m[1]] = true
	}
	return rows, nil
}

// CheckRows says which id is named by a rule or a scenario and is no row.
func CheckRows(rows map[string]bool, rules *Rules, all []*scenario.Scenario) error {
	for _, list := range [][]rule{rules.lists, rules.differs, rules.missing} {
		for _, r := range list {
			if !rows[r.id] && r.id != "-" {
				return fmt.Errorf("rules.txt names %s, which docs/divergence.md does not have", r.id)
			}
		}
	}
	for _, s := range all {
		for _, step := range s.Steps {
			for _, d := range step.Differs {
				if !rows[d.ID] {
					return fmt.Errorf("%s.txt:%d names %s, which docs/divergence.md does not have", s.File, step.Line, d.ID)
				}
			}
		}
	}
	return nil
}
