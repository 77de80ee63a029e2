package generate

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"sync"

	"github.com/dohle-io/dohle/compat-tests/oracle"
	"github.com/dohle-io/dohle/compat-tests/scenario"
	"github.com/dohle-io/dohle/compat-tests/wire"
)

// maxFound ends a run early: more of them say nothing new.
const maxFound = 60

// Run compares n requests made from a seed. What differs is made small and put into the report. A table
// of the error codes that the first side answered to each API goes to standard error.
func Run(report *oracle.Report, rules *oracle.Rules, a, b *oracle.Side, n int, seed uint64) error {
	report.Seed = seed
	apis, err := common(a, b)
	if err != nil {
		return err
	}
	uid := fmt.Sprintf("gen.%x", seed)
	p := &pair{rules: rules, codes: codes{}}
	groups := map[string]bool{}
	for _, one := range apis {
		if one.m.Name == "FindCoordinator" || one.m.Name == "ConsumerGroupHeartbeat" {
			groups[one.m.Name] = true
		}
	}
	if err := p.open(a, b, uid, groups); err != nil {
		return err
	}
	defer p.close()
	m := &maker{r: rand.New(rand.NewPCG(seed, 9)), uid: uid}
	different := 0
	for i := range n {
		one := apis[i%len(apis)] // each API and version in turn
		body := m.body(one.m, one.version)
		found, err := p.ask(one, body)
		if err != nil {
			return fmt.Errorf("generated request %d of seed %d: %w", i, seed, err)
		}
		if unexplained(found) {
			different++
			if one.m.Name != "JoinGroup" { // a smaller one may wait for others
				if found, err = p.shrink(one, body, found); err != nil {
					return err
				}
			}
		}
		for j := range found {
			found[j].Scenario = fmt.Sprintf("generated %d of seed %d", i, seed)
		}
		report.Count(one.m.Name, one.version, found)
		if different > maxFound {
			break
		}
	}
	p.codes.print(os.Stderr)
	return nil
}

// api is one API at one version, on one of the two listeners.
type api struct {
	m          *wire.Message
	version    int16
	controller bool
}

// common are all APIs and versions that both sides advertise and Kafka's schemas have.
func common(a, b *oracle.Side) ([]api, error) {
	clientsA, controllersA, err := a.Advertised()
	if err != nil {
		return nil, err
	}
	clientsB, controllersB, err := b.Advertised()
	if err != nil {
		return nil, err
	}
	if a.Like != nil {
		maps.DeleteFunc(controllersA, func(key int16, _ wire.Range) bool { _, ok := a.Like[key]; return !ok })
	}
	list := append(both(clientsA, clientsB, false), both(controllersA, controllersB, true)...)
	if len(list) == 0 {
		return nil, fmt.Errorf("%s and %s have no request in common", a.Name, b.Name)
	}
	return list, nil
}

// both leaves out what is not the same on the controllers' listener: K7, and what would register a node for good.
func both(a, b oracle.Served, controller bool) (list []api) {
	for _, m := range wire.Requests() {
		if controller && (m.Name == "FetchSnapshot" || m.Name == "ControllerRegistration" || m.Name == "Envelope") {
			continue
		}
		inA, okA := a[m.Key]
		inB, okB := b[m.Key]
		for v := m.Valid.Min; okA && okB && v <= m.Valid.Max; v++ {
			if inA.Has(v) && inB.Has(v) {
				list = append(list, api{m, v, controller})
			}
		}
	}
	return list
}

type pair struct {
	talks [2]*oracle.Talk
	rules *oracle.Rules
	codes codes
}

// open makes the pool of topics, and waits for what a broker only has ready after a while: a block of producer ids
// (D8), the coordinators of groups if they are asked for.
func (p *pair) open(a, b *oracle.Side, uid string, groups map[string]bool) (err error) {
	for i, side := range []*oracle.Side{a, b} {
		if p.talks[i], err = side.Talk(uid); err != nil {
			return err
		}
		for t := range pool {
			if err := p.talks[i].Topic(fmt.Sprint("t", t), t+1); err != nil {
				return err
			}
		}
		if err := p.until(i, "InitProducerId", "4", `{"TransactionalId": null}`, "ErrorCode"); err != nil {
			return err
		}
		if len(groups) > 0 {
			if err := p.talks[i].Group("g", groups["ConsumerGroupHeartbeat"]); err != nil {
				return err
			}
		}
	}
	return nil
}

// until asks one side again and again until an error code is 0.
func (p *pair) until(side int, api, version, body, code string) error {
	_, err := p.talks[side].Ask(&scenario.Step{Kind: scenario.Ask, Name: api, Args: version, Body: body, Until: &scenario.Condition{Path: code, Value: "0"}})
	return err
}

func (p *pair) close() {
	for _, t := range p.talks {
		if t != nil {
			t.Close()
		}
	}
}

// ask puts one request to both sides at once.
func (p *pair) ask(one api, body map[string]any) ([]oracle.Difference, error) {
	var replies [2]*oracle.Reply
	var errs [2]error
	var both sync.WaitGroup
	for i := range p.talks {
		both.Go(func() {
			step := &scenario.Step{Kind: scenario.Ask, Name: one.m.Name, Args: fmt.Sprint(one.version), Body: wire.JSON(body)}
			if one.controller {
				replies[i], errs[i] = p.talks[i].AskController(step)
			} else {
				replies[i], errs[i] = p.talks[i].Ask(step)
			}
		})
	}
	both.Wait()
	for i := range errs {
		if errs[i] != nil {
			return nil, fmt.Errorf("%s: %w", wire.JSON(body), errs[i])
		}
		replies[i].Answer = shape("", replies[i].Answer)
	}
	name := one.m.Name
	if one.controller {
		name = "controller: " + name
	}
	p.codes.add(name, replies[0])
	found := oracle.CompareReplies(p.rules, replies[0], replies[1])
	for j := range found {
		found[j].Request = fmt.Sprintf("> %s v%d %s", one.m.Name, one.version, wire.JSON(body))
	}
	return found, nil
}

func unexplained(found []oracle.Difference) bool {
	for _, d := range found {
		if d.ID == "" {
			return true
		}
	}
	return false
}

// shape keeps error codes and what tells elements apart; of all else it keeps whether there is a value.
func shape(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for field := range v {
			v[field] = shape(field, v[field])
		}
		return v
	case []any:
		if name == "Records" {
			return "records"
		}
		for i := range v {
			v[i] = shape(name, v[i])
		}
		return v
	case nil:
		return nil
	}
	if name == "ErrorCode" || oracle.IsKey(name) {
		return v
	}
	return fmt.Sprintf("%T", v)
}
