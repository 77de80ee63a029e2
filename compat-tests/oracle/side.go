package oracle

import (
	"fmt"
	"strings"
	"time"

	"github.com/dohle-io/dohle/compat-tests/scenario"
	"github.com/dohle-io/dohle/compat-tests/wire"
)

// Side is one of the two that are asked.
type Side struct {
	Name       string // as reports call it
	Address    string
	Controller string // empty: unknown, scenarios that need it are left out
	Dir        string // its log directory if it was started here, to be masked
	Pinned     bool   // known differences must show: it is Dohle

	// Like, unless nil, is what random requests are limited to.
	Like Served

	// Ended says why the broker ended by itself; nil, or no error: it has not.
	Ended func() error

	// Printed is what the broker has printed; nil: it was not started here.
	Printed func() string

	Serves, ServesControllers Served // what it advertised to clients and to controllers, once it was asked
}

// Bounds of waiting. A broker that closes a connection does so within moments.
const (
	answerTime = 30 * time.Second
	quietTime  = 400 * time.Millisecond
	untilTime  = 2 * time.Minute // Apache Kafka applies what it has committed a while later, on a busy machine a long while
)

// talk is a side in the middle of a scenario.
type talk struct {
	side   *Side
	inst   *scenario.Instance
	vars   map[string]string
	names  *names
	conns  map[string]*channel
	cur    string
	client any
	out    *Transcript
}

type channel struct {
	*wire.Conn
	dead    string // the effect that ended it
	pending []*waiting
}

// waiting is a request whose answer has not been read.
type waiting struct {
	m           *wire.Message
	version     int16
	correlation int32
	reply       *Reply
}

// Run asks one scenario. The error is one of reaching the broker at all.
func (s *Side) Run(inst *scenario.Instance) (*Transcript, error) {
	t := &talk{side: s, inst: inst, vars: map[string]string{}, names: newNames(s), conns: map[string]*channel{}, client: "compat", out: &Transcript{Name: inst.Name}}
	for k, v := range inst.Vars {
		t.vars[k] = v
	}
	defer t.close()
	if err := t.open("main", s.Address); err != nil {
		return nil, err
	}
	for _, step := range inst.Steps {
		if err := t.step(step); err != nil {
			t.out.Fault = fmt.Sprintf("line %d: %s", step.Line, t.names.text(err.Error()))
			break
		}
	}
	t.cleanUp()
	return t.out, nil
}

func (t *talk) open(name, address string) error {
	c, err := wire.Dial(address)
	if err != nil {
		return fmt.Errorf("%s cannot be reached at %s: %w", t.side.Name, address, err)
	}
	t.conns[name], t.cur = &channel{Conn: c}, name
	return nil
}

func (t *talk) close() {
	for _, c := range t.conns {
		c.Close()
	}
}

func (t *talk) step(s *scenario.Step) error {
	switch s.Kind {
	case scenario.On:
		if t.conns[s.Name] != nil {
			t.cur = s.Name
			return nil
		}
		address := t.side.Address
		if s.Args == "controller" {
			address = t.side.Controller
		}
		return t.open(s.Name, address)
	case scenario.Drop:
		t.conns[t.cur].Close()
		delete(t.conns, t.cur)
		return nil
	case scenario.Client:
		name, err := scenario.Substitute(s.Name, t.vars)
		if err != nil {
			return err
		}
		t.client = name
		if name == "null" {
			t.client = nil
		}
		return nil
	case scenario.Topic:
		return t.createTopic(s)
	case scenario.Group:
		return t.useGroup(s)
	case scenario.Produce:
		return t.produce(s)
	}
	c := t.conns[t.cur]
	if c == nil {
		return fmt.Errorf("the connection %s was dropped", t.cur)
	}
	switch s.Kind {
	case scenario.Receive:
		return t.receive(s, c)
	case scenario.Raw:
		return t.raw(s, c)
	}
	return t.ask(s, c)
}

func (t *talk) raw(s *scenario.Step, c *channel) error {
	text, err := scenario.Substitute(s.Args, t.vars)
	if err != nil {
		return err
	}
	b, err := wire.ParseBytes("hex:" + text)
	if err != nil {
		return err
	}
	reply := &Reply{Step: s, Request: text}
	t.out.Steps = append(t.out.Steps, reply)
	if err := c.Send(b); err != nil {
		reply.Effect = wire.Closed
		return nil
	}
	if s.Send {
		reply.Effect = "sent"
		return nil
	}
	frame, effect, err := c.Receive(quietTime)
	if err != nil {
		return err
	}
	if reply.Effect = effect; effect == wire.Answered {
		reply.Answer = map[string]any{"bytes": int64(len(frame))}
	}
	return nil
}

// request is a step made ready to be sent.
func (t *talk) request(s *scenario.Step) (*wire.Message, int16, map[string]any, []byte, error) {
	m, err := wire.Request(s.Name)
	if err != nil {
		return nil, 0, nil, nil, err
	}
	inst := *t.inst
	inst.Vars = t.vars
	version, err := inst.VersionOf(s)
	if err != nil {
		return nil, 0, nil, nil, err
	}
	text, err := scenario.Substitute(s.Body, t.vars)
	if err != nil {
		return nil, 0, nil, nil, err
	}
	values, err := wire.ParseJSON([]byte(text))
	if err != nil {
		return nil, 0, nil, nil, fmt.Errorf("%w in %.300s", err, text)
	}
	fields, ok := values.(map[string]any)
	if !ok {
		return nil, 0, nil, nil, fmt.Errorf("a request is an object")
	}
	body, err := wire.Encode(m, version, fields)
	return m, version, fields, body, err
}

func (t *talk) ask(s *scenario.Step, c *channel) error {
	m, version, fields, body, err := t.request(s)
	if err != nil {
		return err
	}
	reply := &Reply{Step: s, API: m.Name, Version: version, Request: wire.JSON(fields)}
	t.out.Steps = append(t.out.Steps, reply)
	if c.dead != "" {
		reply.Effect = c.dead
		return nil
	}
	deadline := time.Now().Add(untilTime)
	for {
		how := make([]scenario.Mangle, len(s.Frame))
		for i, w := range s.Frame {
			if how[i].What = w.What; err == nil {
				how[i].Value, err = scenario.Substitute(w.Value, t.vars)
			}
		}
		if err != nil {
			return err
		}
		frame, answerVersion, err := mangle(c, m, version, t.client, body, how)
		if err != nil {
			return err
		}
		w := &waiting{m: wire.Response(m.Name), version: answerVersion, correlation: c.Correlation(), reply: reply}
		if err := c.Send(frame); err != nil {
			c.dead, reply.Effect = wire.Closed, wire.Closed
			return nil
		}
		if s.Send {
			c.pending = append(c.pending, w)
			reply.Effect = "sent"
			return nil
		}
		if err := t.await(s, c, w); err != nil {
			return err
		}
		if s.Until == nil || reply.Effect != wire.Answered {
			break
		}
		got, err := scenario.Get(reply.Answer, s.Until.Path)
		want, err2 := scenario.Substitute(s.Until.Value, t.vars)
		if err2 != nil {
			return err2
		}
		if err == nil && fmt.Sprint(got) == want {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s did not become %s within %s", s.Until.Path, want, untilTime)
		}
		time.Sleep(5 * time.Millisecond) // the condition is the answer; this only spares the broker
	}
	return t.finish(s, reply)
}

func (t *talk) receive(s *scenario.Step, c *channel) error {
	if len(c.pending) == 0 {
		return fmt.Errorf("no request waits for its answer")
	}
	w := c.pending[0]
	c.pending = c.pending[1:]
	w.reply = &Reply{Step: s, API: w.reply.API, Version: w.reply.Version}
	t.out.Steps = append(t.out.Steps, w.reply)
	if c.dead != "" {
		w.reply.Effect = c.dead
		return nil
	}
	if err := t.await(s, c, w); err != nil {
		return err
	}
	return t.finish(s, w.reply)
}

// await reads one frame as the answer that w waits for.
func (t *talk) await(s *scenario.Step, c *channel, w *waiting) error {
	within := answerTime
	if s.Quiet {
		within = quietTime
	}
	frame, effect, err := c.Receive(within)
	if err != nil {
		return err
	}
	w.reply.Effect, w.reply.Answer = effect, nil
	if effect != wire.Answered {
		if effect == wire.Closed || !s.Quiet {
			c.dead = effect
		}
		return nil
	}
	answer, err := wire.Answer(w.m, w.version, w.correlation, frame)
	if err != nil {
		w.reply.Effect = "unreadable: " + err.Error()
		c.dead = w.reply.Effect
		return nil
	}
	w.reply.Answer = answer
	return t.filter(s, w.reply)
}

// filter leaves in an answer what the step is about. `until` is judged after it: other scenarios run beside this one.
func (t *talk) filter(s *scenario.Step, reply *Reply) error {
	for _, f := range s.Filters {
		prefix, err := scenario.Substitute(f.Prefix, t.vars)
		if err != nil {
			return err
		}
		keep(reply.Answer, f.Path, f.Field, prefix)
	}
	return nil
}

// finish captures and names what an answer holds.
func (t *talk) finish(s *scenario.Step, reply *Reply) error {
	if reply.Effect != wire.Answered {
		for _, c := range s.Captures {
			return fmt.Errorf("%s: no answer to take $%s from", reply.Effect, c.Name)
		}
		return nil
	}
	for _, c := range s.Captures {
		v, err := scenario.Get(reply.Answer, c.Path)
		if err != nil {
			return fmt.Errorf("%w to take $%s from: %.300s", err, c.Name, wire.JSON(reply.Answer))
		}
		t.vars[c.Name] = fmt.Sprint(v)
		if strings.HasSuffix(c.Path, "Id") {
			t.names.know(fmt.Sprint(v), "$"+c.Name)
		}
	}
	for _, path := range s.Masks {
		scenario.Visit(reply.Answer, path, func(holder map[string]any, name string, _ int) {
			if holder[name] != nil {
				holder[name] = "<any>"
			}
		})
	}
	reply.Answer = t.names.value("", reply.Answer)
	for _, path := range s.Sorts {
		scenario.Visit(reply.Answer, path, func(holder map[string]any, name string, _ int) { order(holder[name]) })
	}
	return nil
}

func keep(v any, path, field, prefix string) {
	scenario.Visit(v, path, func(holder map[string]any, name string, _ int) {
		list, ok := holder[name].([]any)
		if !ok {
			return
		}
		kept := []any{}
		for _, item := range list {
			if m, ok := item.(map[string]any); ok && strings.HasPrefix(fmt.Sprint(m[field]), prefix) {
				kept = append(kept, item)
			}
		}
		holder[name] = kept
	})
}
