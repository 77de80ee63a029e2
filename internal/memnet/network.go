package memnet

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Network is a network in memory. The zero value is not usable: call New.
type Network struct {
	mu        sync.Mutex
	listeners map[string]*listener
	conns     map[*conn]string // a live connection's two ends -> the listener's address
	faults    map[string]*fault
	nextPort  int
}

// fault is what is wrong with the way to one listener.
type fault struct {
	cut   bool
	hold  bool
	delay time.Duration
}

// New returns an empty network.
func New() *Network {
	return &Network{listeners: map[string]*listener{}, conns: map[*conn]string{}, faults: map[string]*fault{}, nextPort: 40000}
}

// Listen implements Net. Every host name is taken as it is; "" and wildcards are one host, as is each loopback name.
func (n *Network) Listen(_, addr string) (net.Listener, error) {
	host, port, err := split(addr)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if port == 0 {
		n.nextPort++
		port = n.nextPort
	}
	key := join(host, port)
	if n.listeners[key] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: address(key), Err: syscall.EADDRINUSE}
	}
	l := &listener{network: n, addr: address(key), backlog: make(chan *conn, 4096), closed: make(chan struct{})}
	n.listeners[key] = l
	return l, nil
}

// Dial implements Net.
func (n *Network) Dial(ctx context.Context, _, addr string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	host, port, err := split(addr)
	if err != nil {
		return nil, err
	}
	key := join(host, port)
	n.mu.Lock()
	l, f := n.listeners[key], n.faults[key]
	if l == nil || f != nil && f.cut {
		n.mu.Unlock()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: address(key), Err: syscall.ECONNREFUSED}
	}
	n.nextPort++
	there, back := newPipe(), newPipe()
	if f != nil {
		there.set(f.hold, f.delay)
		back.set(f.hold, f.delay)
	}
	client := &conn{network: n, in: back, out: there, local: address(join("127.0.0.1", n.nextPort)), remote: l.addr}
	server := &conn{network: n, in: there, out: back, local: l.addr, remote: client.local}
	n.conns[client], n.conns[server] = key, key
	n.mu.Unlock()

	select {
	case l.backlog <- server:
		return client, nil
	case <-l.closed:
	case <-ctx.Done():
	}
	client.reset()
	server.reset()
	n.forget(client)
	n.forget(server)
	return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: address(key), Err: syscall.ECONNREFUSED}
}

// Cut resets every connection to the listener at addr and refuses new ones until Heal.
func (n *Network) Cut(addr string) {
	n.change(addr, func(f *fault) { f.cut = true })
	for _, c := range n.connsTo(addr) {
		c.reset()
	}
}

// Hold keeps all bytes to and from the listener at addr on their way until Heal: both sides see silence.
func (n *Network) Hold(addr string) { n.change(addr, func(f *fault) { f.hold = true }) }

// Delay lets bytes to and from the listener at addr arrive d later.
func (n *Network) Delay(addr string, d time.Duration) { n.change(addr, func(f *fault) { f.delay = d }) }

// Heal ends whatever Cut, Hold and Delay did to addr.
func (n *Network) Heal(addr string) { n.change(addr, func(f *fault) { *f = fault{} }) }

func (n *Network) change(addr string, edit func(*fault)) {
	key := canonical(addr)
	n.mu.Lock()
	f := n.faults[key]
	if f == nil {
		f = &fault{}
		n.faults[key] = f
	}
	edit(f)
	now := *f
	n.mu.Unlock()
	for _, c := range n.connsTo(addr) {
		c.out.set(now.hold, now.delay)
	}
}

func (n *Network) connsTo(addr string) []*conn {
	key := canonical(addr)
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []*conn
	for c, to := range n.conns {
		if to == key {
			list = append(list, c)
		}
	}
	return list
}

func (n *Network) forget(c *conn) {
	n.mu.Lock()
	delete(n.conns, c)
	n.mu.Unlock()
}

type listener struct {
	network *Network
	addr    address
	backlog chan *conn
	once    sync.Once
	closed  chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Addr() net.Addr { return l.addr.tcp() }

func (l *listener) Close() error {
	l.once.Do(func() {
		l.network.mu.Lock()
		delete(l.network.listeners, string(l.addr))
		l.network.mu.Unlock()
		close(l.closed)
		for {
			select {
			case c := <-l.backlog:
				c.reset()
			default:
				return
			}
		}
	})
	return nil
}

// address is a canonical host:port.
type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }

// tcp gives the address the type that callers of real listeners see, when the host is a literal.
func (a address) tcp() net.Addr {
	host, port, err := net.SplitHostPort(string(a))
	if err != nil {
		return a
	}
	number, err := strconv.Atoi(port)
	ip := net.ParseIP(host)
	if err != nil || ip == nil {
		return a
	}
	return &net.TCPAddr{IP: ip, Port: number}
}

func split(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("memnet: %q is no port", text)
	}
	switch host {
	case "", "localhost", "0.0.0.0", "::", "::1":
		host = "127.0.0.1"
	}
	return host, port, nil
}

func join(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

func canonical(addr string) string {
	host, port, err := split(addr)
	if err != nil {
		return addr
	}
	return join(host, port)
}
