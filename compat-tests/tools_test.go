package compat

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// asked is one call of a tool of Apache Kafka, made to both brokers. {B} is the client listener, {C} the controller's.
type asked struct {
	tool  string
	args  string
	mask  []*regexp.Regexp // what may differ beyond the usual: each match becomes #
	fail  bool             // the tool must end with an error, the same from both
	any   bool             // lines come in any order
	each  *regexp.Regexp   // compare only what matches: in any order, and how often is chance
	until string           // the tool never ends: it is stopped once it has printed this
	only  *regexp.Regexp   // compare only the lines of Dohle that match, each of which Kafka must print as well
}

const tools = "org.apache.kafka.tools."

var (
	ids      = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	uuids    = regexp.MustCompile(`[A-Za-z0-9_-]{22}`)
	ports    = regexp.MustCompile(`127\.0\.0\.1:\d+|localhost:\d+`)
	numbers  = regexp.MustCompile(`\d+(\.\d+)?`)
	times    = regexp.MustCompile(`\[?\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[,.]\d+\]?`)
	paths    = regexp.MustCompile(`/[^" ]*/data`)
	sizes    = regexp.MustCompile(`"(size|totalBytes|usableBytes)":\d+|(size|totalBytes|usableBytes)=\d+`)
	spaces   = regexp.MustCompile(`[ \t]+`)
	endpoint = regexp.MustCompile(`port=\d+|"port": ?\d+`)
)

// The tools print the same for Dohle as for Apache Kafka, but for ids, times, ports, paths, offsets of the metadata
// log and byte sizes on disk.
func TestKafkaToolsPrintTheSame(t *testing.T) {
	conversation := []asked{
		{tool: "TopicCommand", args: "--bootstrap-server {B} --create --topic one --partitions 3 --config retention.ms=3600000 --config cleanup.policy=compact,delete"},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --create --topic with.dot --partitions 1 --replication-factor 1"},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --create --topic with_dot --partitions 1", fail: true},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --create --topic one", fail: true},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --create --topic one --if-not-exists"},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --create --topic far --replication-factor 3", fail: true},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --create --topic bad/name", fail: true},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --create --topic odd --config no.such.key=1", fail: true},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --list"},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --describe", any: true},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --describe --topic one"},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --describe --topic missing", fail: true},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --alter --topic one --partitions 5"},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --alter --topic one --partitions 2", fail: true},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --describe --topic one"},
		{tool: "DeleteRecordsCommand", args: "--bootstrap-server {B} --offset-json-file {D}/delete.json", any: true},
		{tool: "GetOffsetShell", args: "--bootstrap-server {B} --topic lines"},
		{tool: "GetOffsetShell", args: "--bootstrap-server {B} --topic lines --time earliest"},
		{tool: "GetOffsetShell", args: "--bootstrap-server {B} --topic one-line --time max-timestamp"},
		{tool: "GetOffsetShell", args: "--bootstrap-server {B} --topic lines --time earliest-local"},
		{tool: "GetOffsetShell", args: "--bootstrap-server {B} --topic lines --time latest-tiered"},
		{tool: "GetOffsetShell", args: "--bootstrap-server {B} --topic lines --time earliest-pending-upload"},
		{tool: "GetOffsetShell", args: "--bootstrap-server {B} --topic lines --time 0"},
		{tool: "GetOffsetShell", args: "--bootstrap-server {B} --topic lines --time 4102444800000"},
		{tool: "BrokerApiVersionsCommand", args: "--bootstrap-server {B}", only: regexp.MustCompile(`^\t\w+\(\d+\): \d+`)},
		{tool: "MetadataQuorumCommand", args: "--bootstrap-server {B} describe --status", mask: []*regexp.Regexp{
			regexp.MustCompile(`(HighWatermark|LeaderEpoch|MaxFollowerLag|MaxFollowerLagTimeMs):\s+-?\d+`), endpoint}},
		{tool: "MetadataQuorumCommand", args: "--bootstrap-server {B} describe --replication", mask: []*regexp.Regexp{regexp.MustCompile(`\b\d{2,}\b`)}},
		{tool: "MetadataQuorumCommand", args: "--bootstrap-controller {C} describe --status", mask: []*regexp.Regexp{
			regexp.MustCompile(`(HighWatermark|LeaderEpoch|MaxFollowerLag|MaxFollowerLagTimeMs):\s+-?\d+`), endpoint}},
		{tool: "ClusterTool", args: "cluster-id --bootstrap-server {B}"},
		{tool: "ClusterTool", args: "list-endpoints --bootstrap-server {B}", mask: []*regexp.Regexp{numbers}},
		{tool: "ClusterTool", args: "list-endpoints --bootstrap-controller {C}", mask: []*regexp.Regexp{numbers}},
		{tool: "ClusterTool", args: "api-versions --bootstrap-server {B}", only: regexp.MustCompile(`^\t\w+\(\d+\): \d+`)},
		{tool: "LogDirsCommand", args: "--bootstrap-server {B} --describe", mask: []*regexp.Regexp{sizes}},
		{tool: "ProducerPerformance", args: "--topic perf --num-records 20000 --record-size 100 --throughput -1 --bootstrap-server {B}", mask: []*regexp.Regexp{numbers, regexp.MustCompile(`(?m)^.*records sent.*\n`)}},
		{tool: "FeatureCommand", args: "--bootstrap-server {B} describe", mask: []*regexp.Regexp{regexp.MustCompile(`Epoch: \d+`)}},
		{tool: "VerifiableProducer", args: "--bootstrap-server {B} --topic one-line --max-messages 20 --acks 1", any: true, mask: []*regexp.Regexp{regexp.MustCompile(`"(timestamp|target_throughput|avg_throughput)":[^,}]+`)}},
		{tool: "VerifiableProducer", args: "--bootstrap-server {B} --topic one-line --max-messages 20 --acks -1 --message-create-time 1700000000000 --value-prefix 7 --repeating-keys 3", any: true, mask: []*regexp.Regexp{
			regexp.MustCompile(`"(timestamp|target_throughput|avg_throughput)":[^,}]+`)}},
		{tool: "ReplicaVerificationTool", args: "--broker-list {B} --topics-include lines|one-line --report-interval-ms 200 --time -2", until: "max lag is", mask: []*regexp.Regexp{regexp.MustCompile(`for partition .* at offset \d+`)}},
		{tool: "LeaderElectionCommand", args: "--bootstrap-server {B} --election-type preferred --topic lines --partition 1"},
		{tool: "LeaderElectionCommand", args: "--bootstrap-server {B} --election-type unclean --topic lines --partition 1"},
		{tool: "LeaderElectionCommand", args: "--bootstrap-server {B} --election-type preferred --topic lines --partition 7", fail: true},
		{tool: "LeaderElectionCommand", args: "--bootstrap-server {B} --election-type preferred --all-topic-partitions"},
		{tool: "reassign.ReassignPartitionsCommand", args: "--bootstrap-server {B} --list"},
		{tool: "TransactionsCommand", args: "--bootstrap-server {B} describe-producers --topic lines --partition 0", mask: []*regexp.Regexp{numbers}},
		{tool: "ConfigCommand", args: "--bootstrap-server {B} --entity-type topics --entity-name lines --alter --add-config retention.ms=7200000,cleanup.policy=[compact,delete]"},
		{tool: "ConfigCommand", args: "--bootstrap-server {B} --entity-type topics --entity-name lines --describe"},
		{tool: "ConfigCommand", args: "--bootstrap-server {B} --entity-type topics --entity-name lines --describe --all"},
		{tool: "ConfigCommand", args: "--bootstrap-server {B} --entity-type topics --entity-name lines --alter --add-config retention.ms=abc", fail: true},
		{tool: "ConfigCommand", args: "--bootstrap-server {B} --entity-type topics --entity-name lines --alter --delete-config retention.ms"},
		{tool: "ConfigCommand", args: "--bootstrap-server {B} --entity-type topics --entity-name missing --describe"},
		{tool: "ConfigCommand", args: "--bootstrap-server {B} --entity-type brokers --entity-name 1 --alter --add-config log.retention.ms=86400000"},
		{tool: "ConfigCommand", args: "--bootstrap-server {B} --entity-type brokers --entity-name 1 --describe"},
		{tool: "ConfigCommand", args: "--bootstrap-server {B} --entity-type brokers --entity-default --describe"},
		{tool: "ConfigCommand", args: "--bootstrap-server {B} --entity-type brokers --entity-name 1 --describe --all"},
		{tool: "ConfigCommand", args: "--bootstrap-server {B} --entity-type brokers --entity-name 1 --alter --add-config log.dirs=/x", fail: true},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --delete --topic one"},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --delete --topic one", fail: true},
		{tool: "TopicCommand", args: "--bootstrap-server {B} --list"},
	}

	dir, ports := t.TempDir(), freePorts(t, 4)
	kafkaDir, dohleDir := filepath.Join(dir, "kafka"), filepath.Join(dir, "dohle")
	must(t, os.MkdirAll(kafkaDir, 0o700))
	must(t, os.MkdirAll(dohleDir, 0o700))
	kafka := startKafka(t, kafkaDir, single(t, filepath.Join(kafkaDir, "data"), ports[0], ports[1]), "-t", clusterID, "--standalone")
	dohle := startDohle(t, dohleDir, single(t, filepath.Join(dohleDir, "data"), ports[2], ports[3]), "-t", clusterID, "--standalone")
	must(t, os.WriteFile(filepath.Join(dir, "delete.json"),
		[]byte(`{"partitions": [{"topic": "lines", "partition": 0, "offset": 10}, {"topic": "lines", "partition": 1, "offset": -1}], "version": 1}`), 0o600))
	for _, n := range []*node{kafka, dohle} {
		kafkaTool(t, tools+"TopicCommand", "--bootstrap-server", n.bootstrap, "--create", "--topic", "lines", "--partitions", "2")
		kafkaTool(t, tools+"TopicCommand", "--bootstrap-server", n.bootstrap, "--create", "--topic", "perf")
		pipe(t, strings.NewReader("a line\n"), "kcat", "-m", "60", "-b", n.bootstrap, "-P", "-t", "one-line", "-p", "0")
		for p := range 2 {
			pipe(t, strings.NewReader(strings.Repeat("a line\n", 100)), "kcat", "-m", "60", "-b", n.bootstrap, "-P", "-t", "lines", "-p", fmt.Sprint(p), "-X", "queue.buffering.max.ms=500")
		}
	}
	both := toolPair{dir: dir, kafka: kafka, dohle: dohle, controllers: [2]int{ports[1], ports[3]}}
	for _, a := range conversation {
		both.ask(t, a)
	}
}

// toolPair is two brokers that tools ask the same.
type toolPair struct {
	dir          string // {D}
	kafka, dohle *node
	controllers  [2]int
}

// ask runs a tool against both and compares what it prints.
func (p toolPair) ask(t *testing.T, a asked) {
	t.Helper()
	t.Run(a.tool+" "+a.args, func(t *testing.T) {
		java, err := jvmArgs()
		must(t, err)
		var want, got string
		var both sync.WaitGroup // two JVMs start on two cores
		for i, side := range []struct {
			n    *node
			text *string
		}{{p.kafka, &want}, {p.dohle, &got}} {
			both.Go(func() {
				args := strings.NewReplacer("{B}", side.n.bootstrap, "{C}", fmt.Sprintf("127.0.0.1:%d", p.controllers[i]), "{D}", p.dir, "{L}", filepath.Join(side.n.dir, "data")).Replace(a.args)
				text, err := a.run(slices.Concat(java, []string{tools + a.tool}, strings.Fields(args)))
				if err != nil {
					t.Errorf("asked at %s: %v", side.n.bootstrap, err)
				}
				*side.text = text
			})
		}
		both.Wait()
		if t.Failed() {
			return
		}
		if a.only != nil {
			a.subset(t, want, got)
		} else if want != got {
			t.Errorf("differs.\nApache Kafka:\n%s\nDohle:\n%s", want, got)
		}
	})
}

func (a asked) run(java []string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.Command("java", java...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if a.until != "" {
		text, err := runUntil(cmd, a.until)
		return a.normal(text), err
	}
	err := cmd.Run()
	if (err != nil) != a.fail {
		return "", fmt.Errorf("ended with %v\n%s%s", err, out.String(), errs.String())
	}
	text := out.String()
	if a.fail { // a stack trace goes to stderr as well: the first lines of both say what was refused
		text += firstLines(errs.String(), 2)
	}
	text = a.normal(text)
	if a.each != nil {
		found := a.each.FindAllString(text, -1)
		if len(found) == 0 {
			return "", fmt.Errorf("printed nothing like %s:\n%s", a.each, text)
		}
		slices.Sort(found)
		text = strings.Join(slices.Compact(found), "\n")
	}
	if a.any {
		lines := strings.Split(text, "\n")
		slices.Sort(lines)
		text = strings.Join(lines, "\n")
	}
	return text, nil
}

// runUntil stops a tool that never ends when it has printed marker, and returns what it printed to the end of that line.
func runUntil(cmd *exec.Cmd, marker string) (string, error) {
	log := newLogFile(marker)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return "", err
	}
	var late error
	select {
	case <-log.seen:
	case <-time.After(patience):
		late = fmt.Errorf("%q did not come within %v", marker, patience)
	}
	cmd.Process.Kill()
	cmd.Wait()
	head, rest, _ := strings.Cut(log.String(), marker)
	line, _, _ := strings.Cut(rest, "\n")
	return head + marker + line, late
}

func firstLines(s string, n int) string {
	lines := strings.Split(s, "\n")
	return strings.Join(lines[:min(n, len(lines))], "\n")
}

// normal takes out what may differ.
func (a asked) normal(text string) string {
	for _, m := range append([]*regexp.Regexp{times, paths, ports, ids, uuids}, a.mask...) {
		text = m.ReplaceAllString(text, "#")
	}
	return spaces.ReplaceAllString(text, " ")
}

func (a asked) subset(t *testing.T, kafka, dohle string) {
	t.Helper()
	known, compared := strings.Split(kafka, "\n"), 0
	for _, line := range strings.Split(dohle, "\n") {
		if !a.only.MatchString(strings.ReplaceAll(line, " ", "\t")) && !a.only.MatchString("\t"+strings.TrimSpace(line)) {
			continue
		}
		compared++
		if !slices.Contains(known, line) && !slices.Contains(known, strings.TrimSuffix(line, ",")) && !slices.Contains(known, line+",") {
			t.Errorf("Apache Kafka prints no such line: %q", line)
		}
	}
	if compared < 10 {
		t.Errorf("only %d lines were compared:\n%s", compared, dohle)
	}
}
