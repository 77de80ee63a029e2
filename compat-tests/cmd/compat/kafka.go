package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/dohle-io/dohle/compat-tests/node"
)

func (f *flags) installKafka(string) error {
	version, err := f.home.Version()
	if err != nil {
		return err
	}
	bin, tools, err := f.home.Install()
	if err != nil {
		return err
	}
	fmt.Printf("Apache Kafka %s is here; its %d shell tools are in %s\n", version, tools, bin)
	return nil
}

// startKafka starts nodes and says where they are; they end with this program, or it ends with the first of them.
func (f *flags) startKafka(temp string) error {
	if f.nodes < 1 || f.nodes > 9 {
		return fmt.Errorf("-nodes %d: 1 to 9 can be started", f.nodes)
	}
	plan := node.Plan{Dir: f.dir, Nodes: f.nodes, Properties: f.config}
	if plan.Dir == "" {
		plan.Dir = filepath.Join(temp, "kafka")
	}
	nodes, err := f.home.Kafka(plan, "")
	if err != nil {
		return err
	}
	defer node.Stop(nodes)
	var addresses []string
	for i, n := range nodes {
		fmt.Printf("node %d: clients %s, controllers %s, pid %d, files %s\n", i+1, n.Address, n.Controller, n.Process.Pid(), n.Dir)
		addresses = append(addresses, n.Address)
	}
	fmt.Printf("bootstrap servers: %s\n", strings.Join(addresses, ","))
	<-nodes[0].Process.Exited()
	if node.Ended() {
		return nil
	}
	return errors.New("node 1 has ended: " + nodes[0].Process.Tail(3))
}
