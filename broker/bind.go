package broker

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/dohle-io/dohle/broker/api"
	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/config"
)

// bound are the listeners of a node with the ports they really have.
type bound struct {
	listeners []config.Listener // as configured, ports replaced by what was bound; clients' first
	controls  map[string]bool   // names of controller listeners
	servers   []*server.Server
}

// bind takes every port first, so that a port in use is the first thing a person reads, and so that the voter set
// and the registration can name ports that the machine chose.
func (b *Broker) bind(budget *server.Budget) error {
	b.handlers = &api.Handlers{}
	b.dispatcher = api.NewDispatcher(api.Table, b.handlers)
	b.bound.controls = map[string]bool{}
	listen := func(list []config.Listener, controller bool) (*server.Server, error) {
		o := server.Options{Net: b.o.Net, Clock: b.o.Clocks.Real, Log: room(b.log, "server"), Dispatcher: b.dispatcher, Budget: budget,
			MaxRequestBytes: int(config.SocketRequestMaxBytes.Get(b.cfg)), IdleTimeout: config.ConnectionsMaxIdleMs.Get(b.cfg)}
		if controller {
			o.ConnectionClosed = func(c *server.ConnState, _ string, _ bool) { b.controller.ConnectionClosed(c.ID) }
		} else {
			o.Limits = b.limits
		}
		for _, l := range list {
			o.Listeners = append(o.Listeners, server.Listener{Name: l.Name, Host: l.Host, Port: l.Port, Controller: controller})
		}
		s := server.New(o)
		b.bound.servers = append(b.bound.servers, s)
		if err := s.Listen(); err != nil {
			return nil, err
		}
		addrs := s.Addrs()
		for _, l := range list {
			l.Port = portOf(addrs[l.Name])
			b.bound.listeners = append(b.bound.listeners, l)
			b.bound.controls[l.Name] = controller
		}
		return s, nil
	}
	if b.roles.Broker {
		clients, err := b.cfg.ClientListeners()
		if err == nil {
			b.clientServer, err = listen(clients, false)
		}
		if err != nil {
			return err
		}
	}
	if b.roles.Controller {
		controls, err := b.cfg.ControllerListeners()
		if err == nil {
			b.controllerServer, err = listen(controls, true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// limits are the connection bounds of the client listeners, asked for at each accept.
func (b *Broker) limits() server.Limits {
	view := config.View(b.cfg)
	if b.replicas != nil {
		view = b.replicas.View().Config
	}
	l := server.Limits{
		MaxConnections: int(config.MaxConnections.Get(view)),
		MaxPerIP:       int(config.MaxConnectionsPerIP.Get(view)),
	}
	l.ProtectedListener, _ = b.cfg.InterBrokerListener()
	for _, have := range b.bound.listeners {
		text, _, ok := view.Lookup("listener.name." + strings.ToLower(have.Name) + ".max.connections")
		if n, err := strconv.Atoi(text); ok && err == nil {
			if l.MaxPerListener == nil {
				l.MaxPerListener = map[string]int{}
			}
			l.MaxPerListener[have.Name] = n
		}
	}
	for _, entry := range splitPairs(config.MaxConnectionsPerIPOverrides.Get(view)) {
		if n, err := strconv.Atoi(entry[1]); err == nil {
			if l.MaxPerIPOverrides == nil {
				l.MaxPerIPOverrides = map[string]int{}
			}
			l.MaxPerIPOverrides[entry[0]] = n
		}
	}
	return l
}

// addresses are the bound listeners by name.
func (bd *bound) addresses() map[string][]string {
	all := map[string][]string{}
	for _, s := range bd.servers {
		for name, addrs := range s.Addrs() {
			for _, a := range addrs {
				all[name] = append(all[name], a.String())
			}
		}
	}
	return all
}

// advertised are the addresses to tell: list as configured, with the bound port where it says 0 and a host where it
// says every interface.
func (bd *bound) advertised(list []config.Listener) ([]config.Listener, error) {
	out := make([]config.Listener, 0, len(list))
	for _, l := range list {
		if l.Port == 0 {
			for _, have := range bd.listeners {
				if have.Name == l.Name {
					l.Port = have.Port
				}
			}
		}
		switch l.Host {
		case "":
			host, err := hostname()
			if err != nil {
				return nil, fmt.Errorf("listener %s is bound to every interface and advertised.listeners names none, and this machine has no name to tell instead: %w", l.Name, err)
			}
			l.Host = host
		case "0.0.0.0", "::":
			return nil, fmt.Errorf("advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.")
		}
		out = append(out, l)
	}
	return out, nil
}

// bootstrap is the first client listener as clients in this machine reach it.
func (bd *bound) bootstrap() string {
	for _, l := range bd.listeners {
		if bd.controls[l.Name] {
			continue
		}
		host := l.Host
		if host == "" || host == "0.0.0.0" || host == "::" {
			host = "127.0.0.1"
		}
		return net.JoinHostPort(host, strconv.Itoa(l.Port))
	}
	return ""
}

// close gives up listeners whose server never ran; Close of one that ran is harmless.
func (bd *bound) close() {
	for _, s := range bd.servers {
		s.Close()
	}
}

func portOf(addrs []net.Addr) int {
	for _, a := range addrs {
		if _, port, err := net.SplitHostPort(a.String()); err == nil {
			n, _ := strconv.Atoi(port)
			return n
		}
	}
	return 0
}
