package api

import "github.com/twmb/franz-go/pkg/kmsg"

// ControllerRegistration, v0, controller listener only. A controller says where it listens and what it supports (KIP-919). The controller decides.
//
// Errors:    NOT_CONTROLLER
// Needs:     CLUSTER_ACTION on CLUSTER
// Differs from Kafka: nothing known.
var controllerRegistration = decided[kmsg.ControllerRegistrationRequest](0, 0)
