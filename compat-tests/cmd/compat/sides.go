package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/dohle-io/dohle/compat-tests/node"
	"github.com/dohle-io/dohle/compat-tests/oracle"
)

// side starts what a word names, or takes it for an address.
func (f *flags) side(letter, what, dir string) (*oracle.Side, func(), error) {
	var nodes []*node.Node
	var err error
	s := &oracle.Side{}
	stop := func() {}
	plan := node.Plan{Dir: dir}
	kind, version, _ := strings.Cut(what, ":")
	info, noPath := os.Stat(what)
	switch {
	case what == "kafka":
		if version, err = f.home.Version(); err == nil {
			nodes, err = f.home.Kafka(plan, "")
		}
		s.Name = "Apache Kafka " + version
	case kind == "kafka" && strings.Contains(version, "."):
		nodes, err = f.home.Kafka(plan, version)
		s.Name = "Apache Kafka " + version
	case what == "dohle":
		nodes, err = f.home.Broker(plan)
		s.Name, s.Pinned = "Dohle", true
	case what == "kfake":
		c, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			return nil, nil, err
		}
		s.Name, s.Address, stop = "kfake", c.ListenAddrs()[0], c.Close
	case noPath == nil && info.IsDir():
		nodes, err = f.home.Kafka(plan, what)
		s.Name = "Apache Kafka in " + what
	case noPath == nil:
		home := f.home
		home.Dohle = what
		nodes, err = home.Broker(plan)
		s.Name = what
	default:
		s.Address, s.Controller, _ = strings.Cut(what, ",")
		s.Name = s.Address
		if strings.Contains(what, "/") {
			return nil, nil, fmt.Errorf("side %s: %w", letter, noPath)
		}
		if !strings.Contains(s.Address, ":") {
			return nil, nil, fmt.Errorf("side %s: %q is neither kafka, kafka:VERSION, dohle, kfake, a path, nor an address host:port", letter, what)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("side %s: %w", letter, err)
	}
	if nodes != nil {
		n := nodes[0]
		s.Address, s.Controller, s.Dir, stop = n.Address, n.Controller, n.Dir, func() { node.Stop(nodes) }
		s.Ended, s.Printed = n.Process.Ended, n.Process.Printed
	}
	if err := s.Probe(); err != nil {
		stop()
		return nil, nil, fmt.Errorf("side %s: %w", letter, err)
	}
	return s, stop, nil
}

// alive fails with why one of the sides ended, or else with err.
func alive(err error, sides ...*oracle.Side) error {
	for _, s := range sides {
		if s.Ended != nil {
			if ended := s.Ended(); ended != nil {
				return ended
			}
		}
	}
	return err
}
