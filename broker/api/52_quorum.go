package api

import "github.com/twmb/franz-go/pkg/kmsg"

// The quorum's own requests, controller listener only: Vote (52), BeginQuorumEpoch (53), EndQuorumEpoch (54)
// and FetchSnapshot (59); Fetch (1) and DescribeQuorum (55) stand in files of their own. The quorum answers
// all of them, see package quorum (KIP-595, 630, 853, 996).
//
// Needs:     CLUSTER_ACTION on CLUSTER
// Differs from Kafka: nothing known.
var (
	vote             = ofQuorum[kmsg.VoteRequest](0, 2)
	beginQuorumEpoch = ofQuorum[kmsg.BeginQuorumEpochRequest](0, 1)
	endQuorumEpoch   = ofQuorum[kmsg.EndQuorumEpochRequest](0, 1)
	fetchSnapshot    = ofQuorum[kmsg.FetchSnapshotRequest](0, 1)
)
