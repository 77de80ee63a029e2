package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Server is a set of listeners and their connections: New, Listen, Run, and then it is spent. A node with a
// controller listener and client listeners has two, since the first opens long before the second; they may
// share a Budget.
type Server struct {
	o         Options
	listeners []*listener
	admission admission
	quiet     quietLog

	nextID   atomic.Uint64
	requests atomic.Int64
	faults   atomic.Int64

	stopCtx context.Context // ends when Run's context ended
	stop    context.CancelFunc
	reqCtx  context.Context // of handlers; outlives stopCtx by at most StopTimeout
	reqEnd  context.CancelFunc
	working sync.WaitGroup // connections
}

// New returns a server that is not bound yet.
func New(o Options) *Server {
	o.defaults()
	s := &Server{o: o, admission: newAdmission()}
	s.stopCtx, s.stop = context.WithCancel(context.Background())
	s.reqCtx, s.reqEnd = context.WithCancel(context.Background())
	return s
}

// Listen binds every listener. Connections queue in the kernel until Run accepts them. On an error nothing
// stays bound.
func (s *Server) Listen() error {
	for _, l := range s.o.Listeners {
		bound, err := s.bind(l)
		if err != nil {
			s.Close()
			return err
		}
		s.listeners = append(s.listeners, bound)
	}
	return nil
}

// Close unbinds a server that does not run: Listen without Run. Run does it by itself.
func (s *Server) Close() {
	for _, l := range s.listeners {
		l.close()
	}
	s.listeners = nil
	s.stop()
	s.reqEnd()
}

// Addrs returns what was bound, by listener name: the first socket is the one to advertise.
func (s *Server) Addrs() map[string][]net.Addr {
	addrs := map[string][]net.Addr{}
	for _, l := range s.listeners {
		for _, socket := range l.sockets {
			addrs[l.Name] = append(addrs[l.Name], socket.Addr())
		}
	}
	return addrs
}

// Port returns the port that a listener is bound to, 0 when it is not.
func (s *Server) Port(name string) int {
	for _, l := range s.listeners {
		if l.Name == name {
			return portOf(l.sockets[0].Addr())
		}
	}
	return 0
}

// Stats are counts since the start, for metrics and tests.
type Stats struct {
	Connections    int   // open now
	Requests       int64 // decoded
	DecodingFaults int64 // requests that passed the walk and broke in the decoder: must stay 0
	BudgetUsed     int64 // bytes
}

// Stats returns the counts now.
func (s *Server) Stats() Stats {
	return Stats{Connections: s.admission.count(), Requests: s.requests.Load(), DecodingFaults: s.faults.Load(), BudgetUsed: s.o.Budget.Used()}
}

func (s *Server) requestContext() context.Context { return s.reqCtx }

func (s *Server) isStopping() bool { return s.stopCtx.Err() != nil }

// admit lets a new socket in, waiting while the broker or the listener is full; nil = it was closed.
func (s *Server) admit(l *listener, nc net.Conn) *conn {
	ip := hostOf(nc.RemoteAddr())
	for {
		k, evict, v, left := s.admission.admit(l, ip, s.o.Limits(), func() *conn {
			return newConn(s, l, nc, ip, s.nextID.Add(1))
		})
		switch v {
		case admitted:
			if evict != nil {
				evict.drop()
			}
			return k
		case refused:
			nc.Close()
			s.complain("too many connections from one address", ip, nil)
			return nil
		case full:
			select {
			case <-left:
			case <-s.stopCtx.Done():
				nc.Close()
				return nil
			}
		}
	}
}

// dropParked closes the connections that have waited for something but their peer since before.
func (s *Server) dropParked(before time.Time) {
	s.admission.each(func(k *conn) {
		if since := k.parked.Load(); since != 0 && since <= before.UnixNano() {
			k.drop()
		}
	})
}

// closed takes a connection out of the books and tells who wanted to know.
func (s *Server) closed(k *conn, cause error) {
	s.admission.remove(k)
	if !byPeer(cause) && !errors.Is(cause, errStopping) {
		s.complain("connection closed", k.ctx.Client.String(), cause)
	}
	if s.o.ConnectionClosed != nil {
		s.o.ConnectionClosed(&k.state, k.listener.Name, k.listener.Controller)
	}
}

// complain writes one bounded line, at most one a second.
func (s *Server) complain(what, client string, cause error) {
	skipped, ok := s.quiet.allow(s.o.Clock.Now())
	if !ok {
		return
	}
	text := ""
	if cause != nil {
		text = cause.Error()
		text = text[:min(len(text), 300)]
	}
	s.o.Log.Warn().Str("client", client).Str("cause", text).Int64("skipped", skipped).Msg(what)
}
