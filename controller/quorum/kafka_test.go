package quorum

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
)

// The tests of this file run beside Apache Kafka when DOHLE_KAFKA_CP names a file with its classpath.

func kafkaClasspath(t *testing.T) string {
	name := os.Getenv("DOHLE_KAFKA_CP")
	if name == "" {
		t.Skip("DOHLE_KAFKA_CP names no file with Apache Kafka's classpath")
	}
	cp, err := os.ReadFile(name)
	require.NoError(t, err)
	return strings.TrimSpace(string(cp))
}

const kafkaClusterID = "4L6g3nShT-eMCtK--X86sw"

// kafkaController is one process of Kafka with the controller role only.
type kafkaController struct {
	dir  string
	port int
	cmd  *exec.Cmd
}

func newKafka(t *testing.T, id, port int, extra string, format ...string) *kafkaController {
	cp := kafkaClasspath(t)
	k := &kafkaController{dir: t.TempDir(), port: port}
	props := fmt.Sprintf("process.roles=controller\nnode.id=%d\nlisteners=CONTROLLER://127.0.0.1:%d\n"+
		"controller.listener.names=CONTROLLER\nlog.dirs=%s/data\n%s", id, port, k.dir, extra)
	require.NoError(t, os.WriteFile(k.dir+"/s.properties", []byte(props), 0o600))
	require.NoError(t, os.WriteFile(k.dir+"/log4j2.xml", []byte(`<Configuration><Appenders><Console name="C"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console></Appenders><Loggers><Root level="INFO"><AppenderRef ref="C"/></Root></Loggers></Configuration>`), 0o600))
	args := append([]string{"-cp", cp, "kafka.tools.StorageTool", "format", "-t", kafkaClusterID, "-c", k.dir + "/s.properties"}, format...)
	out, err := exec.Command("java", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return k
}

func (k *kafkaController) start(t *testing.T) {
	log, err := os.OpenFile(k.dir+"/out.log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	k.cmd = exec.Command("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.configurationFile="+k.dir+"/log4j2.xml", "-cp", kafkaClasspath(t), "kafka.Kafka", k.dir+"/s.properties")
	k.cmd.Stdout, k.cmd.Stderr = log, log
	require.NoError(t, k.cmd.Start())
	t.Cleanup(k.kill)
	t.Cleanup(func() {
		if t.Failed() {
			b, _ := os.ReadFile(k.dir + "/out.log")
			t.Logf("kafka %d:\n%s", k.port, b[max(0, len(b)-6000):])
		}
	})
}

func (k *kafkaController) kill() {
	if k.cmd != nil {
		_ = k.cmd.Process.Kill()
		_ = k.cmd.Wait()
		k.cmd = nil
	}
}

func (k *kafkaController) partition() string { return filepath.Join(k.dir, "data", PartitionDir()) }

// tcp is a Transport over real connections, one per request: slow and simple.
type tcp struct{}

func (tcp) Send(ctx context.Context, to Address, req kmsg.Request) (kmsg.Response, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if v, ok := protocol.VersionsOf(req.Key()); ok {
		req.SetVersion(v.Max)
	}
	if _, err := conn.Write(protocol.AppendRequest(nil, "test", 7, req)); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(conn, frame); err != nil {
		return nil, err
	}
	_, resp, err := protocol.DecodeResponse(req, frame)
	return resp, err
}

// served answers for a Node on a port, as a controller listener does.
func served(t *testing.T, n *Node, port int) (stop func()) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serveConn(ctx, n, conn) })
		}
	})
	return func() { cancel(); l.Close(); wg.Wait() }
}

func serveConn(ctx context.Context, n *Node, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	r := bufio.NewReader(conn)
	for {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(r, frame); err != nil {
			return
		}
		h, body, err := protocol.ParseRequestHeader(frame)
		if err != nil {
			return
		}
		req, err := protocol.DecodeRequest(h, body)
		if err != nil {
			return
		}
		var resp kmsg.Response
		if _, ok := req.(*kmsg.ApiVersionsRequest); ok {
			a := req.ResponseKind().(*kmsg.ApiVersionsResponse)
			for key := range int16(100) {
				if v, ok := protocol.VersionsOf(key); ok && v.Listeners&protocol.OnController != 0 {
					x := kmsg.NewApiVersionsResponseApiKey()
					x.ApiKey, x.MinVersion, x.MaxVersion = key, v.Min, v.Max
					a.ApiKeys = append(a.ApiKeys, x)
				}
			}
			f := kmsg.NewApiVersionsResponseSupportedFeature()
			f.Name, f.MinVersion, f.MaxVersion = "kraft.version", 0, 1
			a.SupportedFeatures = append(a.SupportedFeatures, f)
			resp = a
		} else if resp, err = n.Handle(ctx, req); err != nil {
			return
		}
		if _, err := conn.Write(protocol.AppendResponse(nil, h.CorrelationID, resp)); err != nil {
			return
		}
	}
}

func kafkaOptions(t *testing.T, id int32, dir string, bootstrap ...int) Options {
	o := Options{NodeID: id, DirectoryID: dirOf(id), ClusterID: kafkaClusterID, FS: vfs.OS, Dir: dir, Clocks: clock.System(),
		Rand: rand.New(rand.NewPCG(uint64(id), 5)), Log: zerolog.New(zerolog.NewTestWriter(t)), Codecs: compress.NewCodecs(),
		Transport: tcp{}, Observer: true, ListenerName: "CONTROLLER"}
	for _, p := range bootstrap {
		o.BootstrapServers = append(o.BootstrapServers, fmt.Sprintf("127.0.0.1:%d", p))
	}
	return o
}

func sameLog(t *testing.T, a, b string) {
	x, err := os.ReadFile(filepath.Join(a, "00000000000000000000.log"))
	require.NoError(t, err)
	y, err := os.ReadFile(filepath.Join(b, "00000000000000000000.log"))
	require.NoError(t, err)
	n := min(len(x), len(y))
	require.Positive(t, n)
	require.True(t, bytes.Equal(x[:n], y[:n]), "the logs differ")
}

func TestObserverFollowsApacheKafka(t *testing.T) {
	k := newKafka(t, 1, 19280, "controller.quorum.bootstrap.servers=127.0.0.1:19280\n"+
		"metadata.log.max.record.bytes.between.snapshots=3000\nmetadata.max.idle.interval.ms=50\n", "--standalone")
	k.start(t)
	dir := t.TempDir()
	n := run(t, kafkaOptions(t, 2, dir, 19280), newWire())
	require.Eventually(t, func() bool { return n.HighWatermark() > 60 }, 40*time.Second, 50*time.Millisecond)
	id, epoch, addr, ok := n.Leader()
	require.True(t, ok)
	require.Equal(t, "1 1 127.0.0.1:19280", fmt.Sprint(id, " ", epoch, " ", addr))
	sameLog(t, k.partition(), filepath.Join(dir, PartitionDir()))

	// By now Kafka has a snapshot: who starts with nothing is sent there, and gets it in pieces.
	require.Eventually(t, func() bool {
		m, _ := filepath.Glob(k.partition() + "/*.checkpoint")
		return len(m) > 1
	}, 20*time.Second, 50*time.Millisecond)
	o := kafkaOptions(t, 3, t.TempDir(), 19280)
	o.Limits.FetchSnapshotMaxBytes = 100
	late := run(t, o, newWire())
	require.Eventually(t, func() bool { return late.HighWatermark() > n.HighWatermark()-5 && late.LogStartOffset() > 0 }, 20*time.Second, 20*time.Millisecond)
	require.True(t, strings.HasPrefix(late.heard.all()[1], "snapshot "), late.heard.all()[:2])
	snap, _ := late.LatestSnapshot()
	ours, err := os.ReadFile(filepath.Join(o.Dir, PartitionDir(), snap.String()+snapshotEnding))
	require.NoError(t, err)
	theirs, err := os.ReadFile(filepath.Join(k.partition(), snap.String()+snapshotEnding))
	require.NoError(t, err)
	require.Equal(t, theirs, ours)

	// Kafka sees both as observers that keep up.
	resp, err := tcp{}.Send(t.Context(), Address{"127.0.0.1", 19280}, describeQuorum())
	require.NoError(t, err)
	p := resp.(*kmsg.DescribeQuorumResponse).Topics[0].Partitions[0]
	require.Len(t, p.Observers, 2)
	require.GreaterOrEqual(t, p.Observers[0].LogEndOffset, int64(60))

	// Kafka is killed and comes back in a higher epoch; the observer finds it again.
	k.kill()
	k.start(t)
	end := n.HighWatermark()
	require.Eventually(t, func() bool { _, e, _, ok := n.Leader(); return ok && e > epoch && n.HighWatermark() > end+5 }, 40*time.Second, 50*time.Millisecond)
	sameLog(t, k.partition(), filepath.Join(dir, PartitionDir()))
	n.kill(t, newWire())
	late.kill(t, newWire())
	k.kill()

	// The directory that Kafka wrote opens here as its own sole voter, and goes on in the next epoch.
	own := kafkaOptions(t, 1, filepath.Join(k.dir, "data"))
	own.Observer, own.DirectoryID, own.Endpoints = false, kafkaDirectoryID(t, k), []Endpoint{{"CONTROLLER", "127.0.0.1", 19280}}
	taken := run(t, own, newWire())
	require.Eventually(t, func() bool { return taken.shown.Load().leads }, 5*time.Second, time.Millisecond)
	_, e, _, _ := taken.Leader()
	require.Equal(t, epoch+2, e)
	last, err := taken.Append(t.Context(), e, values("\x01\x14\x00\x00")) // a NoOpRecord
	require.NoError(t, err)
	require.NoError(t, taken.WaitCommitted(t.Context(), last))
	taken.kill(t, newWire())

	// And back: Kafka goes on with what we wrote.
	k.start(t)
	after := run(t, kafkaOptions(t, 2, dir, 19280), newWire())
	require.Eventually(t, func() bool { return after.HighWatermark() > last+2 }, 40*time.Second, 50*time.Millisecond)
	sameLog(t, k.partition(), filepath.Join(dir, PartitionDir()))
	after.kill(t, newWire())
}

func kafkaDirectoryID(t *testing.T, k *kafkaController) protocol.UUID {
	b, err := os.ReadFile(filepath.Join(k.dir, "data", "meta.properties"))
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "directory.id="); ok {
			id, err := protocol.ParseUUID(v)
			require.NoError(t, err)
			return id
		}
	}
	t.Fatal("no directory.id")
	return protocol.UUID{}
}

func describeQuorum() *kmsg.DescribeQuorumRequest {
	r := kmsg.NewPtrDescribeQuorumRequest()
	t := kmsg.NewDescribeQuorumRequestTopic()
	t.Topic = TopicName
	t.Partitions = []kmsg.DescribeQuorumRequestTopicPartition{kmsg.NewDescribeQuorumRequestTopicPartition()}
	r.Topics = append(r.Topics, t)
	return r
}

// TestMixedQuorumWithApacheKafka: two voters are Kafka's, one is ours. Leaders are killed in turn, until ours has led
// and lost the lead, and every log is the same.
func TestMixedQuorumWithApacheKafka(t *testing.T) {
	ports := map[int32]int{1: 19281, 2: 19282, 3: 19283}
	initial, bootstrap := "", "controller.quorum.bootstrap.servers=127.0.0.1:19281,127.0.0.1:19282,127.0.0.1:19283\nmetadata.max.idle.interval.ms=100\n"
	for id := int32(1); id <= 3; id++ {
		initial += fmt.Sprintf(",%d@127.0.0.1:%d:%s", id, ports[id], dirOf(id))
	}
	kafkas := map[int32]*kafkaController{}
	for id := int32(1); id <= 2; id++ {
		kafkas[id] = newKafka(t, int(id), ports[id], bootstrap, "--initial-controllers", initial[1:])
		kafkas[id].start(t)
	}
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, PartitionDir()), 0o700))
	boot, err := os.ReadFile(filepath.Join(kafkas[1].partition(), SnapshotID{}.String()+snapshotEnding))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, PartitionDir(), SnapshotID{}.String()+snapshotEnding), boot, 0o600))

	// The leader as any living node tells it, and its high watermark.
	leader := func() (int32, int64) {
		for id := int32(1); id <= 3; id++ {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			resp, err := tcp{}.Send(ctx, Address{"127.0.0.1", int32(ports[id])}, describeQuorum())
			cancel()
			if err != nil {
				continue
			}
			if p := resp.(*kmsg.DescribeQuorumResponse).Topics[0].Partitions[0]; p.ErrorCode == 0 {
				return p.LeaderID, p.HighWatermark
			}
		}
		return -1, -1
	}
	waitFor := func(above int64) (id int32, hw int64) {
		require.Eventually(t, func() bool { id, hw = leader(); return id > 0 && hw > above }, 60*time.Second, 50*time.Millisecond)
		return id, hw
	}
	_, hw := waitFor(20) // Kafka has written its bootstrap records
	var ours *running
	var stop func()
	startOurs := func() {
		o := kafkaOptions(t, 3, dir, ports[1], ports[2])
		o.Observer, o.Endpoints = false, []Endpoint{{"CONTROLLER", "127.0.0.1", uint16(ports[3])}}
		ours = run(t, o, newWire())
		stop = served(t, ours.Node, ports[3])
	}
	killOurs := func() { stop(); ours.kill(t, newWire()) }
	startOurs()
	led := 0
	for round := 0; round < 12 && led < 2; round++ {
		require.Eventually(t, func() bool { return ours.HighWatermark() >= hw }, 30*time.Second, 20*time.Millisecond)
		id, at := waitFor(hw - 1)
		hw = at
		t.Logf("round %d: leader %d, high watermark %d", round, id, hw)
		if id != 3 {
			kafkas[id].kill()
			_, hw = waitFor(hw - 1)
			kafkas[id].start(t)
			continue
		}
		led++
		_, epoch, _, _ := ours.Leader()
		for range 20 {
			last, err := ours.Append(t.Context(), epoch, values("\x01\x14\x00\x00"))
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			require.NoError(t, ours.WaitCommitted(ctx, last))
			cancel()
			hw = last + 1
		}
		if led == 1 {
			killOurs()
		} else {
			stop()
			require.NoError(t, ours.Shutdown(t.Context()))
			require.NoError(t, <-ours.done)
		}
		_, hw = waitFor(hw - 1)
		startOurs()
	}
	require.Equal(t, 2, led, "ours never led: chance, or a fault")
	_, hw = waitFor(hw - 1)
	require.Eventually(t, func() bool { return ours.HighWatermark() >= hw }, 30*time.Second, 20*time.Millisecond)
	killOurs()
	for _, k := range kafkas {
		k.kill()
	}
	sameLog(t, kafkas[1].partition(), filepath.Join(dir, PartitionDir()))
	sameLog(t, kafkas[2].partition(), filepath.Join(dir, PartitionDir()))
}

// TestApacheKafkaFollowsUs: our sole voter leads; a controller of Kafka's that is no voter fetches our log, and another
// that starts with nothing gets our snapshot.
func TestApacheKafkaFollowsUs(t *testing.T) {
	kafkaClasspath(t)
	const port = 19284
	golden, err := os.ReadFile("testdata/kafka-4.4/standalone.checkpoint")
	require.NoError(t, err)
	fs, dir := vfs.OS, t.TempDir()
	require.NoError(t, fs.MkdirAll(dir+"/golden"))
	require.NoError(t, vfs.WriteFileAtomic(fs, dir+"/golden/"+SnapshotID{}.String()+snapshotEnding, golden, false))
	s, err := openSnapshot(fs, dir+"/golden", SnapshotID{}, compress.NewCodecs())
	require.NoError(t, err)
	var features [][]byte
	for v, err := range s.values() {
		require.NoError(t, err)
		features = append(features, bytes.Clone(v))
	}
	s.close()
	endpoints := []Endpoint{{"CONTROLLER", "127.0.0.1", port}}
	require.NoError(t, WriteBootstrap(fs, dir, Bootstrap{TimeMs: time.Now().UnixMilli(), KRaftVersion: 1, Records: features,
		Voters: []Voter{{ID: 1, DirectoryID: dirOf(1), Endpoints: endpoints, MaxVersion: 1}}}))
	o := kafkaOptions(t, 1, dir)
	o.Observer, o.Endpoints, o.Log = false, endpoints, zerolog.Nop()
	n := run(t, o, newWire())
	stop := served(t, n.Node, port)
	require.Eventually(t, func() bool { return n.shown.Load().leads }, 5*time.Second, time.Millisecond)
	_, err = n.Append(t.Context(), 1, features)
	require.NoError(t, err)
	for range 20 {
		_, err = n.Append(t.Context(), 1, values("\x01\x14\x00\x00"))
		require.NoError(t, err)
	}
	keepsUp := func(id int32) {
		require.Eventually(t, func() bool {
			resp, err := n.Handle(t.Context(), describeQuorum())
			require.NoError(t, err)
			for _, x := range resp.(*kmsg.DescribeQuorumResponse).Topics[0].Partitions[0].Observers {
				if x.ReplicaID == id && x.LogEndOffset == n.LogEndOffset() {
					return true
				}
			}
			return false
		}, 40*time.Second, 50*time.Millisecond)
	}
	extra := fmt.Sprintf("controller.quorum.bootstrap.servers=127.0.0.1:%d\n", port)
	k := newKafka(t, 8, 19285, extra, "--no-initial-controllers")
	k.start(t)
	keepsUp(8)
	last, err := n.Append(t.Context(), 1, values("\x01\x14\x00\x00"))
	require.NoError(t, err)
	keepsUp(8)
	sameLog(t, filepath.Join(dir, PartitionDir()), k.partition())
	k.kill()

	require.NoError(t, n.WriteSnapshot(last+1, 1, time.Now().UnixMilli(), func(add func([]byte) error) error {
		for _, f := range features {
			if err := add(f); err != nil {
				return err
			}
		}
		return nil
	}))
	k = newKafka(t, 9, 19286, extra, "--no-initial-controllers")
	k.start(t)
	keepsUp(9)
	name := SnapshotID{last + 1, 1}.String() + snapshotEnding
	ours, err := os.ReadFile(filepath.Join(dir, PartitionDir(), name))
	require.NoError(t, err)
	theirs, err := os.ReadFile(filepath.Join(k.partition(), name))
	require.NoError(t, err)
	require.Equal(t, ours, theirs)
	out, _ := os.ReadFile(k.dir + "/out.log")
	require.NotContains(t, string(out), "ERROR")
	k.kill()
	stop()
	n.kill(t, newWire())
}
