package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Listener is an address that a node binds or tells its clients. Name is in upper case.
type Listener struct {
	Name     string
	Protocol string // PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
	Host     string // "" = every interface
	Port     int    // 0 = any free port
}

// listenerURI is the form of one entry: a name, a host that may be empty or an IPv6 address in brackets, a port.
var listenerURI = regexp.MustCompile(`^(.*)://\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)$`)

var securityProtocols = []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}

// Listeners are all addresses to bind: those of clients and, on a controller, those of the quorum.
func (f *File) Listeners() ([]Listener, error) {
	protocols, err := f.protocolMap()
	if err != nil {
		return nil, err
	}
	return parseListeners(Listeners.Get(f), protocols, true)
}

// ControllerListeners are the listeners that carry controller requests.
func (f *File) ControllerListeners() ([]Listener, error) {
	all, err := f.Listeners()
	names := ControllerListenerNames.Get(f)
	return slices.DeleteFunc(all, func(l Listener) bool { return !slices.Contains(names, l.Name) }), err
}

// ClientListeners are the listeners that are not for the controller.
func (f *File) ClientListeners() ([]Listener, error) {
	all, err := f.Listeners()
	names := ControllerListenerNames.Get(f)
	return slices.DeleteFunc(all, func(l Listener) bool { return slices.Contains(names, l.Name) }), err
}

// AdvertisedListeners are the client addresses that the broker registers: advertised.listeners, or listeners where that
// is not set. A Host of "" means the machine's own name, a Port of 0 the port that was bound.
func (f *File) AdvertisedListeners() ([]Listener, error) {
	protocols, err := f.protocolMap()
	if err != nil {
		return nil, err
	}
	var all []Listener
	if list, ok := AdvertisedListeners.Find(f); ok {
		all, err = parseListeners(list, protocols, false)
	} else {
		all, err = f.Listeners()
	}
	names := ControllerListenerNames.Get(f)
	return slices.DeleteFunc(all, func(l Listener) bool { return slices.Contains(names, l.Name) }), err
}

// AdvertisedControllerListeners are the controller addresses that this node registers, in the order of controller.listener.names.
// For the first name an entry for this node in controller.quorum.voters stands in for a wildcard host.
func (f *File) AdvertisedControllerListeners() ([]Listener, error) {
	protocols, err := f.protocolMap()
	if err != nil {
		return nil, err
	}
	var advertised []Listener
	if list, ok := AdvertisedListeners.Find(f); ok {
		if advertised, err = parseListeners(list, protocols, false); err != nil {
			return nil, err
		}
	}
	names := ControllerListenerNames.Get(f)
	advertised = slices.DeleteFunc(advertised, func(l Listener) bool { return !slices.Contains(names, l.Name) })
	bound, err := f.ControllerListeners()
	if err != nil {
		return nil, err
	}
	var out []Listener
	for i, name := range names {
		named := func(l Listener) bool { return l.Name == strings.ToUpper(name) }
		if j := slices.IndexFunc(advertised, named); j >= 0 {
			out = append(out, advertised[j])
			continue
		}
		j := slices.IndexFunc(bound, named)
		if j < 0 {
			continue
		}
		l := bound[j]
		if l.Host == "" || l.Host == "0.0.0.0" {
			l.Host = ""
			var voters []Voter
			if i == 0 {
				if voters, err = parseVoters(ControllerQuorumVoters.Get(f), false); err != nil {
					return nil, err
				}
			}
			for _, v := range voters {
				if v.ID == f.NodeID() {
					l.Host, l.Port = v.Host, v.Port
				}
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// InterBrokerListener is the name of the listener that brokers use among themselves.
func (f *File) InterBrokerListener() (string, error) {
	protocols, err := f.protocolMap()
	if err != nil {
		return "", err
	}
	name, ok := InterBrokerListenerName.Find(f)
	if !ok {
		name = SecurityInterBrokerProtocol.Get(f)
		return name, nil
	}
	if _, both := f.values["security.inter.broker.protocol"]; both {
		return "", invalid("Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.")
	}
	name = strings.ToUpper(name)
	if _, ok := protocols[name]; !ok {
		return "", invalid("Listener with name " + name + " defined in inter.broker.listener.name not found in listener.security.protocol.map.")
	}
	return name, nil
}

// protocolMap is listener.security.protocol.map; while that is not set, controller listeners are PLAINTEXT too,
// unless a listener is named after a protocol with protection.
func (f *File) protocolMap() (map[string]string, error) {
	pairs, err := csvMap("listener.security.protocol.map", ListenerSecurityProtocolMap.Get(f))
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(pairs))
	for _, p := range pairs {
		protocol := strings.ToUpper(p[1])
		if !slices.Contains(securityProtocols, protocol) {
			return nil, invalid("Invalid security protocol `" + p[1] + "` defined in listener.security.protocol.map")
		}
		out[strings.ToUpper(p[0])] = protocol
	}
	if _, set := f.values["listener.security.protocol.map"]; set {
		return out, nil
	}
	controllers := ControllerListenerNames.Get(f)
	for _, name := range controllers {
		if protected(name) {
			return out, nil
		}
	}
	for _, l := range Listeners.Get(f) {
		i := strings.Index(l, ":")
		if i < 0 {
			return nil, invalid("Unable to parse a listener name from " + l)
		}
		if protected(strings.ToUpper(l[:i])) {
			return out, nil
		}
	}
	for _, name := range controllers {
		if name != "PLAINTEXT" {
			out[name] = "PLAINTEXT"
		}
	}
	return out, nil
}

func protected(protocol string) bool {
	return protocol == "SSL" || protocol == "SASL_SSL" || protocol == "SASL_PLAINTEXT"
}

// csvMap reads "key:value, key:value"; the last colon of an entry splits it.
func csvMap(name, text string) ([][2]string, error) {
	if text == "" {
		return nil, nil
	}
	var out [][2]string
	for _, s := range splitList(text) {
		i := strings.LastIndex(s, ":")
		if i < 0 {
			return nil, invalid("Error parsing configuration property '" + name + "': begin 0, end -1, length " + strconv.Itoa(len(s)))
		}
		out = append(out, [2]string{trim(s[:i]), trim(s[i+1:])})
	}
	return out, nil
}

func parseListeners(list []string, protocols map[string]string, distinctPorts bool) ([]Listener, error) {
	shown := "[" + strings.Join(list, ", ") + "]"
	fail := func(reason string) ([]Listener, error) {
		return nil, invalid("Error creating broker listeners from '" + shown + "': " + reason)
	}
	var out []Listener
	for _, s := range list {
		m := listenerURI.FindStringSubmatch(s)
		if m == nil {
			return fail("Unable to parse " + s + " to a broker endpoint")
		}
		name := strings.ToUpper(m[1])
		port, err := strconv.ParseInt(m[3], 10, 32)
		if err != nil {
			return fail("For input string: \"" + m[3] + "\"")
		}
		protocol, ok := protocols[name]
		if !ok {
			return fail("No security protocol defined for listener " + name)
		}
		out = append(out, Listener{name, protocol, m[2], int(port)})
	}
	for i, l := range out {
		if slices.ContainsFunc(out[:i], func(o Listener) bool { return o.Name == l.Name }) {
			return fail("Each listener must have a different name, listeners: " + shown)
		}
	}
	if distinctPorts {
		if reason := portClash(out, shown); reason != "" {
			return fail(reason)
		}
	}
	return out, nil
}

// portClash: two listeners may share a port only when one has an IPv4 address and the other an IPv6 address.
func portClash(listeners []Listener, shown string) string {
	seen := map[int]bool{}
	for _, l := range listeners {
		if l.Port == 0 || seen[l.Port] {
			continue
		}
		seen[l.Port] = true
		var v4, v6, names int
		for _, o := range listeners {
			if o.Port != l.Port {
				continue
			}
			addr, err := netip.ParseAddr(o.Host)
			switch {
			case err != nil:
				names++
			case addr.Is4():
				v4++
			default:
				v6++
			}
		}
		port := strconv.Itoa(l.Port)
		oneEach := "If you have two listeners on the same port then one needs to be IPv4 and the other IPv6, listeners: " + shown + ", port: " + port
		switch {
		case v4+v6+names < 2:
		case names > 1:
			return "Each listener must have a different port, listeners: " + shown
		case v4+v6 == 2 && (v4 != 1 || names > 0):
			return oneEach
		case v4+v6 == 2:
		default:
			return "Each listener must have a different port unless exactly one listener has an IPv4 address and the other IPv6 address, listeners: " +
				shown + ", port: " + port
		}
	}
	return ""
}
