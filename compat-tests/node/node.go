package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Node is one combined broker and controller that was started here.
type Node struct {
	Address    string // of clients
	Controller string
	Dir        string // its log.dirs
	Process    *Process

	file string // its server.properties
}

// ClusterID is what both are formatted with.
const ClusterID = "compat-cluster-000001"

// Home says where the pieces lie that are needed to start a broker.
type Home struct {
	Module string // the folder of compat-tests, with kafka/pom.xml
	Dohle  string // Dohle's binary
}

// Plan is what is started: how many nodes, in which folder, from which server.properties. What a node must have of its
// own (roles, ids, listeners, directories, the quorum) is set here, whatever the properties say.
type Plan struct {
	Dir        string
	Nodes      int    // 0: one
	Properties string // a file, or empty
}

// Kafka formats directories and starts Apache Kafka in them. version is that of kafka/pom.xml when it is empty; it may
// also be the folder of a downloaded Apache Kafka.
func (h Home) Kafka(p Plan, version string) ([]*Node, error) {
	if err := java(); err != nil {
		return nil, err
	}
	cp, err := filepath.Join(version, "libs", "*"), error(nil)
	if !isDir(version) {
		cp, err = h.classpath("kafka", version)
	}
	if err != nil {
		return nil, err
	}
	logging := "-Dlog4j2.configurationFile=" + filepath.Join(h.Module, "kafka", "log4j2.xml")
	jvm := []string{"-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", cp}
	return p.start("Apache Kafka",
		command{"java", append(jvm, "kafka.tools.StorageTool", "format")},
		command{"java", append(append([]string{logging}, jvm...), "kafka.Kafka")})
}

// Broker formats directories and starts Dohle, or a binary with its commands, in them.
func (h Home) Broker(p Plan) ([]*Node, error) {
	if _, err := os.Stat(h.Dohle); err != nil {
		return nil, fmt.Errorf("Dohle's binary is not at %s: make build makes it", h.Dohle)
	}
	return p.start("Dohle", command{h.Dohle, []string{"format"}}, command{h.Dohle, []string{"serve"}})
}

type command struct {
	name string
	args []string
}

func (c command) with(args ...string) (string, []string) {
	return c.name, append(append([]string{}, c.args...), args...)
}

// start formats and starts all nodes, or none.
func (p Plan) start(who string, format, serve command) ([]*Node, error) {
	nodes, quorum, err := p.prepare()
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		name, args := format.with(append(quorum, "-t", ClusterID, "-c", n.file)...)
		if err := execute(name, args...); err != nil {
			return nil, fmt.Errorf("%s does not format %s: %w", who, p.Dir, err)
		}
	}
	errs := make([]error, len(nodes))
	together(len(nodes), func(i int) { // a quorum needs its voters before one of them serves
		name, args := serve.with(nodes[i].file)
		nodes[i].Process, errs[i] = launch("Kafka Server started", name, args...)
	})
	for _, err := range errs {
		if err != nil {
			Stop(nodes)
			return nil, fmt.Errorf("%s does not start: %w", who, err)
		}
	}
	return nodes, nil
}

// Stop ends nodes that were started here. It does not fail: what does not end is killed.
func Stop(nodes []*Node) {
	together(len(nodes), func(i int) {
		if nodes[i].Process != nil {
			nodes[i].Process.Stop()
		}
	})
}

// own are the keys that a node must have of its own: those of the given properties count for nothing.
var own = []string{"process.roles", "node.id", "broker.id", "log.dir", "log.dirs", "metadata.log.dir", "listeners", "advertised.listeners",
	"controller.listener.names", "controller.quorum.bootstrap.servers", "controller.quorum.voters", "inter.broker.listener.name", "listener.security.protocol.map"}

// prepare writes the server.properties of each node; it returns what format must be told of the quorum.
func (p Plan) prepare() ([]*Node, []string, error) {
	count := max(p.Nodes, 1)
	ports, err := FreePorts(2 * count)
	if err != nil {
		return nil, nil, err
	}
	given, err := readProperties(p.Properties)
	if err != nil {
		return nil, nil, err
	}
	var nodes []*Node
	var controllers, voters []string
	for i := range count {
		dir := p.Dir
		if count > 1 {
			dir = filepath.Join(p.Dir, fmt.Sprint("node-", i+1))
		}
		n := &Node{Address: fmt.Sprintf("127.0.0.1:%d", ports[2*i]), Controller: fmt.Sprintf("127.0.0.1:%d", ports[2*i+1]),
			Dir: filepath.Join(dir, "data"), file: filepath.Join(dir, "server.properties")}
		nodes = append(nodes, n)
		controllers = append(controllers, n.Controller)
		voters = append(voters, fmt.Sprintf("%d@%s:compat-node-voter-id%cA", i+1, n.Controller, 'B'+i))
	}
	for i, n := range nodes {
		lines := append([]string{
			fmt.Sprintf("offsets.topic.replication.factor=%d", count), fmt.Sprintf("transaction.state.log.replication.factor=%d", count),
			"transaction.state.log.min.isr=1", fmt.Sprintf("share.coordinator.state.topic.replication.factor=%d", count),
			"share.coordinator.state.topic.min.isr=1",
			"log.retention.ms=-1", // records of scenarios are old on purpose
			"log.segment.delete.delay.ms=1000",
			// Groups of scenarios move at once and in one order; few members are many.
			"offsets.topic.num.partitions=5", "group.initial.rebalance.delay.ms=0", "group.min.session.timeout.ms=300",
			"group.consumer.min.session.timeout.ms=1000", "group.consumer.min.heartbeat.interval.ms=500",
			"group.consumer.assignment.interval.ms=0", "group.max.size=6", "group.consumer.max.size=6", "group.consumer.assignor.offload.enable=false",
			"dohle.group.consumer.unsettled.heartbeat.ms=0", // the default is a known difference
		}, given...)
		lines = append(lines, "process.roles=broker,controller", fmt.Sprint("node.id=", i+1), "log.dirs="+n.Dir,
			"listeners=PLAINTEXT://"+n.Address+",CONTROLLER://"+n.Controller, "controller.listener.names=CONTROLLER",
			"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
			"controller.quorum.bootstrap.servers="+strings.Join(controllers, ","))
		if err := os.MkdirAll(filepath.Dir(n.file), 0o755); err != nil {
			return nil, nil, err
		}
		if err := os.WriteFile(n.file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			return nil, nil, err
		}
	}
	if count == 1 {
		return nodes, []string{"--standalone"}, nil
	}
	return nodes, []string{"--initial-controllers", strings.Join(voters, ",")}, nil
}

// readProperties gives the lines that count, without the keys a node has of its own.
func readProperties(file string) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var lines []string
next:
	for _, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		key, _, ok := strings.Cut(line, "=")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("%s: %q is not key=value", file, line)
		}
		for _, k := range own {
			if strings.TrimSpace(key) == k {
				continue next
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return path != "" && err == nil && info.IsDir()
}

func execute(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, firstLine(string(out)))
	}
	return nil
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// firstLine is the first line of what a program printed that says something.
func firstLine(out string) string {
	for line := range strings.Lines(escapes.ReplaceAllString(out, "")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "SLF4J") && !strings.HasPrefix(line, "WARNING") {
			return line[:min(len(line), 500)]
		}
	}
	return "it printed nothing"
}
