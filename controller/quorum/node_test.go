package quorum

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/compress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wire is a Transport between Nodes of one test; every message goes through its bytes.
type wire struct {
	mu    sync.Mutex
	nodes map[string]*Node
	cut   map[string]bool // by host
}

func (w *wire) from(host string) Transport { return wireEnd{w, host} }

type wireEnd struct {
	w    *wire
	host string
}

var errNoConnection = errors.New("no connection")

func (e wireEnd) Send(ctx context.Context, to Address, req kmsg.Request) (kmsg.Response, error) {
	e.w.mu.Lock()
	n := e.w.nodes[to.Host]
	if e.w.cut[to.Host] || e.w.cut[e.host] {
		n = nil
	}
	e.w.mu.Unlock()
	if n == nil {
		return nil, errNoConnection
	}
	resp, err := n.Handle(ctx, reread(req))
	if err != nil {
		return nil, err
	}
	again := req.ResponseKind()
	again.SetVersion(req.GetVersion())
	return again, again.ReadFrom(resp.AppendTo(nil))
}

func (w *wire) set(host string, n *Node, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes[host], w.cut[host] = n, cut
}

func newWire() *wire { return &wire{nodes: map[string]*Node{}, cut: map[string]bool{}} }

// heardAll is a Listener that writes down what it is told.
type heardAll struct {
	mu    sync.Mutex
	lines []string
}

func (h *heardAll) add(format string, args ...any) {
	h.mu.Lock()
	h.lines = append(h.lines, fmt.Sprintf(format, args...))
	h.mu.Unlock()
}

func (h *heardAll) Committed(entries []Entry) {
	for _, e := range entries {
		mark := ""
		if e.EndOfBatch {
			mark = "."
		}
		h.add("%d:%s%s", e.Offset, e.Value, mark)
	}
}

func (h *heardAll) LoadSnapshot(s Snapshot) {
	var values []string
	for v, err := range s.Values {
		if err != nil {
			h.add("error %v", err)
			return
		}
		values = append(values, string(v))
	}
	h.add("snapshot %d-%d %v", s.ID.EndOffset, s.ID.Epoch, values)
}

func (h *heardAll) LeaderChanged(leader, epoch int32) { h.add("leader %d epoch %d", leader, epoch) }

func (h *heardAll) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines)
}

func testOptions(fs vfs.FS, id int32, w *wire) Options {
	return Options{NodeID: id, DirectoryID: dirOf(id), ClusterID: "cluster", FS: fs, Dir: "data", Clocks: clock.System(),
		Rand: rand.New(rand.NewPCG(1, uint64(id))), Log: zerolog.Nop(), Codecs: compress.NewCodecs(), Endpoints: endpointOf(id),
		Transport: w.from(fmt.Sprintf("n%d", id)), BootstrapServers: []string{"n1:9093", "n2:9093", "n3:9093"}}
}

func format(t testing.TB, fs vfs.FS, voters ...int32) {
	b := Bootstrap{TimeMs: 1, KRaftVersion: 1, Records: [][]byte{[]byte("boot-a"), []byte("boot-b")}}
	for _, id := range voters {
		b.Voters = append(b.Voters, Voter{ID: id, DirectoryID: dirOf(id), Endpoints: endpointOf(id), MaxVersion: 1})
	}
	require.NoError(t, WriteBootstrap(fs, "data", b))
}

// running is a Node with its Run.
type running struct {
	*Node
	cancel context.CancelFunc
	done   chan error
	heard  *heardAll
}

func run(t testing.TB, o Options, w *wire) *running {
	n, err := Open(o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{Node: n, cancel: cancel, done: make(chan error, 1), heard: &heardAll{}}
	n.Subscribe(r.heard)
	w.set(fmt.Sprintf("n%d", o.NodeID), n, false)
	go func() {
		err := n.Run(ctx)
		if err != nil {
			t.Logf("node %d: %v", o.NodeID, err)
		}
		r.done <- err
	}()
	return r
}

// kill ends the process without a word to the others.
func (r *running) kill(t testing.TB, w *wire) {
	w.set(fmt.Sprintf("n%d", r.o.NodeID), nil, true)
	r.cancel()
	require.NoError(t, <-r.done)
}

func values(vs ...string) [][]byte {
	var out [][]byte
	for _, v := range vs {
		out = append(out, []byte(v))
	}
	return out
}

func TestSoleVoterLeadsAtOnceAndKeepsWhatItCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, w := vfs.NewMem(), newWire()
		format(t, mem, 1)
		n := run(t, testOptions(mem, 1, w), w)
		synctest.Wait()
		id, epoch, addr, ok := n.Leader()
		require.True(t, ok)
		require.Equal(t, []any{int32(1), int32(1), "n1:9093"}, []any{id, epoch, addr.String()})
		require.Equal(t, []string{"snapshot 0-0 [boot-a boot-b]", "leader 1 epoch 1"}, n.heard.all())

		last, err := n.Append(t.Context(), 1, values("a", "b"))
		require.NoError(t, err)
		require.EqualValues(t, 4, last)
		require.NoError(t, n.WaitCommitted(t.Context(), last))
		synctest.Wait()
		require.Equal(t, []string{"3:a", "4:b."}, n.heard.all()[2:])

		_, err = n.Append(t.Context(), 0, values("stale"))
		require.ErrorIs(t, err, kerr.NotController)
		_, err = n.Append(t.Context(), 1, [][]byte{make([]byte, MaxBatchBytes)})
		require.ErrorIs(t, err, kerr.RecordListTooLarge)

		// The power fails: what was committed is there, and the epoch is new.
		crashed := mem.CrashClone(rand.New(rand.NewPCG(3, 4)))
		n.kill(t, w)
		n = run(t, testOptions(crashed, 1, w), w)
		synctest.Wait()
		require.Equal(t, []string{"snapshot 0-0 [boot-a boot-b]", "3:a", "4:b.", "leader 1 epoch 2"}, n.heard.all())

		// A snapshot ends at a batch; the next start loads it.
		require.ErrorContains(t, n.WriteSnapshot(4, 1, 7, nil), "splits the batch")
		require.ErrorContains(t, n.WriteSnapshot(5, 2, 7, nil), "names another epoch")
		require.ErrorContains(t, n.WriteSnapshot(99, 1, 7, nil), "above the high watermark")
		require.NoError(t, n.WriteSnapshot(5, 1, 7, func(add func([]byte) error) error {
			return errors.Join(add([]byte("all")), add([]byte("of it")))
		}))
		require.NoError(t, n.Shutdown(t.Context()))
		require.NoError(t, <-n.done)
		_, err = n.Append(t.Context(), 2, values("late"))
		require.ErrorIs(t, err, kerr.NotController)
		n = run(t, testOptions(crashed, 1, w), w)
		synctest.Wait()
		require.Equal(t, []string{"snapshot 5-1 [all of it]", "leader 1 epoch 3"}, n.heard.all())
		n.kill(t, w)
	})
}

func TestThreeVotersElectReplicateAndSurviveTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		disks, nodes := map[int32]*vfs.Mem{}, map[int32]*running{}
		for id := int32(1); id <= 4; id++ {
			disks[id] = vfs.NewMem()
			format(t, disks[id], 1, 2, 3)
			o := testOptions(disks[id], id, w)
			o.Observer = id == 4
			nodes[id] = run(t, o, w)
		}
		lead := func() *running {
			for range 20 {
				time.Sleep(time.Second)
				for id := int32(1); id <= 3; id++ {
					if n := nodes[id]; n != nil && n.shown.Load().leads {
						return n
					}
				}
			}
			t.Fatal("nobody leads")
			return nil
		}
		first := lead()
		_, epoch, _, _ := first.Leader()
		last, err := first.Append(t.Context(), epoch, values("one"))
		require.NoError(t, err)
		require.NoError(t, first.WaitCommitted(t.Context(), last))
		time.Sleep(time.Second)
		for _, n := range nodes {
			require.Contains(t, n.heard.all(), fmt.Sprintf("%d:one.", last))
			require.Equal(t, last+1, n.HighWatermark())
		}

		// The leader's process goes; the others need far less than a fetch timeout.
		died := time.Now()
		gone := first.o.NodeID
		first.kill(t, w)
		delete(nodes, gone)
		second := lead()
		require.Less(t, time.Since(died), 2*time.Second)
		_, epoch2, _, _ := second.Leader()
		require.Greater(t, epoch2, epoch)
		last, err = second.Append(t.Context(), epoch2, values("two"))
		require.NoError(t, err)
		require.NoError(t, second.WaitCommitted(t.Context(), last))

		// A snapshot, the log below it gone, and a node that starts with nothing.
		require.NoError(t, second.WriteSnapshot(last+1, epoch2, 1, func(add func([]byte) error) error { return add([]byte("state")) }))
		disks[5] = vfs.NewMem()
		require.NoError(t, disks[5].MkdirAll("data"))
		o := testOptions(disks[5], 5, w)
		o.Observer, o.Limits.FetchSnapshotMaxBytes = true, 60
		nodes[5] = run(t, o, w)
		time.Sleep(2 * time.Second)
		require.Contains(t, nodes[5].heard.all(), fmt.Sprintf("snapshot %d-%d [state]", last+1, epoch2))
		require.Equal(t, last+1, nodes[5].HighWatermark())
		require.Equal(t, last+1, nodes[5].LogStartOffset())

		// An orderly stop hands over at once.
		nodes[gone] = run(t, testOptions(disks[gone], gone, w), w)
		time.Sleep(time.Second)
		require.NoError(t, second.Shutdown(t.Context()))
		require.NoError(t, <-second.done)
		w.set(fmt.Sprintf("n%d", second.o.NodeID), nil, true)
		delete(nodes, second.o.NodeID)
		third := lead()
		require.NotEqual(t, second.o.NodeID, third.o.NodeID)
		for _, n := range nodes {
			n.kill(t, w)
		}
	})
}

func TestQueuedProposalsShareOneFsync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, w := vfs.NewMem(), newWire()
		format(t, mem, 1)
		fault := vfs.NewFault(mem)
		n := run(t, testOptions(fault, 1, w), w)
		synctest.Wait()
		release := make(chan struct{})
		held := make(chan struct{})
		go func() { // the loop is busy while the proposals queue up
			_ = n.ask(t.Context(), func() { close(held); <-release })
		}()
		<-held
		var wg sync.WaitGroup
		offsets := make([]int64, 50)
		for i := range offsets {
			wg.Go(func() {
				var err error
				offsets[i], err = n.Append(t.Context(), 1, values(fmt.Sprint(i)))
				require.NoError(t, err)
			})
		}
		synctest.Wait()
		syncs := 0
		fault.Observe(func(op vfs.Op) {
			if op.Kind == vfs.KindSync {
				syncs++
			}
		})
		close(release)
		wg.Wait()
		require.Equal(t, 1, syncs)
		slices.Sort(offsets)
		require.EqualValues(t, 3, offsets[0])
		require.EqualValues(t, 52, offsets[49])
		require.NoError(t, n.WaitCommitted(t.Context(), 52))
		n.kill(t, w)
	})
}

// When the disk fails, everything that the loop had taken from its inbox by then is answered as well.
func TestFailureOfTheLogAnswersWhoeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, w := vfs.NewMem(), newWire()
		format(t, mem, 1)
		fault := vfs.NewFault(mem)
		n := run(t, testOptions(fault, 1, w), w)
		synctest.Wait()
		release := make(chan struct{})
		held := make(chan struct{})
		go func() {
			_ = n.ask(t.Context(), func() { close(held); <-release })
		}()
		<-held
		var wg sync.WaitGroup
		ask := func() { require.ErrorIs(t, n.ask(t.Context(), func() {}), errStopped) }
		wg.Go(func() {
			_, err := n.Append(t.Context(), 1, values("lost"))
			require.Error(t, err)
		})
		synctest.Wait()
		wg.Go(ask)
		wg.Go(func() {
			require.ErrorIs(t, n.await(t.Context(), &op{kind: opSnapshot, done: make(chan struct{})}), errStopped)
		})
		synctest.Wait()
		wg.Go(func() {
			_, err := n.Append(t.Context(), 1, values("lost too"))
			require.Error(t, err)
		})
		wg.Go(ask)
		synctest.Wait()
		fault.CrashAfter(fault.Count())
		close(release)
		wg.Wait()
		require.Error(t, <-n.done)
	})
}

func TestDamagedDirectoryIsRefused(t *testing.T) {
	partition := path.Join("data", PartitionDir())
	whole := func(t *testing.T) *vfs.Mem {
		mem, w := vfs.NewMem(), newWire()
		format(t, mem, 1)
		n := run(t, testOptions(mem, 1, w), w)
		require.Eventually(t, func() bool { return n.HighWatermark() == 3 }, 5*time.Second, time.Millisecond)
		last, err := n.Append(t.Context(), 1, values("aaaa", "bbbb"))
		require.NoError(t, err)
		require.NoError(t, n.WaitCommitted(t.Context(), last))
		require.NoError(t, n.WriteSnapshot(last+1, 1, 1, func(add func([]byte) error) error { return add([]byte("s")) }))
		last, err = n.Append(t.Context(), 1, values("cccc"))
		require.NoError(t, err)
		require.NoError(t, n.WaitCommitted(t.Context(), last))
		n.kill(t, w)
		return mem
	}
	write := func(name, text string) func(*testing.T, *vfs.Mem) {
		return func(t *testing.T, mem *vfs.Mem) {
			require.NoError(t, vfs.WriteFileAtomic(mem, path.Join(partition, name), []byte(text), true))
		}
	}
	segment := path.Join(partition, "00000000000000000000.log")
	for name, c := range map[string]struct {
		harm func(*testing.T, *vfs.Mem)
		says []string
	}{
		"empty quorum-state":   {write("quorum-state", ""), []string{"quorum-state", "not a JSON object"}},
		"torn quorum-state":    {write("quorum-state", `{"leaderId":1,"lead`), []string{"quorum-state"}},
		"quorum-state without": {write("quorum-state", `{"leaderId":1,"leaderEpoch":3,"data_version":1}`), []string{"votedId is missing"}},
		"unknown version":      {write("quorum-state", `{"leaderId":1,"leaderEpoch":3,"votedId":-1,"data_version":2}`), []string{"data_version 2 is unknown"}},
		"no quorum-state": {func(t *testing.T, mem *vfs.Mem) { require.NoError(t, mem.Remove(path.Join(partition, "quorum-state"))) },
			[]string{"quorum-state is missing"}},
		"log cut": {func(t *testing.T, mem *vfs.Mem) {
			f, err := mem.OpenFile(segment, 2, 0)
			require.NoError(t, err)
			require.NoError(t, f.Truncate(40))
			require.NoError(t, mem.Remove(path.Join(partition, recoveryPointFile)))
		}, []string{"below the committed snapshot", partition}},
		"log cut below what was on disk": {func(t *testing.T, mem *vfs.Mem) {
			f, err := mem.OpenFile(segment, 2, 0)
			require.NoError(t, err)
			size, err := f.Size()
			require.NoError(t, err)
			require.NoError(t, f.Truncate(size-5))
		}, []string{partition}},
		"a bit flipped": {func(t *testing.T, mem *vfs.Mem) {
			f, err := mem.OpenFile(segment, 2, 0)
			require.NoError(t, err)
			size, err := f.Size()
			require.NoError(t, err)
			_, err = f.WriteAt([]byte("x"), size-3)
			require.NoError(t, err)
		}, []string{partition, "checksum"}},
		"snapshot damaged": {func(t *testing.T, mem *vfs.Mem) {
			f, err := mem.OpenFile(path.Join(partition, "00000000000000000005-0000000001.checkpoint"), 2, 0)
			require.NoError(t, err)
			_, err = f.WriteAt([]byte("x"), 70)
			require.NoError(t, err)
		}, []string{"00000000000000000005-0000000001.checkpoint", "checksum"}},
	} {
		t.Run(name, func(t *testing.T) {
			mem := whole(t)
			c.harm(t, mem)
			_, err := Open(testOptions(mem, 1, newWire()))
			require.Error(t, err)
			for _, s := range c.says {
				require.ErrorContains(t, err, s)
			}
		})
	}
	t.Run("whole", func(t *testing.T) {
		n, err := Open(testOptions(whole(t), 1, newWire()))
		require.NoError(t, err)
		require.NoError(t, n.Close())
	})
}

func TestInterruptedInstallIsFinished(t *testing.T) {
	mem := vfs.NewMem()
	require.NoError(t, mem.MkdirAll("data/"+PartitionDir()))
	id := SnapshotID{7, 2}
	dir := "data/" + PartitionDir()
	s, err := beginSnapshot(mem, dir, id, 1, 1, Membership{})
	require.NoError(t, err)
	require.NoError(t, s.finish())
	require.NoError(t, vfs.WriteFileAtomic(mem, path.Join(dir, id.String()+installingEnding), nil, true))
	o := testOptions(mem, 4, newWire())
	o.Observer = true
	n, err := Open(o)
	require.NoError(t, err)
	require.EqualValues(t, 7, n.LogStartOffset())
	require.EqualValues(t, 7, n.LogEndOffset())
	require.NoError(t, n.Close())
	entries, err := mem.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		require.False(t, strings.HasSuffix(e.Name(), installingEnding))
	}
	n, err = Open(o)
	require.NoError(t, err)
	require.NoError(t, n.Close())
}

func TestRetentionDeletesOldSnapshotsAndTheLogBelow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, w := vfs.NewMem(), newWire()
		format(t, mem, 1)
		o := testOptions(mem, 1, w)
		o.Limits.RetentionBytes, o.Limits.SegmentBytes = 4000, 1000
		n := run(t, o, w)
		synctest.Wait()
		for i := range 20 {
			last, err := n.Append(t.Context(), 1, [][]byte{make([]byte, 500)})
			require.NoError(t, err)
			require.NoError(t, n.WaitCommitted(t.Context(), last))
			if i%5 == 4 {
				require.NoError(t, n.WriteSnapshot(last+1, 1, time.Now().UnixMilli(), func(add func([]byte) error) error { return add([]byte("s")) }))
			}
		}
		synctest.Wait()
		require.Greater(t, n.LogStartOffset(), int64(8))
		require.Less(t, n.disk.log.Size(), int64(6000))
		time.Sleep(3 * time.Minute)
		entries, err := mem.ReadDir("data/" + PartitionDir())
		require.NoError(t, err)
		for _, e := range entries {
			require.False(t, strings.HasSuffix(e.Name(), ".deleted"), e.Name())
		}
		snapshots := n.disk.listSnapshots()
		require.NotContains(t, snapshots, SnapshotID{})
		n.kill(t, w)
		n = run(t, o, w)
		synctest.Wait()
		require.Equal(t, []string{"snapshot 23-1 [s]", "leader 1 epoch 2"}, n.heard.all())
		n.kill(t, w)
	})
}
