package oracle

import (
	"fmt"

	"github.com/dohle-io/dohle/compat-tests/scenario"
)

// Talk is a conversation without a script: requests one by one, on a connection that is opened again when it was
// closed. Topics made in it are variables, as in a scenario.
type Talk struct{ t *talk }

// Talk begins one. uid stands in the names of its topics.
func (s *Side) Talk(uid string) (*Talk, error) {
	inst := &scenario.Instance{Scenario: &scenario.Scenario{Title: uid}, Name: uid}
	t := &talk{side: s, inst: inst, vars: map[string]string{"uid": uid}, names: newNames(s), conns: map[string]*channel{}, client: "compat", out: &Transcript{}}
	return &Talk{t}, t.open("main", s.Address)
}

// Topic makes a topic, $name and $name.id from then on.
func (k *Talk) Topic(name string, partitions int) error {
	return k.t.step(&scenario.Step{Kind: scenario.Topic, Name: name, Args: fmt.Sprint(partitions)})
}

// Group waits until groups are served, $name is one that nobody uses; consumers says whether they must know the topics.
func (k *Talk) Group(name string, consumers bool) error {
	step := &scenario.Step{Kind: scenario.Group, Name: name}
	if consumers {
		k.t.inst.Steps = []*scenario.Step{{Name: "ConsumerGroupHeartbeat"}}
	}
	return k.t.step(step)
}

// Ask asks one request; the answer has names for what differs between clusters.
func (k *Talk) Ask(step *scenario.Step) (*Reply, error) { return k.ask("main", k.t.side.Address, step) }

// AskController asks on the controllers' listener.
func (k *Talk) AskController(step *scenario.Step) (*Reply, error) {
	return k.ask("controller", k.t.side.Controller, step)
}

func (k *Talk) ask(conn, address string, step *scenario.Step) (*Reply, error) {
	t := k.t
	t.cur = conn
	switch c := t.conns[conn]; {
	case c == nil:
		if err := t.open(conn, address); err != nil {
			return nil, err
		}
	case c.dead != "":
		c.Close()
		if err := t.open(conn, address); err != nil {
			return nil, err
		}
	}
	t.out.Steps = t.out.Steps[:0]
	if err := t.step(step); err != nil {
		return nil, err
	}
	return t.out.Steps[0], nil
}

// Close ends it and deletes its topics.
func (k *Talk) Close() {
	k.t.cleanUp()
	k.t.close()
}

// CompareReplies lists the differences between two answers to one request.
func CompareReplies(rules *Rules, a, b *Reply) []Difference {
	var found []Difference
	add := func(place string, va, vb any) {
		found = append(found, Difference{API: a.API, Version: a.Version, Place: place, A: brief(va), B: brief(vb), ID: rules.explains(a.API, place, vb), Request: b.Request})
	}
	if a.Effect != b.Effect {
		add("effect", a.Effect, b.Effect)
		return found
	}
	c := comparison{rules: rules, api: a.API, found: add}
	c.values("", a.Answer, b.Answer)
	return found
}

// IsKey says whether a field tells elements of a list apart.
func IsKey(field string) bool {
	for _, key := range keys {
		if key == field {
			return true
		}
	}
	return false
}

// Count adds generated requests to the report.
func (r *Report) Count(api string, version int16, found []Difference) {
	r.Generated++
	row := r.row(api, version)
	switch worst := worstOf(found); worst {
	case 0:
		row.Equal++
	case 1:
		row.Known++
	default:
		row.Differs++
	}
	r.Differing = append(r.Differing, found...)
}

func worstOf(found []Difference) int {
	worst := 0
	for _, d := range found {
		if d.ID == "" {
			return 2
		}
		worst = 1
	}
	return worst
}
