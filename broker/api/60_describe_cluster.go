package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// DescribeCluster, v0-2. The brokers, or on a controller listener the controllers (KIP-919).
//
// Versions:  1 endpoint type · 2 fenced brokers (KIP-1073)
// Errors:    MISMATCHED_ENDPOINT_TYPE, UNSUPPORTED_ENDPOINT_TYPE (INVALID_REQUEST in v0),
// UNSUPPORTED_VERSION on a controller below metadata.version 3.7-IV0
// Needs:     broker: nothing, DESCRIBE on CLUSTER to see operations; controller: ALTER on CLUSTER
// Differs from Kafka: the controller named by a broker is this broker, see Metadata.
var describeCluster = define(0, 2, OnBroker, (*Handlers).describeBrokers).onControllerListener(
	func(d *Dispatcher, c *server.Ctx, req kmsg.Request) server.Answer {
		return server.Reply(d.h.describeControllers(c, req.(*kmsg.DescribeClusterRequest)))
	})

const (
	endpointBroker     int8 = 1
	endpointController int8 = 2
)

func (h *Handlers) describeBrokers(c *server.Ctx, req *kmsg.DescribeClusterRequest) *kmsg.DescribeClusterResponse {
	resp, ok := h.clusterAnswer(req, endpointBroker)
	if !ok {
		return resp
	}
	img := h.Images.Image()
	for b := range img.Brokers.All() {
		e, listens := b.Endpoint(c.Listener)
		if !listens || b.Fenced && !req.IncludeFencedBrokers {
			continue
		}
		node := kmsg.NewDescribeClusterResponseBroker()
		node.NodeID, node.Host, node.Port, node.Rack, node.IsFenced = b.ID, e.Host, int32(e.Port), b.Rack, b.Fenced
		resp.Brokers = append(resp.Brokers, node)
	}
	nameController(resp, h.controllerForClients(img))
	return resp
}

func (h *Handlers) describeControllers(c *server.Ctx, req *kmsg.DescribeClusterRequest) *kmsg.DescribeClusterResponse {
	img := h.Images.Image()
	if img.Level() < metadata.Level3_7_IV0 {
		err := protocol.Errorf(kerr.UnsupportedVersion, "Direct-to-controller communication is not supported with the current MetadataVersion.")
		return errorResponse(req, err).(*kmsg.DescribeClusterResponse)
	}
	resp, ok := h.clusterAnswer(req, endpointController)
	if !ok {
		return resp
	}
	for controller := range img.Controllers.All() {
		for _, e := range controller.Endpoints {
			if e.Name == c.Listener {
				node := kmsg.NewDescribeClusterResponseBroker()
				node.NodeID, node.Host, node.Port = controller.ID, e.Host, int32(e.Port)
				resp.Brokers = append(resp.Brokers, node)
			}
		}
	}
	leader, _, _, _ := h.Quorum.Leader()
	nameController(resp, leader)
	return resp
}

// clusterAnswer checks the endpoint type and fills what both kinds of listener answer alike.
func (h *Handlers) clusterAnswer(req *kmsg.DescribeClusterRequest, expected int8) (resp *kmsg.DescribeClusterResponse, ok bool) {
	names := [...]string{endpointBroker: "BROKER", endpointController: "CONTROLLER"}
	refuse := func(code *kerr.Error, text string) (*kmsg.DescribeClusterResponse, bool) {
		if req.Version == 0 {
			code = kerr.InvalidRequest
		}
		resp := errorResponse(req, protocol.Errorf(code, "%s", text)).(*kmsg.DescribeClusterResponse)
		return resp, false
	}
	asked := req.EndpointType
	if req.Version == 0 {
		asked = endpointBroker
	}
	switch {
	case asked != endpointBroker && asked != endpointController:
		return refuse(kerr.UnsupportedEndpointType, fmt.Sprintf("Unsupported endpoint type %d", asked))
	case asked != expected:
		return refuse(kerr.MismatchedEndpointType, fmt.Sprintf("The request was sent to an endpoint of type %s, but we wanted an endpoint of type %s", names[expected], names[asked]))
	}
	resp = req.ResponseKind().(*kmsg.DescribeClusterResponse)
	resp.ClusterID, resp.EndpointType = h.ClusterID, expected
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOperations
	}
	return resp, true
}

// nameController sets the controller's id if it is among the nodes listed, else -1.
func nameController(resp *kmsg.DescribeClusterResponse, id int32) {
	resp.ControllerID = -1
	for _, n := range resp.Brokers {
		if n.NodeID == id {
			resp.ControllerID = id
		}
	}
}
