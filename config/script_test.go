package config

import (
	"maps"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
)

// base is a node that may start; the scripts' `base` files stand on it.
var base = map[string]string{
	"node.id": "1", "process.roles": "broker,controller", "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
	"controller.listener.names": "CONTROLLER", "controller.quorum.bootstrap.servers": "localhost:9093",
}

// TestAnswersAreKafkas runs the scripts in testdata, whose answers were given by Apache Kafka 4.4.0 itself
// (internal/gen/configs/OracleConfigs.java). Where we differ on purpose, the command stands in `ours`.
func TestAnswersAreKafkas(t *testing.T) {
	for _, name := range []string{"file_values", "file_rules", "topic", "group"} {
		t.Run(name, func(t *testing.T) {
			datadriven.RunTest(t, "testdata/"+name+".txt", func(t *testing.T, d *datadriven.TestData) string {
				given, _, err := parseProperties([]byte(d.Input))
				require.NoError(t, err)
				if err := ask(t, d, given); err != nil {
					return err.Error() + "\n"
				}
				return "ok\n"
			})
		})
	}
}

func ask(t *testing.T, d *datadriven.TestData, given map[string]string) error {
	values := maps.Clone(base)
	if d.HasArg("tiered") {
		values["remote.log.storage.system.enable"] = "true"
	}
	if d.Cmd == "file" {
		if !d.HasArg("base") {
			values = map[string]string{}
		}
		maps.Copy(values, given)
		f := &File{values: values}
		_, err := f.validate()
		return err
	}
	broker, err := NewStatic(values)
	require.NoError(t, err)
	switch d.Cmd {
	case "topic":
		existing := map[string]string{}
		if d.HasArg("was-remote") {
			existing["remote.storage.enable"] = "true"
		}
		return ValidateTopicConfigs(broker, existing, given)
	case "group":
		return ValidateGroupConfigs(broker, given)
	case "metrics":
		return ValidateClientMetrics("m", given)
	case "broker", "brokers":
		return ValidateBrokerChange(Layers{Static: broker}, d.Cmd == "broker", given)
	}
	t.Fatalf("unknown command %s", strings.TrimSpace(d.Cmd))
	return nil
}
