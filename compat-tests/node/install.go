package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// classpath is what the pom of a folder resolves to, at another version of Apache Kafka if one is given. Maven is asked
// once: the result stands beside the pom until the pom is newer.
func (h Home) classpath(folder, version string) (string, error) {
	dir, name := filepath.Join(h.Module, folder), "classpath.txt"
	args := []string{"-q", "-B", "-f", filepath.Join(dir, "pom.xml"), "dependency:build-classpath"}
	if version != "" {
		name = "classpath-" + version + ".txt"
		args = append(args, "-Dkafka.version="+version)
	}
	file := filepath.Join(dir, name)
	if cp, err := os.ReadFile(file); err == nil && usable(string(cp)) && newer(file, filepath.Join(dir, "pom.xml")) {
		return strings.TrimSpace(string(cp)), nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", errors.New("Maven (mvn) is not on the PATH: it brings Apache Kafka")
	}
	if err := execute("mvn", append(args, "-Dmdep.outputFile="+name)...); err != nil {
		return "", fmt.Errorf("Maven does not resolve %s: %w", filepath.Join(dir, "pom.xml"), err)
	}
	cp, err := os.ReadFile(file)
	return strings.TrimSpace(string(cp)), err
}

func usable(cp string) bool {
	for _, jar := range filepath.SplitList(strings.TrimSpace(cp)) {
		if strings.HasSuffix(jar, "*") {
			jar = filepath.Dir(jar)
		}
		if _, err := os.Stat(jar); err != nil {
			return false
		}
	}
	return cp != ""
}

func newer(file, than string) bool {
	a, err := os.Stat(file)
	b, err2 := os.Stat(than)
	return err == nil && (err2 != nil || !a.ModTime().Before(b.ModTime()))
}

var (
	versionSetting = regexp.MustCompile(`<kafka\.version>([^<]+)</kafka\.version>`)
	javaVersion    = regexp.MustCompile(`version "(\d+)`)
)

// Version is the one of Apache Kafka that kafka/pom.xml sets.
func (h Home) Version() (string, error) {
	file := filepath.Join(h.Module, "kafka", "pom.xml")
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	m := versionSetting.FindSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("%s sets no kafka.version", file)
	}
	return string(m[1]), nil
}

// java says in one sentence why Apache Kafka cannot run here.
func java() error {
	const needs = "Apache Kafka needs Java 17 or newer"
	if _, err := exec.LookPath("java"); err != nil {
		return errors.New("java is not on the PATH: " + needs)
	}
	out, _ := exec.Command("java", "-version").CombinedOutput()
	if m := javaVersion.FindSubmatch(out); m != nil {
		if n, _ := strconv.Atoi(string(m[1])); n < 17 {
			return fmt.Errorf("java on the PATH is version %d: %s", n, needs)
		}
	}
	return nil
}

// tools are the shell tools by name, with the class that each one is.
var tools = map[string]string{
	"kafka-acls": "tools.AclCommand", "kafka-broker-api-versions": "tools.BrokerApiVersionsCommand",
	"kafka-client-metrics": "tools.ClientMetricsCommand", "kafka-cluster": "tools.ClusterTool", "kafka-configs": "tools.ConfigCommand",
	"kafka-console-consumer": "tools.consumer.ConsoleConsumer", "kafka-console-producer": "tools.ConsoleProducer",
	"kafka-console-share-consumer": "tools.consumer.ConsoleShareConsumer", "kafka-consumer-groups": "tools.consumer.group.ConsumerGroupCommand",
	"kafka-consumer-perf-test": "tools.ConsumerPerformance", "kafka-delegation-tokens": "tools.DelegationTokenCommand",
	"kafka-delete-records": "tools.DeleteRecordsCommand", "kafka-dump-log": "tools.DumpLogSegments", "kafka-e2e-latency": "tools.EndToEndLatency",
	"kafka-features": "tools.FeatureCommand", "kafka-get-offsets": "tools.GetOffsetShell", "kafka-groups": "tools.GroupsCommand",
	"kafka-jmx": "tools.JmxTool", "kafka-leader-election": "tools.LeaderElectionCommand", "kafka-log-dirs": "tools.LogDirsCommand",
	"kafka-metadata-quorum": "tools.MetadataQuorumCommand", "kafka-producer-perf-test": "tools.ProducerPerformance",
	"kafka-reassign-partitions": "tools.reassign.ReassignPartitionsCommand", "kafka-replica-verification": "tools.ReplicaVerificationTool",
	"kafka-share-consumer-perf-test": "tools.ShareConsumerPerformance", "kafka-share-groups": "tools.consumer.group.ShareGroupCommand",
	"kafka-streams-application-reset": "tools.StreamsResetter", "kafka-streams-groups": "tools.streams.StreamsGroupCommand",
	"kafka-topics": "tools.TopicCommand", "kafka-transactions": "tools.TransactionsCommand",
	"connect-plugin-path": "tools.ConnectPluginPath", "connect-standalone": "connect.cli.ConnectStandalone", "connect-distributed": "connect.cli.ConnectDistributed",
	"kafka-storage": "kafka.tools.StorageTool", "kafka-server-start": "kafka.Kafka",
	"kafka-metadata-shell": "shell.MetadataShell", "connect-mirror-maker": "connect.mirror.MirrorMaker",
}

// ofShell are the tools whose artifacts end at another version: kafka-shell/pom.xml has them.
var ofShell = []string{"kafka-metadata-shell", "connect-mirror-maker"}

// Install fetches Apache Kafka and makes kafka/bin, with one small program for each of its shell tools, under the names
// that they have with and without .sh. It returns that folder and how many tools are in it.
func (h Home) Install() (string, int, error) {
	if err := java(); err != nil {
		return "", 0, err
	}
	module, err := filepath.Abs(h.Module)
	if err != nil {
		return "", 0, err
	}
	h.Module = module
	for _, folder := range []string{"kafka", "kafka-shell"} {
		if _, err := h.classpath(folder, ""); err != nil {
			return "", 0, err
		}
	}
	bin := filepath.Join(module, "kafka", "bin")
	if err := os.RemoveAll(bin); err != nil {
		return "", 0, err
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", 0, err
	}
	for name, class := range tools {
		folder := "kafka"
		if slices.Contains(ofShell, name) {
			folder = "kafka-shell"
		}
		if !strings.HasPrefix(class, "kafka.") {
			class = "org.apache.kafka." + class
		}
		text := fmt.Sprintf("#!/bin/sh\nexec java ${KAFKA_HEAP_OPTS:--Xmx256m} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC $KAFKA_OPTS -cp \"$(cat '%s')\" %s \"$@\"\n",
			filepath.Join(module, folder, "classpath.txt"), class)
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			return "", 0, err
		}
		if err := os.Symlink(name, filepath.Join(bin, name+".sh")); err != nil {
			return "", 0, err
		}
	}
	return bin, len(tools), nil
}
