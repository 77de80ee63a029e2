package api

import "github.com/twmb/franz-go/pkg/kmsg"

// UnregisterBroker, v0. Forgets a broker that is gone; forwarded to the active controller.
//
// Errors:    the controller's
// Needs:     ALTER on CLUSTER
// Differs from Kafka: nothing known.
var unregisterBroker = forwarded[kmsg.UnregisterBrokerRequest, *kmsg.UnregisterBrokerRequest, *kmsg.UnregisterBrokerResponse](0, 0, nil)
