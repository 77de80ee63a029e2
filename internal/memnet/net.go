package memnet

import (
	"context"
	"net"
)

// Net is where connections come from. Implementations are safe for concurrent use.
type Net interface {
	// Listen binds addr ("host:port", port 0 picks one). network is tcp, tcp4 or tcp6.
	Listen(network, addr string) (net.Listener, error)

	// Dial connects to addr, giving up when ctx ends.
	Dial(ctx context.Context, network, addr string) (net.Conn, error)
}

// OS is the network of this machine.
var OS Net = system{}

type system struct{}

func (system) Listen(network, addr string) (net.Listener, error) {
	return net.Listen(network, addr)
}

func (system) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}
