// Pure runs the steps with a client that needs no C: pure franz-go|sarama|kafka-go --steps LIST BOOTSTRAP TOPIC.
package main

import (
	"fmt"
	"os"

	"github.com/dohle-io/dohle/compat-tests/clients/go/steps"
)

func main() {
	clients := map[string]func(bootstrap, topic string) map[string]func() (string, error){
		"franz-go": franz, "sarama": saramaSteps, "kafka-go": segmentio,
	}
	if len(os.Args) < 2 || clients[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: pure franz-go|sarama|kafka-go --steps LIST BOOTSTRAP TOPIC")
		os.Exit(2)
	}
	list, bootstrap, topic := steps.Args(os.Args[2:])
	members := map[string]func(bootstrap, topic string, m *steps.Member) error{
		"franz-go": franzMember, "sarama": saramaMember, "kafka-go": segmentioMember,
	}
	steps.AsMember(list, func(m *steps.Member) error { return members[os.Args[1]](bootstrap, topic, m) })
	steps.Run(list, clients[os.Args[1]](bootstrap, topic))
}

func merged(codec func(name string, partition int) (string, error), consume func(partition int) (string, error), rest map[string]func() (string, error)) map[string]func() (string, error) {
	for i, name := range steps.Codecs {
		rest["produce-"+name] = func() (string, error) { return codec(name, i) }
		rest["consume-"+name] = func() (string, error) { return consume(i) }
	}
	return rest
}
