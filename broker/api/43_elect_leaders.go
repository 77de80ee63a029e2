package api

import "github.com/twmb/franz-go/pkg/kmsg"

// ElectLeaders, v0-2. Preferred or unclean elections on request (KIP-460); forwarded to the active controller.
//
// Versions:  1 election type · 2 flexible
// Errors:    the controller's
// Needs:     ALTER on CLUSTER
// Differs from Kafka: nothing known.
var electLeaders = forwarded[kmsg.ElectLeadersRequest, *kmsg.ElectLeadersRequest, *kmsg.ElectLeadersResponse](0, 2, nil)
