package scenario

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"strconv"
	"strings"

	"github.com/dohle-io/dohle/compat-tests/wire"
)

// Instance is a scenario at one version and with one value of each variable.
type Instance struct {
	*Scenario
	Name    string // file/title and what was chosen
	Version int16  // of API
	Vars    map[string]string
}

// Expand makes all instances of scenarios.
func Expand(all []*Scenario) []*Instance {
	var list []*Instance
	for _, s := range all {
		if s.API == "" {
			list = append(list, s.combine("", -1)...)
			continue
		}
		for v := s.Versions.Min; v <= s.Versions.Max; v++ {
			list = append(list, s.combine(fmt.Sprintf(" v%d", v), v)...)
		}
	}
	return list
}

func (s *Scenario) combine(suffix string, version int16) []*Instance {
	list := []*Instance{{Scenario: s, Name: s.File + "/" + s.Title + suffix, Version: version, Vars: map[string]string{"v": strconv.Itoa(int(version))}}}
	for _, each := range s.Each {
		var next []*Instance
		for _, base := range list {
			for _, value := range each.Values {
				vars := map[string]string{}
				for k, v := range base.Vars {
					vars[k] = v
				}
				if vars[each.Name] = value; value == `""` {
					vars[each.Name] = ""
				}
				next = append(next, &Instance{Scenario: s, Name: base.Name + " " + each.Name + "=" + value, Version: version, Vars: vars})
			}
		}
		list = next
	}
	for _, i := range list {
		h := fnv.New32a()
		h.Write([]byte(i.Name))
		i.Vars["uid"] = fmt.Sprintf("q%08x", h.Sum32())
	}
	return list
}

// VersionOf is the version that a step of the instance asks at.
func (i *Instance) VersionOf(s *Step) (int16, error) {
	if s.Args != "" {
		text, err := Substitute(s.Args, i.Vars)
		if err != nil {
			return 0, err
		}
		v, err := strconv.Atoi(text)
		return int16(v), err
	}
	if s.Name == i.API {
		return i.Version, nil
	}
	m, err := wire.Request(s.Name)
	if err != nil {
		return 0, err
	}
	return m.Valid.Max, nil
}

var (
	anyVariable = regexp.MustCompile(`\$\{[^}]*\}|\$[a-zA-Z][a-zA-Z0-9]*(\.id)?`)
	repetition  = regexp.MustCompile(`^(.+)\*([0-9]+)$`)
)

// Substitute puts variables into a text.
func Substitute(text string, vars map[string]string) (string, error) {
	var err error
	out := anyVariable.ReplaceAllStringFunc(text, func(ref string) string {
		name := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(ref, "$"), "{"), "}")
		if m := repetition.FindStringSubmatch(name); m != nil {
			n, _ := strconv.Atoi(m[2])
			return strings.Repeat(m[1], n)
		}
		value, ok := vars[name]
		if !ok && err == nil {
			err = fmt.Errorf("nothing has set $%s", name)
		}
		return value
	})
	return out, err
}

// Asked are the steps that have a reply, in order.
func (s *Scenario) Asked() []*Step {
	var list []*Step
	for _, step := range s.Steps {
		switch step.Kind {
		case Ask, Raw, Receive:
			list = append(list, step)
		}
	}
	return list
}
