package node

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Node is one combined broker and controller that was started here.
type Node struct {
	Address    string // of clients
	Controller string
	Dir        string // its log.dirs
	Process    *Process
}

// ClusterID is what both are formatted with.
const ClusterID = "compat-cluster-000001"

// Home says where the pieces lie that are needed to start a broker.
type Home struct {
	Module string // the folder of compat-tests, with kafka/pom.xml
	Dohle  string // Dohle's binary
}

// Kafka formats a directory and starts Apache Kafka in it.
func (h Home) Kafka(dir string) (*Node, error) {
	cp, err := h.classpath()
	if err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("java"); err != nil {
		return nil, errors.New("java is not on the PATH: Apache Kafka needs Java 17 or newer")
	}
	n, file, err := prepare(dir)
	if err != nil {
		return nil, err
	}
	jvm := []string{"-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", cp}
	if err := execute("java", append(jvm, "kafka.tools.StorageTool", "format", "--standalone", "-t", ClusterID, "-c", file)...); err != nil {
		return nil, fmt.Errorf("Apache Kafka does not format %s: %w", dir, err)
	}
	logging := "-Dlog4j2.configurationFile=" + filepath.Join(h.Module, "kafka", "log4j2.xml")
	n.Process, err = launch("Kafka Server started", "java", append(append([]string{logging}, jvm...), "kafka.Kafka", file)...)
	if err != nil {
		return nil, fmt.Errorf("Apache Kafka does not start: %w", err)
	}
	return n, nil
}

// Broker formats a directory and starts Dohle in it.
func (h Home) Broker(dir string) (*Node, error) {
	if _, err := os.Stat(h.Dohle); err != nil {
		return nil, fmt.Errorf("Dohle's binary is not at %s: make build makes it", h.Dohle)
	}
	n, file, err := prepare(dir)
	if err != nil {
		return nil, err
	}
	if err := execute(h.Dohle, "format", "--standalone", "-t", ClusterID, "-c", file); err != nil {
		return nil, fmt.Errorf("Dohle does not format %s: %w", dir, err)
	}
	n.Process, err = launch("Kafka Server started", h.Dohle, "serve", file)
	if err != nil {
		return nil, fmt.Errorf("Dohle does not start: %w", err)
	}
	return n, nil
}

// Stop ends the node. It does not fail: what does not end is killed.
func (n *Node) Stop() { n.Process.Stop() }

func prepare(dir string) (*Node, string, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, "", err
	}
	n := &Node{Address: fmt.Sprintf("127.0.0.1:%d", ports[0]), Controller: fmt.Sprintf("127.0.0.1:%d", ports[1]), Dir: filepath.Join(dir, "data")}
	file := filepath.Join(dir, "server.properties")
	lines := []string{
		"process.roles=broker,controller", "node.id=1", "log.dirs=" + n.Dir,
		"listeners=PLAINTEXT://" + n.Address + ",CONTROLLER://" + n.Controller,
		"controller.listener.names=CONTROLLER", "controller.quorum.bootstrap.servers=" + n.Controller,
		"offsets.topic.replication.factor=1", "transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
		"share.coordinator.state.topic.replication.factor=1", "share.coordinator.state.topic.min.isr=1",
		"log.retention.ms=-1", // records of scenarios are old on purpose
		"log.segment.delete.delay.ms=1000",
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, "", err
	}
	return n, file, os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// freePorts are ports that nobody listened on a moment ago.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// classpath is what kafka/pom.xml resolves to; Maven is asked once, the result stands beside the pom.
func (h Home) classpath() (string, error) {
	dir := filepath.Join(h.Module, "kafka")
	file := filepath.Join(dir, "classpath.txt")
	if cp, err := os.ReadFile(file); err == nil && usable(string(cp)) {
		return strings.TrimSpace(string(cp)), nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", errors.New("Maven (mvn) is not on the PATH: it brings Apache Kafka")
	}
	if err := execute("mvn", "-q", "-B", "-f", filepath.Join(dir, "pom.xml"), "dependency:build-classpath", "-Dmdep.outputFile=classpath.txt"); err != nil {
		return "", fmt.Errorf("Maven does not resolve %s: %w", filepath.Join(dir, "pom.xml"), err)
	}
	cp, err := os.ReadFile(file)
	return strings.TrimSpace(string(cp)), err
}

func usable(cp string) bool {
	for _, jar := range filepath.SplitList(strings.TrimSpace(cp)) {
		if _, err := os.Stat(jar); err != nil {
			return false
		}
	}
	return cp != ""
}

func execute(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %.2000s", filepath.Base(name), err, out)
	}
	return nil
}
