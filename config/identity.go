package config

import (
	"regexp"
	"strconv"
	"strings"
)

// Roles are what a node does in the cluster; one of them at least.
type Roles struct{ Broker, Controller bool }

// Voter is one entry of controller.quorum.voters: a static member of the quorum (kraft.version 0).
type Voter struct {
	ID   int32
	Host string
	Port int
}

// HostPort is an address to connect to.
type HostPort struct {
	Host string
	Port int
}

// Roles answers process.roles.
func (f *File) Roles() Roles {
	var r Roles
	for _, s := range ProcessRoles.Get(f) {
		r.Broker = r.Broker || s == "broker"
		r.Controller = r.Controller || s == "controller"
	}
	return r
}

// NodeID answers node.id.
func (f *File) NodeID() int32 { return NodeID.Get(f) }

// LogDirs are log.dirs, or log.dir where that is not set.
func (f *File) LogDirs() []string {
	if dirs, ok := LogDirs.Find(f); ok {
		return dirs
	}
	return LogDir.Get(f)
}

// MetadataDir is where the metadata log lives: metadata.log.dir, else the first log dir.
func (f *File) MetadataDir() string {
	if dir, ok := MetadataLogDir.Find(f); ok {
		return dir
	}
	return f.LogDirs()[0]
}

// QuorumVoters are the static voters. Empty with a dynamic quorum.
func (f *File) QuorumVoters() []Voter {
	voters, _ := parseVoters(ControllerQuorumVoters.Get(f), true)
	return voters
}

// BootstrapServers are the controllers to ask first for the quorum's leader.
func (f *File) BootstrapServers() []HostPort {
	servers, _ := parseBootstrap(ControllerQuorumBootstrapServers.Get(f))
	return servers
}

// hostPort is Kafka's pattern of an address: optional scheme, optional brackets around an IPv6 host.
var hostPort = regexp.MustCompile(`^(?:[0-9a-zA-Z\-%._]*://)?\[?([0-9a-zA-Z\-%._:]*)\]?:([0-9]+)$`)

func parseHostPort(s string) (host, port string, ok bool) {
	m := hostPort.FindStringSubmatch(s)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// parseVoters reads id@host:port entries. The wildcard address is refused unless it is allowed.
func parseVoters(list []string, allowWildcard bool) ([]Voter, error) {
	const key = "controller.quorum.voters"
	const form = ". Each entry should be in the form `{id}@{host}:{port}`."
	var out []Voter
	for _, s := range list {
		parts := strings.Split(strings.TrimRight(s, "@"), "@")
		if len(parts) != 2 {
			return nil, invalid("Invalid configuration value for " + key + form)
		}
		id, err := strconv.ParseInt(parts[0], 10, 32)
		if err != nil {
			return nil, invalid("Failed to parse voter ID as an integer from " + parts[0])
		}
		host, portText, ok := parseHostPort(parts[1])
		if !ok {
			return nil, invalid("Failed to parse host name from entry " + s + " for the configuration " + key + form)
		}
		port, err := parsePort(portText)
		if err != nil {
			return nil, err
		}
		if host == "0.0.0.0" && !allowWildcard {
			return nil, invalid("Host string (" + host + ") is not routeable")
		}
		out = append(out, Voter{int32(id), host, port})
	}
	return out, nil
}

func parseBootstrap(list []string) ([]HostPort, error) {
	var out []HostPort
	for _, s := range list {
		host, portText, ok := parseHostPort(s)
		if !ok {
			return nil, invalid("Failed to parse host name from " + s +
				" for the configuration controller.quorum.bootstrap.servers. Each entry should be in the form \"{host}:{port}\"")
		}
		port, err := parsePort(portText)
		if err != nil {
			return nil, err
		}
		out = append(out, HostPort{host, port})
	}
	return out, nil
}

func parsePort(s string) (int, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return 0, invalid("For input string: \"" + s + "\"")
	}
	if n > 65535 {
		return 0, invalid("port out of range:" + s)
	}
	return int(n), nil
}
