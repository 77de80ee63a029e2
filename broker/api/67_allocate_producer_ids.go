package api

import "github.com/twmb/franz-go/pkg/kmsg"

// AllocateProducerIds, v0, controller listener only. A block of producer ids for one broker (KIP-730). The controller decides.
//
// Errors:    NOT_CONTROLLER, STALE_BROKER_EPOCH
// Needs:     CLUSTER_ACTION on CLUSTER
// Differs from Kafka: nothing known.
var allocateProducerIDs = decided[kmsg.AllocateProducerIDsRequest](0, 0)
