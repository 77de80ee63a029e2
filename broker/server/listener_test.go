package server

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/memnet"
)

func TestLocalhostListensInBothFamilies(t *testing.T) {
	probe, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here")
	}
	probe.Close()
	r := start(t, rows{18: answering(18, 0, 4)}, func(o *Options) { o.Net = memnet.OS })
	addrs := r.Addrs()[testListener]
	require.Len(t, addrs, 2)
	assert.Equal(t, portOf(addrs[0]), portOf(addrs[1]))
	assert.Equal(t, portOf(addrs[0]), r.Port(testListener))
	for _, a := range addrs {
		nc, err := memnet.OS.Dial(context.Background(), "tcp", a.String())
		require.NoError(t, err)
		defer nc.Close()
		c := &client{t: t, nc: nc}
		c.send(versions(3))
		c.nextID()
	}
}

func TestListenerThatCannotBindLeavesNothingBound(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	s := New(Options{Net: memnet.OS, Dispatcher: rows{}, Listeners: []Listener{{Name: "A", Host: "127.0.0.1"}, {Name: "B", Host: "127.0.0.1", Port: portOf(taken.Addr())}}})
	require.ErrorContains(t, s.Listen(), "listener B")
	assert.Empty(t, s.Addrs())
}
