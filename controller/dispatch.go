package controller

import "github.com/twmb/franz-go/pkg/kmsg"

// decides reports whether a request is the controller's to decide.
func decides(req kmsg.Request) bool {
	switch req.(type) {
	case *kmsg.CreateTopicsRequest, *kmsg.DeleteTopicsRequest, *kmsg.AlterConfigsRequest, *kmsg.CreatePartitionsRequest,
		*kmsg.ElectLeadersRequest, *kmsg.IncrementalAlterConfigsRequest, *kmsg.ListPartitionReassignmentsRequest,
		*kmsg.AlterPartitionRequest, *kmsg.UpdateFeaturesRequest, *kmsg.BrokerRegistrationRequest, *kmsg.BrokerHeartbeatRequest,
		*kmsg.UnregisterBrokerRequest, *kmsg.AllocateProducerIDsRequest, *kmsg.ControllerRegistrationRequest,
		*kmsg.AssignReplicasToDirsRequest:
		return true
	}
	return false
}

// decide runs the decision for a request that decides accepts.
func decide(s *State, call Call, req kmsg.Request) Decision {
	switch r := req.(type) {
	case *kmsg.CreateTopicsRequest:
		return CreateTopics(s, call, r)
	case *kmsg.DeleteTopicsRequest:
		return DeleteTopics(s, call, r)
	case *kmsg.AlterConfigsRequest:
		return AlterConfigs(s, call, r)
	case *kmsg.CreatePartitionsRequest:
		return CreatePartitions(s, call, r)
	case *kmsg.ElectLeadersRequest:
		return ElectLeaders(s, r)
	case *kmsg.IncrementalAlterConfigsRequest:
		return IncrementalAlterConfigs(s, call, r)
	case *kmsg.ListPartitionReassignmentsRequest:
		return Decision{Reply: ListPartitionReassignments(s.Image, r)}
	case *kmsg.AlterPartitionRequest:
		return AlterPartition(s, r)
	case *kmsg.UpdateFeaturesRequest:
		return UpdateFeatures(s, r)
	case *kmsg.BrokerRegistrationRequest:
		return RegisterBroker(s, call, r)
	case *kmsg.BrokerHeartbeatRequest:
		return Heartbeat(s, call, r)
	case *kmsg.UnregisterBrokerRequest:
		return UnregisterBroker(s, r)
	case *kmsg.AllocateProducerIDsRequest:
		return AllocateProducerIDs(s, r)
	case *kmsg.ControllerRegistrationRequest:
		return RegisterController(s, r)
	case *kmsg.AssignReplicasToDirsRequest:
		return AssignReplicasToDirs(s, r)
	}
	return Decision{}
}
