package api

import "github.com/twmb/franz-go/pkg/kmsg"

// BrokerHeartbeat, v0-2, controller listener only. A broker lives, wants to be unfenced, or wants to go (KIP-631). The controller decides.
//
// Versions:  1 offline dirs (KIP-858) · 2 cordoned dirs (KIP-1066)
// Errors:    NOT_CONTROLLER, STALE_BROKER_EPOCH, BROKER_ID_NOT_REGISTERED
// Needs:     CLUSTER_ACTION on CLUSTER
// Differs from Kafka: see package controller: a connection that is reset fences its broker at once.
var brokerHeartbeat = decided[kmsg.BrokerHeartbeatRequest](0, 2)
