package api

import "github.com/twmb/franz-go/pkg/kmsg"

// AlterPartition, v2-3, controller listener only. A leader asks for another ISR (KIP-497). The controller decides.
//
// Versions:  2 topic id · 3 ISR with broker epochs (KIP-903)
// Errors:    NOT_CONTROLLER, STALE_BROKER_EPOCH, UNKNOWN_TOPIC_ID, FENCED_LEADER_EPOCH, INVALID_UPDATE_VERSION, INELIGIBLE_REPLICA
// Needs:     CLUSTER_ACTION on CLUSTER
// Differs from Kafka: nothing known.
var alterPartition = decided[kmsg.AlterPartitionRequest](2, 3)
