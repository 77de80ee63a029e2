package api

import (
	"encoding/binary"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol"
)

// What an Envelope says of the first sender: his principal in Kafka's DefaultPrincipalData, version 0, with
// the version in front, and his address as 4 or 16 bytes.
//
//	version int16 = 0 | type compact string | name compact string | token authenticated bool | tags

// encodePrincipal encodes "User:alice".
func encodePrincipal(principal string) []byte {
	kind, name, _ := strings.Cut(principal, ":")
	b := binary.BigEndian.AppendUint16(nil, 0)
	b = protocol.AppendText(b, kind, true)
	b = protocol.AppendText(b, name, true)
	return append(b, 0, 0)
}

// decodePrincipal is the reverse; anything else is PRINCIPAL_DESERIALIZATION_FAILURE.
func decodePrincipal(b []byte) (string, error) {
	r := protocol.NewReader(b)
	version := r.Int16()
	kind := r.NullableText(true)
	name := r.NullableText(true)
	r.Int8()
	r.SkipTags()
	if r.Err() != nil || version != 0 || kind == nil || name == nil {
		return "", kerr.PrincipalDeserializationFailure
	}
	return *kind + ":" + *name, nil
}

// addressBytes is the IP of a peer, 4 bytes where it has that form; loopback for an address that has none.
func addressBytes(a net.Addr) []byte {
	ip := ipOf(a)
	if four := ip.To4(); four != nil {
		return four
	}
	return ip
}

func ipOf(a net.Addr) net.IP {
	if a != nil {
		if tcp, ok := a.(*net.TCPAddr); ok && len(tcp.IP) > 0 {
			return tcp.IP
		}
		if host, _, err := net.SplitHostPort(a.String()); err == nil {
			if ip := net.ParseIP(host); ip != nil {
				return ip
			}
		}
	}
	return net.IPv4(127, 0, 0, 1)
}
