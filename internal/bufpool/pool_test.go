package bufpool

import "testing"

func TestBufferHasTheNextPowerOfTwo(t *testing.T) {
	for _, c := range []struct{ n, capacity int }{{0, 512}, {1, 512}, {512, 512}, {513, 1024}, {65536, 65536}, {65537, 131072}} {
		u := Get(c.n)
		if len(u.B) != c.n || cap(u.B) != c.capacity {
			t.Errorf("Get(%d) = len %d cap %d, want cap %d", c.n, len(u.B), cap(u.B), c.capacity)
		}
		u.Free()
		if u.B != nil || u.Pooled() {
			t.Errorf("a buffer that was put is still there")
		}
	}
	huge := Get(1<<maxBits + 1)
	huge.Free()
}

func TestGetAndPutAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector drops pooled values at random")
	}
	n := testing.AllocsPerRun(100, func() {
		u := Get(4096)
		u.Free()
	})
	if n > 0.5 {
		t.Errorf("%v allocations", n)
	}
}
