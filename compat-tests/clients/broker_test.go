package clients

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dohle-io/dohle/compat-tests/node"
)

// broker is a process on the same ports and directory through restarts.
type broker struct {
	t       *testing.T
	address string
	command []string
	process *exec.Cmd
	exited  chan struct{}
	log     *output
}

// output is what a process printed; seen is closed once it contains marker.
type output struct {
	mu     sync.Mutex
	text   bytes.Buffer
	marker []byte
	seen   chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	if o.marker != nil && bytes.Contains(o.text.Bytes(), o.marker) {
		o.marker = nil
		close(o.seen)
	}
	return len(p), nil
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.text.String()
	return s[max(0, len(s)-3000):]
}

// startBroker formats a directory and serves it with dohle or kafka.
func startBroker(t *testing.T, side string) *broker {
	t.Helper()
	ports, err := node.FreePorts(2)
	must(t, err)
	dir := t.TempDir()
	file := filepath.Join(dir, "server.properties")
	b := &broker{t: t, address: fmt.Sprintf("127.0.0.1:%d", ports[0])}
	must(t, os.WriteFile(file, []byte(strings.Join([]string{
		"process.roles=broker,controller", "node.id=1", "log.dirs=" + filepath.Join(dir, "data"),
		fmt.Sprintf("listeners=PLAINTEXT://%s,CONTROLLER://127.0.0.1:%d", b.address, ports[1]),
		"controller.listener.names=CONTROLLER", fmt.Sprintf("controller.quorum.bootstrap.servers=127.0.0.1:%d", ports[1]),
		"offsets.topic.replication.factor=1", "offsets.topic.num.partitions=5", "group.initial.rebalance.delay.ms=0",
		"transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
	}, "\n")+"\n"), 0o600))
	dohle := os.Getenv("DOHLE_BIN")
	if dohle == "" {
		dohle = "../../bin/dohle"
	}
	format := []string{dohle, "format"}
	b.command = []string{dohle, "serve", file}
	if side == "kafka" {
		cp, err := os.ReadFile("../kafka/classpath.txt")
		if err != nil {
			t.Fatalf("%v: make compat-tests/kafka/classpath.txt resolves Apache Kafka", err)
		}
		jvm := []string{"java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dlog4j2.configurationFile=../kafka/log4j2.xml", "-cp", strings.TrimSpace(string(cp))}
		format = append(append([]string{}, jvm...), "kafka.tools.StorageTool", "format")
		b.command = append(append([]string{}, jvm...), "kafka.Kafka", file)
	}
	if out, err := exec.Command(format[0], append(format[1:], "-t", "compat-clients-000001", "--standalone", "-c", file)...).CombinedOutput(); err != nil {
		t.Fatalf("%s does not format: %v\n%s", side, err, out)
	}
	b.start()
	t.Cleanup(func() {
		b.process.Process.Kill()
		<-b.exited
		if t.Failed() {
			t.Logf("the broker printed last:\n%s", b.log.tail())
		}
	})
	return b
}

// patience is how long a broker may take to start or to stop: on a machine that has nothing else to do, moments.
const patience = 3 * time.Minute

func (b *broker) start() {
	b.t.Helper()
	b.log = &output{marker: []byte("Kafka Server started"), seen: make(chan struct{})}
	b.process = exec.Command(b.command[0], b.command[1:]...)
	b.process.Stdout, b.process.Stderr = b.log, b.log
	must(b.t, b.process.Start())
	process, exited := b.process, make(chan struct{})
	b.exited = exited
	go func() {
		process.Wait()
		close(exited)
	}()
	select {
	case <-b.log.seen:
	case <-exited:
		b.t.Fatalf("the broker ended before it served:\n%s", b.log.tail())
	case <-time.After(patience):
		b.t.Fatalf("the broker did not serve within %v:\n%s", patience, b.log.tail())
	}
}

// restart stops the broker as an operator does and starts it again.
func (b *broker) restart() {
	b.t.Helper()
	b.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-b.exited:
	case <-time.After(patience):
		b.t.Fatalf("the broker still runs %v after SIGTERM", patience)
	}
	b.start()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
