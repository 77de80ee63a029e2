package compat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	stand "github.com/dohle-io/dohle/compat-tests/node"
)

// binary is the broker under test: bin/dohle of the checkout, or what DOHLE_BIN names.
var binary = func() string {
	if p := os.Getenv("DOHLE_BIN"); p != "" {
		return p
	}
	p, _ := filepath.Abs("../bin/dohle")
	return p
}()

// classpath is Apache Kafka with its tools, shellClasspath the metadata shell, which is not part of the former.
var (
	classpath      = resolved("kafka")
	shellClasspath = resolved("kafka-shell")
)

// resolved fetches what the pom in dir names from Maven once and keeps the result beside the pom.
func resolved(dir string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		file := filepath.Join(dir, "classpath.txt")
		if cp, err := os.ReadFile(file); err == nil && usable(string(cp)) && !olderThan(file, filepath.Join(dir, "pom.xml")) {
			return string(cp), nil
		}
		if _, err := exec.LookPath("mvn"); err != nil {
			return "", errors.New("Maven (mvn) is not on the PATH: it brings Apache Kafka")
		}
		if err := execute("mvn", "-q", "-B", "-f", filepath.Join(dir, "pom.xml"), "dependency:build-classpath", "-Dmdep.outputFile=classpath.txt"); err != nil {
			return "", fmt.Errorf("Maven could not resolve %s/pom.xml: %w", dir, err)
		}
		cp, err := os.ReadFile(file)
		return string(cp), err
	})
}

func olderThan(file, other string) bool {
	a, errA := os.Stat(file)
	b, errB := os.Stat(other)
	return errA == nil && errB == nil && a.ModTime().Before(b.ModTime())
}

func usable(cp string) bool {
	for _, jar := range strings.Split(cp, ":") {
		if _, err := os.Stat(jar); err != nil {
			return false
		}
	}
	return cp != ""
}

// A node is a broker process that this test started and that ends with it.
type node struct {
	t         *testing.T
	cmd       *exec.Cmd
	exited    chan struct{}
	log       *logFile
	bootstrap string // client listener
	dir       string
}

type props map[string]string

func (p props) with(more props) props {
	all := maps.Clone(p)
	maps.Copy(all, more)
	return all
}

func (p props) write(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s=%s\n", k, p[k])
	}
	path := filepath.Join(dir, "server.properties")
	must(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

// single is one combined node as both brokers take it.
func single(t *testing.T, logDir string, client, controller int) props {
	t.Helper()
	return props{
		"process.roles": "broker,controller", "node.id": "1", "log.dirs": logDir,
		"listeners":                                        fmt.Sprintf("PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d", client, controller),
		"controller.listener.names":                        "CONTROLLER",
		"controller.quorum.bootstrap.servers":              fmt.Sprintf("127.0.0.1:%d", controller),
		"offsets.topic.replication.factor":                 "1",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
	}
}

// startDev starts `dohle dev` on a free port, in a directory of the test.
func startDev(t *testing.T, extra ...string) *node {
	t.Helper()
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready.json")
	args := append([]string{"dev", "--port", "0", "--dir", filepath.Join(dir, "data"), "--ready-file", ready}, extra...)
	n := launch(t, dir, "Kafka Server started", binary, args...)
	n.bootstrap = readReady(t, ready)
	return n
}

func readReady(t *testing.T, path string) string {
	t.Helper()
	var ready struct {
		Bootstrap string `json:"bootstrap"`
	}
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, json.Unmarshal(text, &ready))
	return ready.Bootstrap
}

// startDohle serves the properties in dir; format says whether its log dirs are formatted first.
//
// COMPAT_SELF=1 puts Apache Kafka in Dohle's place: what then fails is a test that asks too much.
func startDohle(t *testing.T, dir string, p props, format ...string) *node {
	t.Helper()
	if os.Getenv("COMPAT_SELF") != "" {
		return startKafka(t, dir, p, format...)
	}
	file := p.write(t, dir)
	if len(format) > 0 {
		output(t, binary, append([]string{"format", "-c", file}, format...)...)
	}
	n := launch(t, dir, "Kafka Server started", binary, "serve", file)
	n.bootstrap = clientAddress(p)
	return n
}

// startKafka is startDohle for Apache Kafka.
func startKafka(t *testing.T, dir string, p props, format ...string) *node {
	t.Helper()
	file := p.write(t, dir)
	if len(format) > 0 {
		kafkaTool(t, "kafka.tools.StorageTool", append([]string{"format", "-c", file}, format...)...)
	}
	logging, err := filepath.Abs("kafka/log4j2.xml") // the tools run without: errors only
	must(t, err)
	args := append([]string{"-Dlog4j2.configurationFile=" + logging}, append(jvm(t), "kafka.Kafka", file)...)
	n := launch(t, dir, "Kafka Server started", "java", args...)
	n.bootstrap = clientAddress(p)
	return n
}

// bothBrokers are asked the same, one after the other.
var bothBrokers = []struct {
	name  string
	start func(t *testing.T, dir string, p props, format ...string) *node
}{{"kafka", startKafka}, {"dohle", startDohle}}

// seeded is SEED of the environment, otherwise what is given. A failure is repeated with what it logs.
func seeded(t *testing.T, otherwise uint64) uint64 {
	t.Helper()
	seed := otherwise
	if s := os.Getenv("SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		must(t, err)
	}
	t.Logf("SEED=%d", seed)
	return seed
}

func clientAddress(p props) string {
	for _, l := range strings.Split(p["listeners"], ",") {
		if name, addr, ok := strings.Cut(l, "://"); ok && name != "CONTROLLER" {
			return addr
		}
	}
	return ""
}

func jvm(t *testing.T) []string {
	t.Helper()
	args, err := jvmArgs()
	must(t, err)
	return args
}

// jvmArgs begin every command line of Apache Kafka. What the machine itself warns of goes to stderr: stdout is compared.
func jvmArgs() ([]string, error) {
	cp, err := classpath()
	return []string{"-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+DisplayVMOutputToStderr", "-cp", cp}, err
}

// launch starts a process and returns once its output has shown marker.
func launch(t *testing.T, dir, marker, name string, args ...string) *node {
	t.Helper()
	n := &node{t: t, dir: dir, log: newLogFile(marker), exited: make(chan struct{})}
	n.cmd = exec.Command(name, args...)
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	must(t, n.cmd.Start())
	go func() {
		n.cmd.Wait()
		close(n.exited)
	}()
	t.Cleanup(func() {
		n.kill()
		if t.Failed() {
			t.Logf("output of %s:\n%s", filepath.Base(name), n.log.tail(20))
		}
	})
	select {
	case <-n.log.seen:
	case <-n.exited:
		t.Fatalf("%s %s ended before it served:\n%s", name, strings.Join(args, " "), n.log.tail(40))
	case <-time.After(patience):
		t.Fatalf("%s did not say %q within %v:\n%s", name, marker, patience, n.log.tail(40))
	}
	return n
}

// stop ends the node as an operator does and fails if it takes longer than within.
func (n *node) stop(within time.Duration) {
	n.t.Helper()
	n.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-n.exited:
	case <-time.After(within):
		n.t.Fatalf("still running %s after SIGTERM", within)
	}
}

// kill ends the node as a power cut does.
func (n *node) kill() {
	n.cmd.Process.Kill()
	<-n.exited
}

// logFile collects a process's output and says when a marker passed.
type logFile struct {
	mu     sync.Mutex
	text   bytes.Buffer
	marker []byte
	seen   chan struct{}
}

func newLogFile(marker string) *logFile {
	return &logFile{marker: []byte(marker), seen: make(chan struct{})}
}

func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	if l.marker != nil && bytes.Contains(l.text.Bytes(), l.marker) {
		l.marker = nil
		close(l.seen)
	}
	return len(p), nil
}

func (l *logFile) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logFile) tail(lines int) string {
	all := strings.Split(l.String(), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// kafkaTool runs a tool of Apache Kafka and returns what it printed on stdout.
func kafkaTool(t *testing.T, class string, args ...string) string {
	t.Helper()
	return output(t, "java", append(append(jvm(t), class), args...)...)
}

// output runs a command to its end, fails the test if it fails, and returns its stdout.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	return pipe(t, nil, name, args...)
}

func pipe(t *testing.T, stdin io.Reader, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\nstdout: %.2000s\nstderr: %.4000s", filepath.Base(name), strings.Join(short(args), " "), err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

func short(args []string) []string {
	list := slices.Clone(args)
	for i := range list {
		if len(list[i]) > 200 {
			list[i] = list[i][:20] + "…"
		}
	}
	return list
}

// patience is how long a test waits for what must come, and comes at once on a machine that has nothing else to do: a
// JVM that starts beside a build takes a minute.
const patience = 3 * time.Minute

// eventually waits until ok holds, looking ten times a second, and fails after a time in which it must have.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(within); ; {
		if ok() {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// A machineTime counts how long something takes on a machine that does nothing else, for what is bounded by time: 25
// processes on two cores beside a build get their turns later.
type machineTime struct {
	counted time.Duration // of the machine
	until   time.Duration // since the beginning, by the clock
}

// since counts what has passed since began. It is asked again and again, and looks twice a second at what the machine
// gives to a process.
func (m *machineTime) since(began time.Time) time.Duration {
	if now := time.Since(began); now-m.until > 500*time.Millisecond {
		m.counted += time.Duration(float64(now-m.until) / slowdown())
		m.until = now
	}
	return m.counted
}

// slowdown is how many times longer than its processor time a short computation takes.
func slowdown() float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const work, thread = 20 * time.Millisecond, 1 // RUSAGE_THREAD, which only Linux has
	used := func() time.Duration {
		var u syscall.Rusage
		if syscall.Getrusage(thread, &u) != nil {
			return -1
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	began, before := time.Now(), used()
	for before >= 0 && used()-before < work {
		continue
	}
	return max(1, float64(time.Since(began))/float64(work))
}

// freePorts returns ports that nobody listened on a moment ago.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports, err := stand.FreePorts(n)
	must(t, err)
	return ports
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// execute runs a command of a set-up step to its end, three times at most: a registry may be away for a moment.
func execute(name string, args ...string) error {
	for attempt := 1; ; attempt++ {
		out, err := exec.Command(name, args...).CombinedOutput()
		if err == nil {
			return nil
		}
		if attempt == 3 {
			return fmt.Errorf("%s %s: %w\n%.4000s", name, strings.Join(args, " "), err, out)
		}
		time.Sleep(10 * time.Second)
	}
}
