package api

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The broker refuses what its own configuration forbids; the rest goes on, and the answers keep the request's order.
func TestAlterConfigsOfBrokersAreCheckedBeforeTheyAreForwarded(t *testing.T) {
	var forwarded []string
	d, _ := forwarding(t, func(req kmsg.Request) (kmsg.Response, error) {
		resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
		for _, r := range req.(*kmsg.IncrementalAlterConfigsRequest).Resources {
			forwarded = append(forwarded, r.ResourceName)
			out := kmsg.NewIncrementalAlterConfigsResponseResource()
			out.ResourceType, out.ResourceName = r.ResourceType, r.ResourceName
			resp.Resources = append(resp.Resources, out)
		}
		return resp, nil
	})
	type ask struct {
		kind      kmsg.ConfigResourceType
		name, key string
		value     string
		op        kmsg.IncrementalAlterConfigOp
		code      int16
		message   string
	}
	const topic, broker = kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker
	own := itoa(d.h.NodeID)
	asks := []ask{
		{topic, "orders", "no.such.key", "1", 0, 0, ""}, // the controller's business
		{broker, own, "log.dirs", "/x", 0, kerr.InvalidRequest.Code, "Cannot update these configs dynamically: [log.dirs]"},
		{broker, own, "log.retention.ms", "5000", 0, 0, ""},
		{broker, "", "log.retention.ms", "abc", 0, kerr.InvalidRequest.Code, "Invalid value abc for configuration log.retention.ms: Not a number of type LONG"},
		{broker, "77", "log.retention.ms", "5000", 0, kerr.InvalidRequest.Code, "Unexpected broker id, expected " + own + ", but received 77"},
		{broker, "x", "log.retention.ms", "5000", 0, kerr.InvalidRequest.Code, "Node id must be an integer, but it is: x"},
		{broker, own, "log.retention.ms", "5000", kmsg.IncrementalAlterConfigOpAppend, kerr.InvalidConfig.Code, "Config value append is not allowed for config key: log.retention.ms"},
		{broker, own, "log.cleanup.policy", "compact", kmsg.IncrementalAlterConfigOpAppend, 0, ""},
		{99, "x", "a", "b", 0, kerr.InvalidRequest.Code, "Unknown resource type 99"},
	}
	for i, a := range asks {
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		req.Version = 1
		for _, which := range []ask{a, {topic, "beside", "retention.ms", "1", 0, 0, ""}} {
			res := kmsg.NewIncrementalAlterConfigsRequestResource()
			res.ResourceType, res.ResourceName = which.kind, which.name
			c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
			c.Name, c.Value, c.Op = which.key, &which.value, which.op
			res.Configs = append(res.Configs, c)
			req.Resources = append(req.Resources, res)
		}
		forwarded = nil
		resp := aliceAsks(d, req).Response().(*kmsg.IncrementalAlterConfigsResponse)
		require.Len(t, resp.Resources, 2)
		got := resp.Resources[0]
		assert.Equal(t, a.code, got.ErrorCode, "%d: %v", i, got.ErrorMessage)
		assert.Equal(t, a.name, got.ResourceName)
		if a.code == 0 {
			assert.Equal(t, []string{a.name, "beside"}, forwarded)
		} else {
			assert.Equal(t, []string{"beside"}, forwarded)
			assert.Equal(t, a.message, *got.ErrorMessage)
		}
		assert.Zero(t, resp.Resources[1].ErrorCode)
	}
}

func TestAlterConfigsNamesEachResourceAndKeyOnce(t *testing.T) {
	d, _ := forwarding(t, func(kmsg.Request) (kmsg.Response, error) {
		t.Error("nothing may be forwarded")
		return nil, kerr.UnknownServerError
	})
	value := "1"
	key := kmsg.AlterConfigsRequestResourceConfig{Name: "retention.ms", Value: &value}
	req := kmsg.NewPtrAlterConfigsRequest()
	req.Version = 2
	req.Resources = []kmsg.AlterConfigsRequestResource{
		{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "twice", Configs: []kmsg.AlterConfigsRequestResourceConfig{key}},
		{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "twice", Configs: []kmsg.AlterConfigsRequestResourceConfig{key}},
		{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "keys", Configs: []kmsg.AlterConfigsRequestResourceConfig{key, key}},
		{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "null", Configs: []kmsg.AlterConfigsRequestResourceConfig{{Name: "retention.ms"}}},
	}
	resp := aliceAsks(d, req).Response().(*kmsg.AlterConfigsResponse)
	require.Len(t, resp.Resources, 4)
	for i, want := range []string{"Each resource must appear at most once.", "Each resource must appear at most once.",
		"Error due to duplicate config keys", "Null value not supported for : retention.ms"} {
		assert.Equal(t, kerr.InvalidRequest.Code, resp.Resources[i].ErrorCode)
		assert.Equal(t, want, *resp.Resources[i].ErrorMessage)
	}
}
