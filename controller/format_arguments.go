package controller

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/protocol"
)

// parseFeatures reads name=level arguments.
func parseFeatures(args []string) (map[string]int16, error) {
	levels := map[string]int16{}
	for _, arg := range args {
		name, text, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, fmt.Errorf("Can't parse feature=level string %s: equals sign not found.", arg)
		}
		text = strings.TrimSpace(text)
		level, err := strconv.ParseInt(text, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("Can't parse feature=level string %s: unable to parse %s as a short.", arg, text)
		}
		levels[strings.TrimSpace(name)] = int16(level)
	}
	return levels, nil
}

// parseVoters reads id@host:port:directory entries, separated by commas; an IPv6 host stands in brackets.
func parseVoters(text, listener string) ([]quorum.Voter, error) {
	var voters []quorum.Voter
	for _, entry := range strings.Split(strings.TrimSpace(text), ",") {
		if entry == "" {
			continue
		}
		v, err := parseVoter(strings.TrimSpace(entry), listener)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(voters, func(o quorum.Voter) bool { return o.ID == v.ID }) {
			return nil, fmt.Errorf("Node id %d was specified more than once.", v.ID)
		}
		voters = append(voters, v)
	}
	if len(voters) == 0 {
		return nil, errors.New("No voters given.")
	}
	slices.SortFunc(voters, func(a, b quorum.Voter) int { return int(a.ID) - int(b.ID) })
	return voters, nil
}

func parseVoter(s, listener string) (v quorum.Voter, err error) {
	idText, rest, ok := strings.Cut(s, "@")
	switch {
	case !ok:
		return v, errors.New("No @ found in dynamic voter string.")
	case idText == "":
		return v, errors.New("Invalid @ at beginning of dynamic voter string.")
	}
	id, err := strconv.ParseInt(idText, 10, 32)
	switch {
	case err != nil:
		return v, errors.New("Failed to parse node id in dynamic voter string.")
	case id < 0:
		return v, fmt.Errorf("Invalid negative node id %d in dynamic voter string.", id)
	case rest == "":
		return v, errors.New("No hostname found after node id.")
	}
	var host string
	if inner, ok := strings.CutPrefix(rest, "["); ok {
		if host, rest, ok = strings.Cut(inner, "]"); !ok {
			return v, errors.New("Hostname began with left bracket, but no right bracket was found.")
		}
	} else {
		at := strings.IndexByte(rest, ':')
		if at < 0 {
			return v, errors.New("No colon following hostname could be found.")
		}
		host, rest = rest[:at], rest[at:]
	}
	if rest, ok = strings.CutPrefix(rest, ":"); !ok {
		return v, errors.New("Port section must start with a colon.")
	}
	portText, dirText, ok := strings.Cut(rest, ":")
	if !ok {
		return v, errors.New("No colon following port could be found.")
	}
	port, err := strconv.ParseInt(portText, 10, 32)
	switch {
	case err != nil:
		return v, errors.New("Failed to parse port in dynamic voter string.")
	case port < 0 || port > 65535:
		return v, fmt.Errorf("Invalid port %d in dynamic voter string.", port)
	}
	dir, err := protocol.ParseUUID(dirText)
	if err != nil {
		return v, errors.New("Failed to parse directory ID in dynamic voter string.")
	}
	return quorum.Voter{ID: int32(id), DirectoryID: dir, MinVersion: 0, MaxVersion: 1,
		Endpoints: []quorum.Endpoint{{Name: listener, Host: javaHost(host), Port: uint16(port)}}}, nil
}

// javaHost writes an IPv6 address as Java does, every group named; other hosts stay as they are.
func javaHost(host string) string {
	a, err := netip.ParseAddr(host)
	if err != nil || !a.Is6() || a.Is4In6() {
		return host
	}
	b := a.As16()
	groups := make([]string, 8)
	for i := range groups {
		groups[i] = strconv.FormatUint(uint64(b[2*i])<<8|uint64(b[2*i+1]), 16)
	}
	return strings.Join(groups, ":")
}
