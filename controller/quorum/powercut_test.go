package quorum

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/vfs"
)

// TestPowerCutAtEveryWrite cuts the power after the n-th change of the disk, for every n of a node's life from its
// first start over appends, snapshots and retention to its stop. Each time the node must open again, must not lead an
// epoch that it led before, and must have all that was committed.
func TestPowerCutAtEveryWrite(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 7
	}
	for n := 1; ; n += step {
		whole := false
		synctest.Test(t, func(t *testing.T) { whole = powerCut(t, n) })
		if whole {
			require.Greater(t, n, 100)
			return
		}
	}
}

func powerCut(t *testing.T, after int) (whole bool) {
	mem, w := vfs.NewMem(), newWire()
	format(t, mem, 1)
	fault := vfs.NewFault(mem)
	fault.CrashAfter(after)
	var committed []string
	var led []int32
	life := func() {
		o := testOptions(fault, 1, w)
		o.Limits.RetentionBytes, o.Limits.SegmentBytes, o.Limits.DeleteDelay = 2000, 1000, time.Second
		n, err := Open(o)
		if err != nil {
			return
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- n.Run(ctx) }()
		synctest.Wait()
		if v := n.shown.Load(); v.leads {
			led = append(led, v.epoch)
		}
		for i := range 12 {
			_, epoch, _, _ := n.Leader()
			value := fmt.Sprintf("v%d-%d-%s", len(led), i, strings.Repeat("x", 200))
			last, err := n.Append(t.Context(), epoch, values(value))
			if err != nil || n.WaitCommitted(t.Context(), last) != nil {
				break
			}
			committed = append(committed, value)
			if i%4 == 3 {
				all := strings.Join(committed, " ")
				if n.WriteSnapshot(last+1, epoch, 1, func(add func([]byte) error) error { return add([]byte(all)) }) != nil {
					break
				}
			}
		}
		time.Sleep(2 * time.Minute)
		_ = n.Shutdown(t.Context())
		<-done
	}
	life()
	if !fault.Crashed() {
		life()
	}
	whole = !fault.Crashed()
	disk := mem.CrashClone(rand.New(rand.NewPCG(uint64(after), 2)))
	n, err := Open(testOptions(disk, 1, w))
	require.NoError(t, err, "after %d writes", after)
	heard := &heardAll{}
	n.Subscribe(heard)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	synctest.Wait()
	v := n.shown.Load()
	require.True(t, v.leads)
	require.NotContains(t, led, v.epoch)
	said := strings.Join(heard.all(), "\n")
	for _, c := range committed {
		require.True(t, strings.Contains(said, c), "after %d writes %q is lost", after, c[:8])
	}
	cancel()
	require.NoError(t, <-done)
	return whole
}

// TestFollowerPowerCutInAnInstall cuts the power of an observer at every write while it fetches a snapshot.
func TestFollowerPowerCutInAnInstall(t *testing.T) {
	for n := 1; ; n++ {
		whole := false
		synctest.Test(t, func(t *testing.T) {
			w := newWire()
			mem := vfs.NewMem()
			format(t, mem, 1)
			lead := run(t, testOptions(mem, 1, w), w)
			synctest.Wait()
			last, err := lead.Append(t.Context(), 1, values("old"))
			require.NoError(t, err)
			old := vfs.NewMem()
			require.NoError(t, old.MkdirAll("data"))
			require.NoError(t, old.SyncDir("."))
			fault := vfs.NewFault(old)
			o := testOptions(fault, 2, w)
			o.Observer, o.Limits.FetchSnapshotMaxBytes = true, 50
			start := func(fs vfs.FS) (*Node, func() error) {
				o.FS = fs
				x, err := Open(o)
				if err != nil {
					require.True(t, fault.Crashed(), "%v", err)
					return nil, nil
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- x.Run(ctx) }()
				time.Sleep(time.Second)
				return x, func() error { cancel(); return <-done }
			}
			_, stop := start(fault)
			require.NoError(t, stop())
			require.NoError(t, lead.WriteSnapshot(last+1, 1, 1, func(add func([]byte) error) error { return add([]byte("all")) }))
			last, err = lead.Append(t.Context(), 1, values("new"))
			require.NoError(t, err)
			require.NoError(t, lead.WaitCommitted(t.Context(), last))
			// The follower forgets what it had, so that it must take the snapshot.
			require.NoError(t, old.RemoveAll("data/"+PartitionDir()))
			fault.CrashAfter(fault.Count() + n)
			if x, stop := start(fault); x != nil {
				_ = stop()
			}
			whole = !fault.Crashed()
			clone := old.CrashClone(rand.New(rand.NewPCG(uint64(n), 9)))
			x, stop := start(clone)
			require.NotNil(t, x, "after %d writes", n)
			require.Equal(t, last+1, x.HighWatermark(), "after %d writes", n)
			require.NoError(t, stop())
			lead.kill(t, w)
		})
		if whole {
			require.Greater(t, n, 10)
			return
		}
	}
}

func TestLeadershipIsToldInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		var nodes []*running
		for id := int32(1); id <= 3; id++ {
			mem := vfs.NewMem()
			format(t, mem, 1, 2, 3)
			nodes = append(nodes, run(t, testOptions(mem, id, w), w))
		}
		time.Sleep(5 * time.Second)
		var lead *running
		for _, n := range nodes {
			if n.shown.Load().leads {
				lead = n
			}
		}
		require.NotNil(t, lead)
		_, epoch, _, _ := lead.Leader()
		// Appended and not waited for: when it resigns, the listener hears that nobody leads, and later who does.
		_, err := lead.Append(t.Context(), epoch, values("a"))
		require.NoError(t, err)
		lead.Resign(epoch)
		time.Sleep(5 * time.Second)
		told := lead.heard.all()
		at := -1
		for i, line := range told {
			if line == fmt.Sprintf("leader -1 epoch %d", epoch) {
				at = i
			}
		}
		require.GreaterOrEqual(t, at, 0, told)
		id, now, _, ok := lead.Leader()
		require.True(t, ok)
		require.Greater(t, now, epoch)
		require.Contains(t, told[at:], fmt.Sprintf("leader %d epoch %d", id, now))
		_, err = lead.Append(t.Context(), epoch, values("late"))
		require.Error(t, err)
		for _, n := range nodes {
			n.kill(t, w)
		}
	})
}

func TestFailedWriteStopsTheNodeAndTellsEveryone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, w := vfs.NewMem(), newWire()
		format(t, mem, 1)
		fault := vfs.NewFault(mem)
		n, err := Open(testOptions(fault, 1, w))
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- n.Run(t.Context()) }()
		synctest.Wait()
		broken := errors.New("broken disk")
		fault.Fail(vfs.Rule{Kinds: vfs.KindSync, Nth: 1, Last: -1, Err: broken})
		_, err = n.Append(t.Context(), 1, values("a"))
		require.Error(t, err)
		require.ErrorIs(t, <-done, broken)
		_, err = n.Handle(t.Context(), describeQuorum())
		require.ErrorIs(t, err, errStopped)
		require.Error(t, n.WaitCommitted(t.Context(), 99))
	})
}
