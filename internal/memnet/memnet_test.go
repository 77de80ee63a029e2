package memnet

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func pair(t *testing.T, n *Network) (client, server net.Conn, addr string) {
	t.Helper()
	l, err := n.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	addr = l.Addr().String()
	client, err = n.Dial(context.Background(), "tcp", addr)
	require.NoError(t, err)
	server, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { client.Close(); server.Close(); l.Close() })
	return client, server, addr
}

func TestBytesArriveInOrderAndEndWithEOF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := pair(t, New())
		sent := make([]byte, 3*window)
		for i := range sent {
			sent[i] = byte(i * 7)
		}
		go func() {
			client.Write(sent)
			client.Close()
		}()
		got, err := io.ReadAll(server)
		require.NoError(t, err)
		require.Equal(t, sent, got)
		_, err = server.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE)
	})
}

func TestAReadEndsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _, _ := pair(t, New())
		client.SetReadDeadline(time.Now().Add(time.Minute))
		_, err := client.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		var timeout net.Error
		require.True(t, errors.As(err, &timeout) && timeout.Timeout())
	})
}

func TestCutResetsAndRefusesUntilHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New()
		client, server, addr := pair(t, n)
		n.Cut(addr)
		_, err := client.Read(make([]byte, 1))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		_, err = server.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		_, err = n.Dial(context.Background(), "tcp", addr)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		n.Heal(addr)
		c, err := n.Dial(context.Background(), "tcp", addr)
		require.NoError(t, err)
		c.Close()
	})
}

func TestHeldBytesArriveAfterHealing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New()
		client, server, addr := pair(t, n)
		n.Hold(addr)
		client.Write([]byte("late"))
		server.SetReadDeadline(time.Now().Add(time.Second))
		_, err := server.Read(make([]byte, 4))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		n.Heal(addr)
		server.SetReadDeadline(time.Time{})
		got := make([]byte, 4)
		_, err = io.ReadFull(server, got)
		require.NoError(t, err)
		require.Equal(t, "late", string(got))
	})
}

func TestDelayedBytesKeepTheirDistance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New()
		client, server, addr := pair(t, n)
		n.Delay(addr, time.Second)
		start := time.Now()
		client.Write([]byte("x"))
		_, err := server.Read(make([]byte, 1))
		require.NoError(t, err)
		require.Equal(t, time.Second, time.Since(start))
	})
}

func TestTheSameAddressIsNotBoundTwice(t *testing.T) {
	n := New()
	l, err := n.Listen("tcp", "127.0.0.1:9092")
	require.NoError(t, err)
	_, err = n.Listen("tcp", "localhost:9092")
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.NoError(t, l.Close())
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	again, err := n.Listen("tcp", "127.0.0.1:9092")
	require.NoError(t, err)
	again.Close()
}
