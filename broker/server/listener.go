package server

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/dohle-io/dohle/internal/memnet"
)

// listener is one bound entry of listeners=: one socket, or two for localhost.
type listener struct {
	Listener
	sockets []net.Listener
}

// maxPortTries bounds the search for a port that is free in both loopback families.
const maxPortTries = 16

// bind opens the sockets of l.
func (s *Server) bind(l Listener) (*listener, error) {
	host := l.Host
	if host != "localhost" {
		socket, err := s.o.Net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(l.Port)))
		if err != nil {
			return nil, bindError(l, err)
		}
		return &listener{Listener: l, sockets: []net.Listener{socket}}, nil
	}
	sockets, err := s.bindLoopback(l.Port)
	if err != nil {
		return nil, bindError(l, err)
	}
	return &listener{Listener: l, sockets: sockets}, nil
}

// bindError names the listener and what helps.
func bindError(l Listener, err error) error {
	remedy := "the address is set in listeners"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		remedy = "stop the process that has the port, or choose another in listeners (dohle dev: --port)"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		remedy = "choose an address of this machine in listeners"
	case errors.Is(err, syscall.EACCES):
		remedy = "choose a port above 1023 in listeners, or grant the right to bind it"
	}
	return fmt.Errorf("listener %s: %w: %s", l.Name, err, remedy)
}

// bindLoopback binds 127.0.0.1 and, where the machine has it, ::1 at the same port: clients resolve
// localhost to either. One family alone is enough.
func (s *Server) bindLoopback(port int) ([]net.Listener, error) {
	for try := 0; ; try++ {
		four, err4 := s.o.Net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if s.o.Net != memnet.OS {
			return []net.Listener{four}, err4 // one loopback host there
		}
		if err4 != nil && !noFamily(err4) {
			return nil, err4
		}
		at := port
		if err4 == nil {
			at = portOf(four.Addr())
		}
		six, err6 := s.o.Net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(at)))
		switch {
		case err4 == nil && err6 == nil:
			return []net.Listener{four, six}, nil
		case err6 == nil:
			return []net.Listener{six}, nil
		case err4 == nil && noFamily(err6):
			return []net.Listener{four}, nil
		case err4 != nil:
			return nil, err4
		}
		four.Close()
		if port != 0 || try == maxPortTries {
			return nil, err6
		}
	}
}

// noFamily tells that the machine lacks the address family.
func noFamily(err error) bool {
	return errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EPROTONOSUPPORT)
}

func portOf(a net.Addr) int {
	_, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(port)
	return n
}

func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

func (l *listener) close() {
	for _, socket := range l.sockets {
		socket.Close()
	}
}
