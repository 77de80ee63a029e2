package compat

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dohle-io/dohle/compat-tests/wire"
)

// A request that waits longer than connections.max.idle.ms loses its connection, whatever its own time is.
func TestAWaitEndsWithTheIdleTime(t *testing.T) {
	root := t.TempDir()
	for _, who := range bothBrokers {
		t.Run(who.name, func(t *testing.T) {
			dir, ports := filepath.Join(root, who.name), freePorts(t, 2)
			must(t, os.MkdirAll(dir, 0o700))
			n := who.start(t, dir, single(t, filepath.Join(dir, "data"), ports[0], ports[1]).with(props{
				"connections.max.idle.ms": "3000", "group.initial.rebalance.delay.ms": "120000"}), "-t", clusterID, "--standalone")
			r := newRPC(t, n, 1)
			r.create("empty")
			for _, ask := range []struct {
				api     string
				version int16
				fields  map[string]any
			}{
				{"FindCoordinator", 3, map[string]any{"Key": "g"}}, // it makes the group's partitions
				{"Fetch", 11, map[string]any{"ReplicaId": -1, "MaxWaitMs": 120_000, "MinBytes": 1, "MaxBytes": 1 << 20, "SessionEpoch": -1,
					"Topics": []any{map[string]any{"Topic": "empty", "Partitions": []any{map[string]any{
						"Partition": 0, "CurrentLeaderEpoch": -1, "FetchOffset": 0, "LogStartOffset": -1, "PartitionMaxBytes": 1 << 20}}}}}},
				{"JoinGroup", 3, map[string]any{"GroupId": "g", "SessionTimeoutMs": 60_000, "RebalanceTimeoutMs": 120_000, "MemberId": "",
					"ProtocolType": "consumer", "Protocols": []any{map[string]any{"Name": "range", "Metadata": "0x00"}}}},
			} {
				m, err := wire.Request(ask.api)
				must(t, err)
				body, err := wire.Encode(m, ask.version, ask.fields)
				must(t, err)
				var effect string
				var began time.Time
				eventually(t, patience, ask.api+" waits", func() bool { // it answers at once until the coordinator serves
					c, err := wire.Dial(n.bootstrap)
					must(t, err)
					defer c.Close()
					began = time.Now()
					must(t, c.Send(c.Frame(m, ask.version, "waits", body)))
					_, effect, err = c.Receive(60 * time.Second)
					must(t, err)
					return ask.api == "FindCoordinator" || effect != wire.Answered
				})
				took := time.Since(began)
				t.Logf("%s: %s after %s", ask.api, effect, took.Round(100*time.Millisecond))
				if ask.api != "FindCoordinator" && (effect != wire.Closed || took < 2500*time.Millisecond) {
					t.Errorf("%s: %s after %s", ask.api, effect, took)
				}
			}
			n.stop(shutdownPatience)
		})
	}
}
