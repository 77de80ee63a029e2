package api

import "github.com/twmb/franz-go/pkg/kmsg"

// Vote, v0-2, controller listener only. A candidate, or one that would like to be, asks for a vote. The quorum answers.
//
// Versions:  1 voter key and directory id (KIP-853) · 2 pre-vote (KIP-996)
// Errors:    INCONSISTENT_CLUSTER_ID, INVALID_VOTER_KEY, FENCED_LEADER_EPOCH, INVALID_REQUEST
// Needs:     CLUSTER_ACTION on CLUSTER
// Differs from Kafka: nothing known.
var vote = ofQuorum[kmsg.VoteRequest](0, 2)
