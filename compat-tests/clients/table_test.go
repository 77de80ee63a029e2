package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// client is one program and what it cannot do. A step that a client lacks is not asked of it.
type client struct {
	name, version string
	make          string // target of the Makefile that installs it
	command       func(t *testing.T) []string
	lacks         map[string]string // step: why
	slow          bool              // its installation compiles a C library for minutes: only with LONG=1
}

const (
	noProtocol = "the consumer group protocol of KIP-848 is not in this client"
	noAdmin    = "no admin client"
	noPlugin   = "the codec is not in this client"
)

func fixed(command ...string) func(*testing.T) []string {
	return func(*testing.T) []string { return command }
}

func java(version string) client {
	return client{name: "Java kafka-clients", version: version, make: "java", command: func(t *testing.T) []string {
		dir := filepath.Join("java", "build", version)
		cp, err := os.ReadFile(filepath.Join(dir, "classpath.txt"))
		if err != nil {
			t.Fatal(err)
		}
		return []string{"java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", dir + ":" + strings.TrimSpace(string(cp)), "Client"}
	}}
}

func python(name, version, script string) client {
	return client{name: name, version: version, make: "python", command: fixed("python/.venv/bin/python", "python/"+script)}
}

func pure(name, version string) client {
	return client{name: name, version: version, make: "go", command: fixed("go/bin/pure", name)}
}

func (c client) without(reason string, steps ...string) client {
	lacks := map[string]string{}
	for s, r := range c.lacks {
		lacks[s] = r
	}
	for _, s := range steps {
		lacks[s] = reason
	}
	c.lacks = lacks
	return c
}

// table has the slow ones last.
func table() []client {
	kafkaJS := client{name: "KafkaJS", version: "2.2.4", make: "node", command: fixed("node", "node/kafkajs.js")}
	confluentJS := client{name: "@confluentinc/kafka-javascript", version: "1.10.1", make: "node-confluent", command: fixed("node", "node/confluent.js"), slow: true}
	rust := client{name: "rdkafka (Rust)", version: "0.39.0", make: "rust", command: fixed("rust/target/release/client"), slow: true}
	return []client{
		java("4.4.0"),
		java("3.9.2"),
		java("2.8.2").without(noProtocol, "group-consumer"),
		python("confluent-kafka-python", "2.16.1", "confluent.py"),
		python("kafka-python", "3.0.12", "kafkapython.py").without(noProtocol, "group-consumer"),
		python("aiokafka", "0.14.0", "aio.py").without(noProtocol, "group-consumer"),
		client{name: "kcat", version: "Debian 1.7.1", make: "kcat", command: fixed("kcat/client.sh")}.
			without(noAdmin, "create-topic", "describe-topic", "describe-config", "alter-config", "delete-records", "create-partitions", "delete-topic").
			without("its librdkafka 2.0 is older than KIP-848", "group-consumer").
			without("kcat ends when its only broker goes: no restart can be lived through", "restart"),
		kafkaJS.without(noPlugin, "produce-lz4", "produce-zstd", "consume-lz4", "consume-zstd").without(noProtocol, "group-consumer"),
		pure("franz-go", "1.22.3"),
		pure("sarama", "1.61.1").without(noProtocol, "group-consumer"),
		pure("kafka-go", "0.4.51").without(noProtocol, "group-consumer").without("DeleteRecords is not in this client", "delete-records"),
		{name: "confluent-kafka-go", version: "2.15.0", make: "go-confluent", command: fixed("go/bin/confluent")},
		confluentJS.without("not in its admin client", "describe-cluster", "describe-config", "alter-config").
			without("built here without libzstd", "produce-zstd", "consume-zstd"),
		rust.without("not in its admin client", "describe-cluster"),
	}
}
