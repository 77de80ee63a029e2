package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const clusterID = "mixed-cluster-id-00000"

func controllerOnly(logDir string, port int) props {
	return props{
		"process.roles": "controller", "node.id": "1", "log.dirs": logDir,
		"listeners":                           fmt.Sprintf("CONTROLLER://127.0.0.1:%d", port),
		"controller.listener.names":           "CONTROLLER",
		"controller.quorum.bootstrap.servers": fmt.Sprintf("127.0.0.1:%d", port),
	}
}

func brokerOnly(id int, logDirs string, port, controller int) props {
	return props{
		"process.roles": "broker", "node.id": fmt.Sprint(id), "log.dirs": logDirs,
		"listeners":                                fmt.Sprintf("PLAINTEXT://127.0.0.1:%d", port),
		"controller.listener.names":                "CONTROLLER",
		"controller.quorum.bootstrap.servers":      fmt.Sprintf("127.0.0.1:%d", controller),
		"offsets.topic.replication.factor":         "1",
		"transaction.state.log.replication.factor": "1",
		"transaction.state.log.min.isr":            "1",
	}
}

// A real broker process of Apache Kafka registers with our controller, is unfenced, follows the metadata log and
// serves a topic that is placed on it; with two log dirs it also assigns replicas to directories (KIP-858).
func TestKafkaBrokerUnderDohleController(t *testing.T) {
	dir, ports := t.TempDir(), freePorts(t, 2)
	controller := t.TempDir()
	startDohle(t, controller, controllerOnly(filepath.Join(controller, "data"), ports[0]), "-t", clusterID, "--standalone")
	broker := brokerOnly(2, filepath.Join(dir, "a")+","+filepath.Join(dir, "b"), ports[1], ports[0])
	n := startKafka(t, dir, broker, "-t", clusterID)
	servesTopicOn(t, n, 2)
}

// The reverse: our broker under the controller of Apache Kafka.
func TestDohleBrokerUnderKafkaController(t *testing.T) {
	dir, ports := t.TempDir(), freePorts(t, 2)
	controller := t.TempDir()
	startKafka(t, controller, controllerOnly(filepath.Join(controller, "data"), ports[0]), "-t", clusterID, "--standalone")
	broker := brokerOnly(2, filepath.Join(dir, "a")+","+filepath.Join(dir, "b"), ports[1], ports[0])
	n := startDohle(t, dir, broker, "-t", clusterID)
	servesTopicOn(t, n, 2)
}

// servesTopicOn creates a topic on broker id through n, writes to it and reads it back, with Kafka's own tools.
func servesTopicOn(t *testing.T, n *node, id int) {
	t.Helper()
	kafkaTool(t, "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", n.bootstrap,
		"--create", "--topic", "placed", "--replica-assignment", fmt.Sprintf("%d,%d,%d", id, id, id))
	described := kafkaTool(t, "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", n.bootstrap, "--describe", "--topic", "placed")
	for p := range 3 {
		if want := fmt.Sprintf("Partition: %d\tLeader: %d\tReplicas: %d\tIsr: %d", p, id, id, id); !strings.Contains(described, want) {
			t.Fatalf("describe does not show %q:\n%s", want, described)
		}
	}
	var lines strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&lines, "line %d of the mixed cluster\n", i)
	}
	file := filepath.Join(t.TempDir(), "lines")
	must(t, os.WriteFile(file, []byte(lines.String()), 0o600))
	output(t, "kcat", "-b", n.bootstrap, "-P", "-t", "placed", "-p", "1", "-l", file)
	if got := output(t, "kcat", "-b", n.bootstrap, "-C", "-t", "placed", "-p", "1", "-o", "beginning", "-e", "-q"); got != lines.String() {
		t.Fatalf("read %d bytes back, wrote %d", len(got), lines.Len())
	}
}

// An observer whose log ends below the leader's log start can only go on from a snapshot (FetchSnapshot, KIP-630).
// The leader here snapshots every few kilobytes and keeps almost no log, and the observer comes late.
func TestObserversCatchUpFromSnapshots(t *testing.T) {
	small := props{
		"metadata.log.max.record.bytes.between.snapshots": "2000", "metadata.max.retention.bytes": "2000",
		"metadata.log.segment.bytes": "8388608", "internal.metadata.log.segment.bytes": "8192", "internal.metadata.delete.delay.millis": "1000",
	}
	for _, pair := range []struct {
		name               string
		controller, broker func(*testing.T, string, props, ...string) *node
	}{{"kafka follows dohle", startDohle, startKafka}, {"dohle follows kafka", startKafka, startDohle}} {
		t.Run(pair.name, func(t *testing.T) {
			ports := freePorts(t, 3)
			dir := t.TempDir()
			first := single(t, filepath.Join(dir, "data"), ports[0], ports[1]).with(small)
			leader := pair.controller(t, dir, first, "-t", clusterID, "--standalone")
			for i := range 12 {
				kafkaTool(t, "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", leader.bootstrap, "--create", "--topic", fmt.Sprintf("filler-%d", i), "--partitions", "40")
			}
			eventually(t, time.Minute, "the metadata log starts above zero", func() bool {
				_, err := os.Stat(filepath.Join(dir, "data", "__cluster_metadata-0", "00000000000000000000.log"))
				return os.IsNotExist(err)
			})
			late := t.TempDir()
			n := pair.broker(t, late, brokerOnly(2, filepath.Join(late, "data"), ports[2], ports[1]), "-t", clusterID)
			snapshots, _ := filepath.Glob(filepath.Join(late, "data", "__cluster_metadata-0", "*.checkpoint"))
			if len(snapshots) == 0 {
				t.Fatal("the observer has fetched no snapshot")
			}
			servesTopicOn(t, n, 2)
		})
	}
}
