package api

import "github.com/twmb/franz-go/pkg/kmsg"

// UpdateFeatures, v0-2. Changes finalized feature levels (KIP-584, 778, 1022); forwarded to the active
// controller.
//
// Versions:  1 validate-only, upgrade type · 2 no results per feature
// Errors:    the controller's
// Needs:     ALTER on CLUSTER
// Differs from Kafka: nothing known.
var updateFeatures = forwarded[kmsg.UpdateFeaturesRequest, *kmsg.UpdateFeaturesRequest, *kmsg.UpdateFeaturesResponse](0, 2, nil)
