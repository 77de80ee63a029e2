package api

import "github.com/twmb/franz-go/pkg/kmsg"

// AlterConfigs, v0-2. Replaces all configs of a resource; forwarded to the active controller.
//
// Versions:  2 flexible
// Errors:    the controller's
// Needs:     ALTER_CONFIGS on TOPIC, GROUP or CLUSTER
// Differs from Kafka: levels of loggers cannot be set, INVALID_REQUEST.
var alterConfigs = forwarded[kmsg.AlterConfigsRequest, *kmsg.AlterConfigsRequest, *kmsg.AlterConfigsResponse](0, 2, nil)
