package api

import "github.com/twmb/franz-go/pkg/kmsg"

// IncrementalAlterConfigs, v0-1. Sets, deletes, appends, subtracts (KIP-339); forwarded to the active
// controller.
//
// Versions:  1 flexible
// Errors:    the controller's
// Needs:     ALTER_CONFIGS on TOPIC, GROUP or CLUSTER
// Differs from Kafka: levels of loggers cannot be set, INVALID_REQUEST.
var incrementalAlterConfigs = forwarded[kmsg.IncrementalAlterConfigsRequest, *kmsg.IncrementalAlterConfigsRequest, *kmsg.IncrementalAlterConfigsResponse](0, 1, nil)
