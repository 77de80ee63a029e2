package main

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/dohle-io/dohle/compat-tests/node"
	"github.com/dohle-io/dohle/compat-tests/oracle"
)

// side starts what a word names, or takes it for an address.
func (f *flags) side(letter, what, dir string) (*oracle.Side, func(), error) {
	var n *node.Node
	var err error
	s := &oracle.Side{}
	stop := func() {}
	switch what {
	case "kafka":
		n, err = f.home.Kafka(dir)
		s.Name = "Apache Kafka (" + letter + ")"
	case "dohle":
		n, err = f.home.Broker(dir)
		s.Name, s.Pinned = "Dohle ("+letter+")", true
	case "kfake":
		c, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			return nil, nil, err
		}
		s.Name, s.Address, stop = "kfake ("+letter+")", c.ListenAddrs()[0], c.Close
	default:
		s.Address, s.Controller, _ = strings.Cut(what, ",")
		s.Name = s.Address
		if !strings.Contains(s.Address, ":") {
			return nil, nil, fmt.Errorf("side %s: %q is neither kafka, dohle, kfake nor an address host:port", letter, what)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if n != nil {
		s.Address, s.Controller, s.Dir, stop = n.Address, n.Controller, n.Dir, n.Stop
	}
	if err := s.Probe(); err != nil {
		stop()
		return nil, nil, err
	}
	return s, stop, nil
}
