package controller

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
)

// DescribeCluster answers for the controller listener (key 60, KIP-919): the registered controllers at their first
// endpoint on that listener. leader is the active controller.
func DescribeCluster(img *metadata.Image, cluster string, leader int32, listener string, req *kmsg.DescribeClusterRequest) *kmsg.DescribeClusterResponse {
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	resp.EndpointType = 2
	resp.ClusterAuthorizedOperations = -2147483648
	resp.Brokers = []kmsg.DescribeClusterResponseBroker{}
	resp.ControllerID = -1
	if req.EndpointType != 2 {
		err := refuse(kerr.MismatchedEndpointType, "The request was sent to an endpoint of type CONTROLLER, but we wanted an endpoint of type BROKER")
		if req.EndpointType != 1 {
			err = refuse(kerr.UnsupportedEndpointType, "Unsupported endpoint type %d", req.EndpointType)
		}
		if req.Version == 0 {
			err.code = kerr.InvalidRequest // version 0 does not know the other codes
		}
		err.on(&resp.ErrorCode, &resp.ErrorMessage)
		resp.EndpointType = 1
		return resp
	}
	resp.ClusterID = cluster
	for c := range img.Controllers.All() {
		for _, e := range c.Endpoints {
			if e.Name == listener {
				n := kmsg.NewDescribeClusterResponseBroker()
				n.NodeID, n.Host, n.Port = c.ID, e.Host, int32(e.Port)
				resp.Brokers = append(resp.Brokers, n)
				if c.ID == leader {
					resp.ControllerID = leader // only one that is listed is named
				}
			}
		}
	}
	return resp
}

// ListPartitionReassignments answers which partitions are being moved (key 46, KIP-455).
func ListPartitionReassignments(img *metadata.Image, req *kmsg.ListPartitionReassignmentsRequest) *kmsg.ListPartitionReassignmentsResponse {
	resp := req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	resp.Topics = []kmsg.ListPartitionReassignmentsResponseTopic{}
	one := func(t *metadata.Topic, indexes []int32) {
		out := kmsg.NewListPartitionReassignmentsResponseTopic()
		out.Topic = t.Name
		for _, i := range indexes {
			p := t.Partition(i)
			if p == nil || !p.Reassigning() {
				continue
			}
			o := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
			o.Partition, o.Replicas, o.AddingReplicas, o.RemovingReplicas = i, p.Replicas, p.AddingReplicas, p.RemovingReplicas
			out.Partitions = append(out.Partitions, o)
		}
		if len(out.Partitions) > 0 {
			resp.Topics = append(resp.Topics, out)
		}
	}
	if req.Topics == nil {
		for _, t := range img.Topics.Sorted() {
			all := make([]int32, len(t.Partitions))
			for i := range all {
				all[i] = int32(i)
			}
			one(t, all)
		}
		return resp
	}
	for _, r := range req.Topics {
		if t := img.Topics.ByName(r.Topic); t != nil {
			one(t, r.Partitions)
		}
	}
	return resp
}
