package api

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
)

func TestListConfigResources(t *testing.T) {
	value := "45000"
	records := append(topicRecords("plain"),
		&metadata.ConfigRecord{ResourceType: metadata.ConfigGroup, ResourceName: "g2", Name: "consumer.session.timeout.ms", Value: &value},
		&metadata.ConfigRecord{ResourceType: metadata.ConfigGroup, ResourceName: "g1", Name: "consumer.session.timeout.ms", Value: &value},
		&metadata.ConfigRecord{ResourceType: metadata.ConfigClientMetrics, ResourceName: "sub", Name: "interval.ms", Value: &value})
	d := pictured(t, nil, records...)
	list := func(version int16, kinds ...int8) (int16, []string) {
		req := kmsg.NewPtrListConfigResourcesRequest()
		req.Version, req.ResourceTypes = version, kinds
		resp := put[*kmsg.ListConfigResourcesResponse](t, d, "PLAINTEXT", false, req)
		var out []string
		for _, r := range resp.ConfigResources {
			out = append(out, fmt.Sprint(r.Type, " ", r.Name))
		}
		return resp.ErrorCode, out
	}
	_, names := list(0)
	assert.Equal(t, []string{"16 sub"}, names)
	_, names = list(1)
	assert.Equal(t, []string{"32 g1", "32 g2", "16 sub", "8 1", "8 2", "8 3", "4 1", "4 2", "4 3", "2 plain"}, names, "brokers of this listener, fenced ones too")
	_, names = list(1, metadata.ConfigTopic, metadata.ConfigGroup)
	assert.Equal(t, []string{"32 g1", "32 g2", "2 plain"}, names)
	code, names := list(1, metadata.ConfigTopic, 1)
	assert.Equal(t, kerr.UnsupportedVersion.Code, code)
	assert.Empty(t, names)
}
