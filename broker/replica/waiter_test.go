package replica

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func fired(w *Wake) (owners []any) {
	w.Fired(func(watch *Watch) { owners = append(owners, watch.Owner) })
	return owners
}

func ticks(w *Wake) bool {
	select {
	case <-w.C():
		return true
	default:
		return false
	}
}

func at(hw int64) bounds {
	return bounds{LogEnd: hw, HighWatermark: hw, LastStable: hw, LowWatermark: hw}
}

func TestWatchFiresOnceItsBoundIsReached(t *testing.T) {
	cases := []struct {
		name  string
		bound Bound
		want  int64
		now   bounds
		fires bool
	}{
		{"below", HighWatermark, 10, at(9), false},
		{"reached", HighWatermark, 10, at(10), true},
		{"passed", HighWatermark, 10, at(11), true},
		{"another bound moved", HighWatermark, 10, bounds{LogEnd: 20, HighWatermark: 5}, false},
		{"log end", LogEnd, 10, bounds{LogEnd: 10}, true},
		{"last stable behind the high watermark", LastStable, 10, bounds{HighWatermark: 20, LastStable: 9}, false},
		{"role change", LastStable, 10, everything, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := &Partition{}
			wake := NewWake()
			w := p.NewWatch(wake, c.bound, c.name)
			w.Arm(c.want)
			p.waiters.notify(c.now)
			require.Equal(t, c.fires, ticks(wake))
			if c.fires {
				require.Equal(t, []any{c.name}, fired(wake))
				require.Zero(t, p.waiters.count.Load(), "a watch that fired is not armed")
			}
		})
	}
}

func TestWatchesOfSeveralPartitionsShareOneSlot(t *testing.T) {
	p, q := &Partition{}, &Partition{}
	wake := NewWake()
	for i, part := range []*Partition{p, q, q} {
		part.NewWatch(wake, LogEnd, i).Arm(1)
	}
	p.waiters.notify(at(1))
	q.waiters.notify(at(1))
	q.waiters.notify(at(2))
	require.ElementsMatch(t, []any{0, 1, 2}, fired(wake))
	require.False(t, ticks(wake), "looking at what fired takes the tick")
	require.Empty(t, fired(wake))
}

func TestDisarmedWatchIsNotFired(t *testing.T) {
	p := &Partition{}
	wake := NewWake()
	var watches []*Watch
	for i := range 5 {
		w := p.NewWatch(wake, LogEnd, i)
		w.Arm(1)
		w.Arm(1)
		watches = append(watches, w)
	}
	for _, i := range []int{0, 4, 2, 2} { // last, first and middle of the list, and one twice
		watches[i].Disarm()
	}
	require.EqualValues(t, 2, p.waiters.count.Load())
	p.waiters.notify(at(1))
	require.ElementsMatch(t, []any{1, 3}, fired(wake))
}

func TestRearmedWatchFiresAgain(t *testing.T) {
	p := &Partition{}
	wake := NewWake()
	w := p.NewWatch(wake, LogEnd, "w")
	for offset := int64(1); offset < 4; offset++ {
		w.Arm(offset)
		p.waiters.notify(at(offset))
		require.Equal(t, []any{"w"}, fired(wake))
	}
}

func TestRenewSendsTheOldWaiterAway(t *testing.T) {
	p := &Partition{}
	wake := NewWake()
	old := wake.C()
	p.NewWatch(wake, LogEnd, "w").Arm(1)
	p.waiters.notify(at(1))
	wake.Renew()
	<-old // the tick that was in it
	_, open := <-old
	require.False(t, open)
	require.True(t, ticks(wake), "what fired is not forgotten")
	require.Equal(t, []any{"w"}, fired(wake))
}
