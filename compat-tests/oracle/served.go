package oracle

import (
	"fmt"
	"maps"
	"strings"

	"github.com/dohle-io/dohle/compat-tests/wire"
)

// Served are versions by key, as ApiVersions lists them.
type Served map[int16]wire.Range

// Served are the versions that a side advertises to clients, of the APIs that Like has.
func (s *Side) Served() (Served, error) {
	served, err := s.servedAt(s.Address)
	if s.Like != nil {
		maps.DeleteFunc(served, func(key int16, _ wire.Range) bool { _, ok := s.Like[key]; return !ok })
	}
	return served, err
}

// Advertised are the versions that a side advertises to clients, and to controllers if it has a listener for them.
func (s *Side) Advertised() (clients, controllers Served, err error) {
	if clients, err = s.Served(); err == nil && s.Controller != "" {
		controllers, err = s.servedAt(s.Controller)
	}
	return clients, controllers, err
}

func (s *Side) servedAt(address string) (Served, error) {
	c, err := wire.Dial(address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	answer, err := s.call(c, "ApiVersions", 0, nil)
	if err != nil {
		return nil, err
	}
	list, _ := answer["ApiKeys"].([]any)
	served := Served{}
	for _, item := range list {
		k, _ := item.(map[string]any)
		served[int16(k["ApiKey"].(int64))] = wire.Range{Min: int16(k["MinVersion"].(int64)), Max: int16(k["MaxVersion"].(int64))}
	}
	return served, nil
}

// NotServed are the APIs, with their versions, that a advertises and b does not.
func NotServed(a, b *Side) ([]string, error) {
	x, err := a.Served()
	if err != nil {
		return nil, err
	}
	y, err := b.Served()
	if err != nil {
		return nil, err
	}
	return lacks(x, y), nil
}

func lacks(x, y Served) []string {
	var list []string
	for _, m := range wire.Requests() {
		inA, ok := x[m.Key]
		if !ok {
			continue
		}
		inB, ok := y[m.Key]
		var versions []string
		for v := inA.Min; v <= inA.Max; v++ {
			if !ok || !inB.Has(v) {
				versions = append(versions, fmt.Sprint(v))
			}
		}
		switch {
		case len(versions) == int(inA.Max-inA.Min)+1:
			list = append(list, m.Name)
		case len(versions) > 0:
			list = append(list, m.Name+" v"+strings.Join(versions, ",v"))
		}
	}
	return list
}
