package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListPartitionReassignments, v0. Forwarded to the active controller, which knows what is running.
//
// Errors:    the controller's
// Needs:     DESCRIBE on CLUSTER
// Differs from Kafka: nothing known.
var listPartitionReassignments = forwarded[kmsg.ListPartitionReassignmentsRequest, *kmsg.ListPartitionReassignmentsRequest, *kmsg.ListPartitionReassignmentsResponse](0, 0, nil)
