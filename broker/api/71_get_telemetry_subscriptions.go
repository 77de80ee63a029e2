package api

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/protocol"
)

// GetTelemetrySubscriptions, v0. Answered with "no metrics wanted", not advertised: Java clients from 3.7 and
// franz-go ask anyway and complain on every poll when they are refused (KIP-714, protocol Q10).
//
// Errors:    none
// Needs:     nothing
// Differs from Kafka: nothing is ever subscribed.
var getTelemetrySubscriptions = define(0, 0, OnBroker, (*Handlers).getTelemetrySubscriptions).unadvertised()

const (
	telemetryPushIntervalMs = 300_000
	telemetryMaxBytes       = 1 << 20
)

func (h *Handlers) getTelemetrySubscriptions(_ *server.Ctx, req *kmsg.GetTelemetrySubscriptionsRequest) *kmsg.GetTelemetrySubscriptionsResponse {
	resp := req.ResponseKind().(*kmsg.GetTelemetrySubscriptionsResponse)
	id := protocol.UUID(req.ClientInstanceID)
	if id.IsZero() {
		if h.Rand != nil {
			id = h.Rand.UUID()
		} else {
			id = protocol.RandomUUID(rand.New(rand.NewPCG(1, uint64(h.NodeID))))
		}
	}
	resp.ClientInstanceID = id
	resp.SubscriptionID = int32(binary.BigEndian.Uint32(id[12:])) // any number that stays while the subscription does
	resp.AcceptedCompressionTypes = []int8{4, 3, 1, 2}            // zstd, lz4, gzip, snappy, by preference
	resp.PushIntervalMillis, resp.TelemetryMaxBytes, resp.DeltaTemporality = telemetryPushIntervalMs, telemetryMaxBytes, true
	return resp
}
