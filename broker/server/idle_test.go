package server

import (
	"context"
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/memnet"
)

// TestIdleConnectionIsSmall holds an idle connection, after requests of a kilobyte, to 8 KiB of heap and stack
// (robustness, limits on hostile input). The sockets are real; what the test's own ends cost is taken off.
func TestIdleConnectionIsSmall(t *testing.T) {
	const n = 500
	inUse := func() uint64 {
		runtime.GC()
		runtime.GC() // stacks shrink in one, pools empty in the other
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	r := start(t, rows{0: answering(0, 3, 13), 18: answering(18, 0, 4)}, func(o *Options) { o.Net = memnet.OS })
	before := inUse()
	clients := make([]net.Conn, n)
	for i := range clients {
		nc, err := memnet.OS.Dial(context.Background(), "tcp", r.addr)
		require.NoError(t, err)
		defer nc.Close()
		clients[i] = nc
		c := &client{t: t, nc: nc}
		c.send(versions(3))
		c.nextID()
	}
	each := (inUse() - before) / n
	t.Logf("%d bytes for each connection, the client's end included", each)
	if !raceEnabled {
		require.Less(t, each, uint64(8<<10))
	}
	require.Equal(t, n, r.Stats().Connections)
}
