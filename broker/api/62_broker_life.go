package api

import "github.com/twmb/franz-go/pkg/kmsg"

// What brokers and controllers ask of the active controller, controller listener only: AlterPartition (56),
// BrokerRegistration (62), BrokerHeartbeat (63), AllocateProducerIds (67), ControllerRegistration (70) and
// AssignReplicasToDirs (73). The controller decides all of them, see package controller (KIP-497, 631, 730,
// 858, 919).
//
// Needs:     CLUSTER_ACTION on CLUSTER
// Differs from Kafka: see package controller, for registration above all.
var (
	alterPartition         = decided[kmsg.AlterPartitionRequest](2, 3)
	brokerRegistration     = decided[kmsg.BrokerRegistrationRequest](0, 4)
	brokerHeartbeat        = decided[kmsg.BrokerHeartbeatRequest](0, 2)
	allocateProducerIDs    = decided[kmsg.AllocateProducerIDsRequest](0, 0)
	controllerRegistration = decided[kmsg.ControllerRegistrationRequest](0, 0)
	assignReplicasToDirs   = decided[kmsg.AssignReplicasToDirsRequest](0, 0)
)
