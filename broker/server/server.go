package server

import (
	"context"
	"net"
)

// Server is a set of listeners and their connections. New, Listen, Run; then it is spent.
type Server struct {
	o Options
}

// New returns a server that is not bound yet.
func New(o Options) *Server {
	o.defaults()
	return &Server{o: o}
}

// Listen binds every listener; nothing is accepted before Run.
func (s *Server) Listen() error { return nil }

// Addrs returns what was bound, by listener name.
func (s *Server) Addrs() map[string][]net.Addr { return nil }

// Run accepts and serves until ctx ends.
func (s *Server) Run(ctx context.Context) error { <-ctx.Done(); return nil }
