package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/metadata"
)

// ListConfigResources, v0-1. What configs can be described of (KIP-1142): groups and client-metrics subscriptions that have
// some, brokers of this listener, topics.
//
// Versions:  0 client-metrics subscriptions only · 1 types of resources, an empty list is all
// Errors:    UNSUPPORTED_VERSION for a type that the version does not have
// Needs:     DESCRIBE_CONFIGS on CLUSTER
// Differs from Kafka: names come sorted.
var listConfigResources = define(0, 1, OnBroker, (*Handlers).listConfigResources)

// listedTypes are the types that can be listed, in the order of the answer.
var listedTypes = []int8{metadata.ConfigGroup, metadata.ConfigClientMetrics, metadata.ConfigBrokerLogger, metadata.ConfigBroker, metadata.ConfigTopic}

func (h *Handlers) listConfigResources(c *server.Ctx, req *kmsg.ListConfigResourcesRequest) *kmsg.ListConfigResourcesResponse {
	resp := req.ResponseKind().(*kmsg.ListConfigResourcesResponse)
	supported := listedTypes
	if req.Version == 0 {
		supported = []int8{metadata.ConfigClientMetrics}
	}
	wanted := req.ResourceTypes
	if len(wanted) == 0 {
		wanted = supported
	}
	for _, kind := range wanted {
		if !slices.Contains(supported, kind) {
			resp.ErrorCode = kerr.UnsupportedVersion.Code
			return resp
		}
	}
	img := h.Images.Image()
	for _, kind := range listedTypes {
		if !slices.Contains(wanted, kind) {
			continue
		}
		for _, name := range resourceNames(img, kind, c.Listener) {
			resp.ConfigResources = append(resp.ConfigResources, kmsg.ListConfigResourcesResponseConfigResource{Name: name, Type: kind})
		}
	}
	return resp
}

func resourceNames(img *metadata.Image, kind int8, listener string) (names []string) {
	switch kind {
	case metadata.ConfigTopic:
		for _, t := range img.Topics.Sorted() {
			names = append(names, t.Name)
		}
	case metadata.ConfigBroker, metadata.ConfigBrokerLogger:
		for b := range img.Brokers.All() {
			if _, ok := b.Endpoint(listener); ok {
				names = append(names, itoa(b.ID))
			}
		}
	default:
		for r, configs := range img.Configs.All() {
			if r.Type == kind && len(configs) > 0 {
				names = append(names, r.Name)
			}
		}
	}
	return names
}
