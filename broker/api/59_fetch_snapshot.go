package api

import "github.com/twmb/franz-go/pkg/kmsg"

// FetchSnapshot, v0-1, controller listener only. A piece of a snapshot of the metadata log (KIP-630). The quorum answers.
//
// Versions:  1 directory id (KIP-853)
// Errors:    SNAPSHOT_NOT_FOUND, POSITION_OUT_OF_RANGE, FENCED_LEADER_EPOCH, NOT_LEADER_OR_FOLLOWER
// Needs:     CLUSTER_ACTION on CLUSTER
// Differs from Kafka: nothing known.
var fetchSnapshot = ofQuorum[kmsg.FetchSnapshotRequest](0, 1)
