package api

import "github.com/twmb/franz-go/pkg/kmsg"

// BrokerRegistration, v0-4, controller listener only. A starting broker names itself (KIP-631). The controller decides.
//
// Versions:  2 log dirs (KIP-858) · 3 previous broker epoch (KIP-966) · 4 features may have minimum 0
// Errors:    NOT_CONTROLLER, DUPLICATE_BROKER_REGISTRATION, INCONSISTENT_CLUSTER_ID, INVALID_REGISTRATION, UNSUPPORTED_VERSION
// Needs:     CLUSTER_ACTION on CLUSTER
// Differs from Kafka: see package controller: a connection that is reset fences its broker at once.
var brokerRegistration = decided[kmsg.BrokerRegistrationRequest](0, 4)
