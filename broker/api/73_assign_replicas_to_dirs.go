package api

import "github.com/twmb/franz-go/pkg/kmsg"

// AssignReplicasToDirs, v0, controller listener only. A broker says in which directory its replicas lie (KIP-858). The controller decides.
//
// Errors:    NOT_CONTROLLER, STALE_BROKER_EPOCH, UNKNOWN_TOPIC_ID
// Needs:     CLUSTER_ACTION on CLUSTER
// Differs from Kafka: nothing known.
var assignReplicasToDirs = decided[kmsg.AssignReplicasToDirsRequest](0, 0)
