package api

import (
	"fmt"
	"net"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/peer"
	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/protocol"
)

// Envelope, v0, controller listener only. A client's request that a broker passes on, with who sent it
// (KIP-590).
//
// Errors:    NOT_CONTROLLER (the sender looks for the active one), UNSUPPORTED_VERSION (the request inside
// cannot be read), INVALID_REQUEST (it may not be forwarded, or the address is none),
// PRINCIPAL_DESERIALIZATION_FAILURE
// Needs:     CLUSTER_ACTION on CLUSTER; what is inside needs its own rights
// Differs from Kafka: nothing known.
var envelope = defineTable(0, 0, OnController, (*Dispatcher).openEnvelope)

func (d *Dispatcher) openEnvelope(c *server.Ctx, req *kmsg.EnvelopeRequest) *kmsg.EnvelopeResponse {
	resp := req.ResponseKind().(*kmsg.EnvelopeResponse)
	answer, err := d.insideEnvelope(c, req)
	if err != nil {
		resp.ErrorCode = protocol.CodeOf(err)
		return resp
	}
	resp.ResponseData = answer
	return resp
}

// insideEnvelope answers the request inside; the bytes are its response header and body.
func (d *Dispatcher) insideEnvelope(c *server.Ctx, req *kmsg.EnvelopeRequest) ([]byte, error) {
	principal, err := decodePrincipal(req.RequestPrincipal)
	if err != nil {
		return nil, err
	}
	if n := len(req.ClientHostAddress); n != net.IPv4len && n != net.IPv6len {
		return nil, kerr.InvalidRequest
	}
	client := &net.TCPAddr{IP: append(net.IP(nil), req.ClientHostAddress...)}
	header, body, err := protocol.ParseRequestHeader(req.RequestData)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", kerr.UnsupportedVersion, err)
	}
	if !d.forwarded[header.Key] {
		return nil, kerr.InvalidRequest
	}
	row, ok := d.Lookup(header.Key, true)
	if !ok || header.Version < row.Min || header.Version > row.Max {
		return nil, kerr.UnsupportedVersion
	}
	cost, err := protocol.RequestCost(header, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", kerr.UnsupportedVersion, err)
	}
	if err := c.Reserve(cost); err != nil {
		return nil, err
	}
	inner, err := protocol.DecodeChecked(header, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", kerr.UnsupportedVersion, err)
	}
	sender := c.WithPrincipal(header, principal, client)
	sender.Conn = nil // a session never hangs on a connection that forwards
	answer := row.Handle(sender, inner)
	resp := answer.Response()
	if resp == nil {
		return nil, kerr.InvalidRequest
	}
	if peer.HasErrorCode(resp, kerr.NotController.Code) {
		return nil, kerr.NotController
	}
	return protocol.AppendResponse(nil, header.CorrelationID, resp)[4:], nil
}
