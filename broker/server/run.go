package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/dohle-io/dohle/internal/clock"
)

// All goroutines of this package start here.

// acceptPause is how long an acceptor rests after an error that is not its end: no descriptors left.
const acceptPause = 100 * time.Millisecond

// Run accepts and serves until ctx ends. Then it accepts no more, closes idle connections, lets requests in
// progress finish within StopTimeout, ends their context, and closes what is left. When it returns, no
// goroutine and no socket of the server is left. The error is always nil but when Listen was not called.
func (s *Server) Run(ctx context.Context) error {
	if s.listeners == nil && len(s.o.Listeners) > 0 {
		return errors.New("server: Run before Listen")
	}
	var acceptors sync.WaitGroup
	for _, l := range s.listeners {
		for _, socket := range l.sockets {
			acceptors.Go(func() { s.accept(l, socket) })
		}
	}
	var watch sync.WaitGroup
	watch.Go(s.watchParked)
	<-ctx.Done()
	s.stop()
	for _, l := range s.listeners {
		l.close()
	}
	acceptors.Wait()
	watch.Wait()
	s.admission.each(func(k *conn) { k.nc.SetReadDeadline(time.Unix(1, 0)) }) // a closed one is fine

	finished := make(chan struct{})
	go func() {
		s.working.Wait()
		close(finished)
	}()
	patience := s.o.Clock.NewTimer(s.o.StopTimeout)
	defer patience.Stop()
	select {
	case <-finished:
	case <-patience.C():
	}
	s.reqEnd()
	patience.Reset(time.Second) // handlers that answer because their context ended
	select {
	case <-finished:
	case <-patience.C():
		s.admission.each(func(k *conn) { k.nc.Close() })
		<-finished
	}
	return nil
}

// accept is the goroutine of one socket.
func (s *Server) accept(l *listener, socket net.Listener) {
	for {
		nc, err := socket.Accept()
		if s.isStopping() {
			if err == nil {
				nc.Close()
			}
			return
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			s.complain("accept failed", l.Name, err)
			clock.Sleep(s.reqCtx, s.o.Clock, acceptPause) //nolint:errcheck // looks at stop next
			continue
		}
		if k := s.admit(l, nc); k != nil {
			s.working.Go(k.serve)
		}
	}
}

// watchParked closes connections that wait for IdleTimeout, in the eighth after it. Those that wait for their peer look
// themselves.
func (s *Server) watchParked() {
	within := s.o.IdleTimeout
	for within > 0 && clock.Sleep(s.stopCtx, s.o.Clock, within/8+1) == nil {
		s.dropParked(s.o.Clock.Now().Add(-within))
	}
}

// startWriter starts the goroutine that owns the write side while late answers are queued.
func (k *conn) startWriter() { go k.writeLate() }
