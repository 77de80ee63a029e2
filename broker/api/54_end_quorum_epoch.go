package api

import "github.com/twmb/franz-go/pkg/kmsg"

// EndQuorumEpoch, v0-1, controller listener only. A leader that goes says who may stand first. The quorum answers.
//
// Versions:  1 preferred candidates, leader endpoints (KIP-853)
// Errors:    INCONSISTENT_CLUSTER_ID, FENCED_LEADER_EPOCH
// Needs:     CLUSTER_ACTION on CLUSTER
// Differs from Kafka: nothing known.
var endQuorumEpoch = ofQuorum[kmsg.EndQuorumEpochRequest](0, 1)
