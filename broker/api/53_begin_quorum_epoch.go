package api

import "github.com/twmb/franz-go/pkg/kmsg"

// BeginQuorumEpoch, v0-1, controller listener only. A new leader tells its voters. The quorum answers.
//
// Versions:  1 voter key, leader endpoints (KIP-853)
// Errors:    INCONSISTENT_CLUSTER_ID, FENCED_LEADER_EPOCH, INVALID_VOTER_KEY
// Needs:     CLUSTER_ACTION on CLUSTER
// Differs from Kafka: nothing known.
var beginQuorumEpoch = ofQuorum[kmsg.BeginQuorumEpochRequest](0, 1)
