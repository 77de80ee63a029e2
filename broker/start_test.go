package broker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/dohle-io/dohle/broker"
	"github.com/dohle-io/dohle/broker/peer"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/memnet"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
)

// refused starts a node that cannot start and checks that nothing is left of it.
func refused(t *testing.T, o broker.Options) string {
	t.Helper()
	running := goleak.IgnoreCurrent()
	b, err := broker.Start(t.Context(), o)
	require.Error(t, err)
	require.Nil(t, b)
	goleak.VerifyNone(t, running)
	return err.Error()
}

// works starts a node and stops it.
func works(t *testing.T, o broker.Options) broker.Ready {
	t.Helper()
	n, err := startWith(t, o)
	require.NoError(t, err)
	ready := n.b.Ready()
	require.NoError(t, n.stop())
	return ready
}

func TestAPortInUseIsTheFirstThingSaid(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:19445")
	require.NoError(t, err)
	for _, listeners := range []string{"PLAINTEXT://127.0.0.1:19445,CONTROLLER://127.0.0.1:0", "PLAINTEXT://127.0.0.1:19446,CONTROLLER://127.0.0.1:19445"} {
		mem := vfs.NewMem()
		o := broker.Options{Config: fileOf(t, mem, map[string]string{"listeners": listeners}), FS: mem, FormatEmpty: true}
		require.Contains(t, refused(t, o), "19445: bind: address already in use")
		_, err := mem.Stat("/data")
		require.Error(t, err, "nothing is formatted yet")
	}
	require.NoError(t, taken.Close())
	mem := vfs.NewMem()
	set := map[string]string{"listeners": "PLAINTEXT://127.0.0.1:19446,CONTROLLER://127.0.0.1:19445"}
	works(t, broker.Options{Config: fileOf(t, mem, set), FS: mem, FormatEmpty: true}) // the other port was given up as well
}

func TestDirectoriesOfOthersAreRefused(t *testing.T) {
	own := func(set map[string]string) (*vfs.Mem, broker.Options) {
		mem := vfs.NewMem()
		return mem, broker.Options{Config: fileOf(t, mem, set), FS: mem, Net: memnet.New(), FormatEmpty: true}
	}
	t.Run("not formatted", func(t *testing.T) {
		_, o := own(nil)
		o.FormatEmpty = false
		require.Contains(t, refused(t, o), "Format it first: dohle format")
		o.FormatEmpty = true
		works(t, o)
	})
	t.Run("another node", func(t *testing.T) {
		mem, o := own(nil)
		ready := works(t, o)
		other := o
		other.Config = fileOf(t, mem, map[string]string{"node.id": "2"})
		require.Contains(t, refused(t, other), "node 1")
		require.Equal(t, ready.ClusterID, works(t, o).ClusterID)
	})
	t.Run("another cluster", func(t *testing.T) {
		mem, o := own(nil)
		works(t, o)
		o.Config = fileOf(t, mem, map[string]string{"log.dirs": "/second"})
		works(t, o)
		o.Config = fileOf(t, mem, map[string]string{"log.dirs": "/data,/second"})
		require.Contains(t, refused(t, o), "/second belongs to cluster")
		o.Config = fileOf(t, mem, nil)
		works(t, o)
	})
	t.Run("in use", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { // whose end finds what is left running
			_, o := own(nil)
			n, err := startWith(t, o)
			require.NoError(t, err)
			_, err = broker.Start(t.Context(), o)
			require.ErrorContains(t, err, "locked")
			_, err = n.createTopic("unharmed", 1)
			require.NoError(t, err)
			require.NoError(t, n.stop())
			works(t, o)
		})
	})
}

func TestAStartThatIsCalledOffLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		o := broker.Options{Config: fileOf(t, mem, nil), FS: mem, Net: memnet.New(), FormatEmpty: true}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := broker.Start(ctx, o)
		require.ErrorIs(t, err, context.Canceled)
		works(t, o)
	})
}

func TestAStartThatTakesLongSaysWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		// Formatted as a quorum of its own; then it is a broker alone, and its controller never comes.
		o := broker.Options{Config: fileOf(t, mem, nil), FS: mem, Net: memnet.New(), FormatEmpty: true}
		works(t, o)
		var log strings.Builder
		o.Log = zerolog.New(&log).Level(zerolog.WarnLevel)
		o.Config = fileOf(t, mem, map[string]string{"process.roles": "broker", "node.id": "1", "listeners": "PLAINTEXT://127.0.0.1:0", "controller.quorum.bootstrap.servers": "127.0.0.1:9"})
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		defer cancel()
		_, err := broker.Start(ctx, o)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 2, strings.Count(log.String(), "not serving yet: waiting for the records of the metadata quorum's leader"), log.String())
		require.Contains(t, log.String(), `"controller.quorum.bootstrap.servers":["127.0.0.1:9"]`)
	})
}

func TestAFullDiskAtAnyStepOfStartLeavesNothing(t *testing.T) {
	for step := 1; ; step++ {
		done := false
		synctest.Test(t, func(t *testing.T) {
			mem := vfs.NewMem()
			fault := vfs.NewFault(mem)
			fault.Fail(vfs.Rule{Kinds: vfs.KindWrite | vfs.KindCreate | vfs.KindMkdir, Nth: step, Err: fmt.Errorf("no space left on device")})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			o := broker.Options{Config: fileOf(t, mem, nil), FS: fault, Net: memnet.New(), FormatEmpty: true, Log: zerolog.Nop()}
			b, err := broker.Start(ctx, o)
			if err == nil {
				done = true
				require.NoError(t, b.Stop(ctx))
				return
			}
			require.ErrorContains(t, err, "no space left on device", "step %d", step)
			fault.Heal()
			works(t, o)
		})
		if done {
			require.Greater(t, step, 5)
			return
		}
	}
}

func TestReadyTellsWhereTheNodeIs(t *testing.T) {
	mem := vfs.NewMem()
	o := broker.Options{FS: mem, Net: memnet.New(), FormatEmpty: true, ClusterID: "MkU3OEVBNTcwNTJENDM2Qg", PID: 77}
	o.Config = fileOf(t, mem, map[string]string{"log.dirs": "/d1,/d2", "listeners": "OUT://:19447,IN://127.0.0.1:19448,CONTROLLER://127.0.0.1:19449",
		"listener.security.protocol.map": "OUT:PLAINTEXT,IN:PLAINTEXT,CONTROLLER:PLAINTEXT", "inter.broker.listener.name": "IN",
		"advertised.listeners": "OUT://broker.example:9092,IN://127.0.0.1:19448"})
	ready := works(t, o)
	text, err := json.Marshal(ready)
	require.NoError(t, err)
	require.JSONEq(t, `{"cluster_id": "MkU3OEVBNTcwNTJENDM2Qg", "node_id": 1, "pid": 77, "bootstrap": "127.0.0.1:19447",
		"listeners": {"OUT": ["127.0.0.1:19447"], "IN": ["127.0.0.1:19448"], "CONTROLLER": ["127.0.0.1:19449"]}, "log_dirs": ["/d1", "/d2"]}`, string(text))
	require.Equal(t, "KafkaRaftServer nodeId=1", ready.Role())
	require.Equal(t, []string{"CONTROLLER://127.0.0.1:19449", "IN://127.0.0.1:19448", "OUT://127.0.0.1:19447"}, ready.Where())
}

// A client that waits for the node while it starts is told at once who serves and who leads: some clients take a topic
// without a leader for lost.
func TestTheFirstAnswerNamesBrokersAndLeaders(t *testing.T) {
	net, mem := memnet.New(), vfs.NewMem()
	set := map[string]string{"listeners": "PLAINTEXT://127.0.0.1:19451,CONTROLLER://127.0.0.1:0"}
	n, err := start(t, net, mem, set)
	require.NoError(t, err)
	_, err = n.createTopic("t", 1)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 50 {
		require.NoError(t, n.stop())
		first := make(chan *kmsg.MetadataResponse)
		go func() {
			defer close(first)
			c := peer.New(peer.Options{Net: net, Clock: clock.Machine, Log: zerolog.Nop(), ClientID: "early"})
			defer c.Close()
			for ctx.Err() == nil {
				req := kmsg.NewPtrMetadataRequest()
				req.Topics = nil
				if resp, err := c.Send(ctx, "127.0.0.1:19451", req); err == nil {
					first <- resp.(*kmsg.MetadataResponse)
					return
				}
				time.Sleep(20 * time.Microsecond) // nobody listens yet
			}
		}()
		n, err = start(t, net, mem, set)
		require.NoError(t, err)
		got := <-first
		require.NotNil(t, got)
		require.Len(t, got.Brokers, 1)
		require.Zero(t, got.Topics[0].Partitions[0].ErrorCode)
		require.EqualValues(t, 1, got.Topics[0].Partitions[0].Leader)
	}
}

func TestAControllerAloneServesNoClients(t *testing.T) {
	mem := vfs.NewMem()
	o := broker.Options{FS: mem, Net: memnet.New(), FormatEmpty: true}
	o.Config = fileOf(t, mem, map[string]string{"process.roles": "controller", "listeners": "CONTROLLER://127.0.0.1:0"})
	ready := works(t, o)
	require.Empty(t, ready.Bootstrap)
	require.Len(t, ready.Listeners, 1)
}

// The image names the directory of each replica (KIP-858); when one goes offline, its partitions do, and no others.
func TestDirectoriesAreToldToTheController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		fault := vfs.NewFault(mem)
		n, err := start(t, memnet.New(), fault, map[string]string{"log.dirs": "/d1,/d2"})
		require.NoError(t, err)
		const partitions = 6
		id, err := n.createTopic("t", partitions)
		require.NoError(t, err)
		producer, err := n.initProducer()
		require.NoError(t, err)
		for i := range int32(partitions) {
			_, err := n.produce("t", id, i, -1, producer, 0, []string{"x"})
			require.NoError(t, err)
		}
		time.Sleep(5 * time.Second)
		in := map[string][]int32{}
		for i := range int32(partitions) {
			log, ok := n.b.Store().Log(protocol.TopicPartition{Topic: "t", Partition: i})
			require.True(t, ok)
			in[log.Dir().Path()] = append(in[log.Dir().Path()], i)
			told, ok := n.b.Image().Topics.ByName("t").Partition(i).Directory(1)
			require.True(t, ok)
			require.Equal(t, log.Dir().ID(), told, "t-%d", i)
		}
		require.Len(t, in, 2, "both are used")

		time.Sleep(200 * time.Millisecond) // between two writes of the metadata log
		fault.Fail(vfs.Rule{Kinds: vfs.KindWrite | vfs.KindSync, Pattern: "*.log", Nth: 1, Err: fmt.Errorf("input/output error")})
		lost := in["/d2"]
		_, err = n.produce("t", id, lost[0], -1, producer, 1, []string{"y"})
		require.ErrorIs(t, err, kerr.KafkaStorageError)
		time.Sleep(5 * time.Second)
		require.Len(t, n.b.Image().Brokers.Get(1).LogDirs, 1)
		for i := range int32(partitions) {
			_, err := n.produce("t", id, i, -1, producer, 1, []string{"y"})
			if slices.Contains(lost, i) {
				require.Error(t, err, "t-%d", i)
			} else {
				require.NoError(t, err, "t-%d", i)
			}
		}
		require.NoError(t, n.b.Err())

		// The last one takes the node with it.
		fault.Fail(vfs.Rule{Kinds: vfs.KindWrite | vfs.KindSync, Nth: 1, Last: -1, Err: fmt.Errorf("input/output error")})
		_, err = n.produce("t", id, in["/d1"][0], -1, producer, 2, []string{"z"})
		require.Error(t, err)
		<-n.b.Done()
		require.True(t, strings.Contains(n.b.Err().Error(), "input/output error"), "%v", n.b.Err())
		require.Error(t, n.stop())
	})
}

func TestDevOpensWhatItMadeAndRefusesTheRest(t *testing.T) {
	mem := vfs.NewMem()
	dev := func(d broker.DevOptions) (broker.Options, error) {
		d.FS = mem
		o, _, err := broker.Dev(d)
		o.Net = memnet.New()
		return o, err
	}
	first, err := dev(broker.DevOptions{Dir: "/new", Port: 19450})
	require.NoError(t, err)
	made := works(t, first)
	require.Equal(t, "127.0.0.1:19450", made.Bootstrap)
	again, err := dev(broker.DevOptions{Dir: "/new"})
	require.NoError(t, err)
	require.Equal(t, made.ClusterID, works(t, again).ClusterID)

	require.NoError(t, mem.MkdirAll("/empty"))
	empty, err := dev(broker.DevOptions{Dir: "/empty"})
	require.NoError(t, err)
	works(t, empty)

	require.NoError(t, vfs.WriteFileAtomic(mem, "/thesis.tex", []byte("years of work"), true))
	_, err = dev(broker.DevOptions{Dir: "/"})
	require.ErrorContains(t, err, "--dir / holds files and is no log directory")
	_, err = dev(broker.DevOptions{Dir: "/thesis.tex"})
	require.Error(t, err)

	_, err = dev(broker.DevOptions{Dir: "/x", Override: []string{"log.segment.bytes=1"}})
	require.ErrorContains(t, err, "log.segment.bytes")
	o, err := dev(broker.DevOptions{Dir: "/x", Override: []string{"node.id=5"}})
	require.NoError(t, err)
	require.EqualValues(t, 5, works(t, o).NodeID)
}
