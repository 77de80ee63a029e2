package compat

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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
	assignsDirectories(t, n, controller, dir)
}

// The reverse: our broker under the controller of Apache Kafka.
func TestDohleBrokerUnderKafkaController(t *testing.T) {
	dir, ports := t.TempDir(), freePorts(t, 2)
	controller := t.TempDir()
	startKafka(t, controller, controllerOnly(filepath.Join(controller, "data"), ports[0]), "-t", clusterID, "--standalone")
	broker := brokerOnly(2, filepath.Join(dir, "a")+","+filepath.Join(dir, "b"), ports[1], ports[0])
	n := startDohle(t, dir, broker, "-t", clusterID)
	servesTopicOn(t, n, 2)
	assignsDirectories(t, n, controller, dir)
}

var (
	partitionRecord = regexp.MustCompile(`"type":"PARTITION(?:_CHANGE)?_RECORD".*"partitionId":(\d+),"topicId":"([^"]+)".*"directories":\["([^"]+)"\]`)
	directoryID     = regexp.MustCompile(`(?m)^directory\.id=(.*)$`)
)

// assignsDirectories creates a topic and looks into the controller's log: each replica ends up in a real directory of
// the broker, which only AssignReplicasToDirs (KIP-858) can have told, and both directories hold some.
func assignsDirectories(t *testing.T, n *node, controller, broker string) {
	t.Helper()
	kafkaTool(t, tools+"TopicCommand", "--bootstrap-server", n.bootstrap, "--create", "--topic", "spread", "--partitions", "8")
	held := map[string]int{}
	for _, d := range []string{"a", "b"} {
		meta, err := os.ReadFile(filepath.Join(broker, d, "meta.properties"))
		must(t, err)
		held[directoryID.FindStringSubmatch(string(meta))[1]] = 0
	}
	const partitions = 8 + 3 // with those of servesTopicOn
	var last map[string]string
	eventually(t, patience, "the controller's log names the directory of each replica", func() bool {
		dump := kafkaTool(t, tools+"DumpLogSegments", "--cluster-metadata-decoder", "--files", filepath.Join(controller, "data", "__cluster_metadata-0", "00000000000000000000.log"))
		last = map[string]string{}
		for _, m := range partitionRecord.FindAllStringSubmatch(dump, -1) {
			last[m[2]+"-"+m[1]] = m[3]
		}
		for d := range held {
			held[d] = 0
		}
		for _, d := range last {
			if _, known := held[d]; !known {
				return false
			}
			held[d]++
		}
		return len(last) == partitions
	})
	for d, count := range held {
		if count == 0 {
			t.Errorf("no replica is in directory %s: %v", d, last)
		}
	}
	described := kafkaTool(t, tools+"LogDirsCommand", "--bootstrap-server", n.bootstrap, "--describe", "--broker-list", "2", "--topic-list", "spread,placed")
	var answer struct {
		Brokers []struct {
			LogDirs []struct {
				LogDir     string
				Error      *string
				Partitions []struct{ Partition string }
			}
		}
	}
	must(t, json.Unmarshal([]byte(described[strings.Index(described, "{"):]), &answer))
	all := 0
	for _, d := range answer.Brokers[0].LogDirs {
		if d.Error != nil || len(d.Partitions) == 0 {
			t.Errorf("kafka-log-dirs shows nothing in %s (error %v)", d.LogDir, d.Error)
		}
		all += len(d.Partitions)
	}
	if all != partitions {
		t.Errorf("kafka-log-dirs shows %d replicas, want %d:\n%s", all, partitions, described)
	}
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
	output(t, "kcat", "-m", "60", "-b", n.bootstrap, "-P", "-t", "placed", "-p", "1", "-l", file)
	if got := output(t, "kcat", "-m", "60", "-b", n.bootstrap, "-C", "-t", "placed", "-p", "1", "-o", "beginning", "-e", "-q"); got != lines.String() {
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
			for r, i := newRPC(t, leader, 1), 0; i < 150; i++ {
				r.create(fmt.Sprintf("filler-%d", i))
			}
			// Apache Kafka looks every minute for what its snapshots have made superfluous.
			eventually(t, 2*patience, "the metadata log starts above zero", func() bool {
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
