package api

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
)

func versionsRequest(v int16) *kmsg.ApiVersionsRequest {
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion, req.NodeID = v, "test-client", "1.2.3", -1
	return req
}

func TestApiVersionsListsWhatTheListenerServes(t *testing.T) {
	d := pictured(t, nil)
	for _, controller := range []bool{false, true} {
		resp := put[*kmsg.ApiVersionsResponse](t, d, "X", controller, versionsRequest(4))
		got := map[int16][2]int16{}
		for _, k := range resp.ApiKeys {
			got[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
			_, ok := d.Lookup(k.ApiKey, controller)
			assert.True(t, ok, "%d is advertised and not served", k.ApiKey)
		}
		for _, a := range Table {
			if _, served := d.Lookup(a.Key, controller); served && a.Key != 71 {
				assert.Contains(t, got, a.Key)
			}
		}
		assert.NotContains(t, got, int16(71))
		if !controller {
			assert.Equal(t, [2]int16{0, 13}, got[0], "Produce is shown from 0 (KAFKA-18659)")
			assert.Equal(t, [2]int16{4, 18}, got[1])
		}
	}
}

func TestApiVersionsFeatures(t *testing.T) {
	d := pictured(t, nil)
	supported := func(v int16) map[string]int16 {
		out := map[string]int16{}
		for _, f := range put[*kmsg.ApiVersionsResponse](t, d, "X", false, versionsRequest(v)).SupportedFeatures {
			out[f.Name] = f.MaxVersion
		}
		return out
	}
	assert.Equal(t, map[string]int16{"metadata.version": 33}, supported(3), "minimum 0 is left out below v4")
	assert.Len(t, supported(4), 7)
	resp := put[*kmsg.ApiVersionsResponse](t, d, "X", false, versionsRequest(3))
	require.Len(t, resp.FinalizedFeatures, 2)
	assert.Equal(t, "group.version", resp.FinalizedFeatures[0].Name)
	assert.Equal(t, int16(33), resp.FinalizedFeatures[1].MaxVersionLevel)
	assert.Equal(t, d.h.Images.Image().Offset, resp.FinalizedFeaturesEpoch)
}

func TestApiVersionsChecksTheClient(t *testing.T) {
	d := pictured(t, nil)
	code := func(req *kmsg.ApiVersionsRequest) int16 {
		return put[*kmsg.ApiVersionsResponse](t, d, "X", false, req).ErrorCode
	}
	for name, ok := range map[string]bool{"a": true, "apache-kafka-java": true, "1.0": true, "": false, "-a": false, "a-": false, "a b": false, "a_b": false, ".": false} {
		req := versionsRequest(3)
		req.ClientSoftwareName = name
		assert.Equal(t, ok, code(req) == 0, "%q", name)
		req.Version = 2
		assert.Zero(t, code(req), "not looked at below v3")
	}
	cluster, other := "the-cluster", "another"
	for _, c := range []struct {
		cluster *string
		node    int32
		code    int16
	}{{nil, -1, 0}, {&cluster, 1, 0}, {&cluster, 2, 129}, {&other, 1, 129}, {&cluster, -1, 42}, {nil, 1, 42}} {
		req := versionsRequest(5)
		req.ClusterID, req.NodeID = c.cluster, c.node
		assert.Equal(t, c.code, code(req), "%+v", c)
	}
}

func TestApiVersionsOfTheFutureIsAnsweredInVersionZero(t *testing.T) {
	d := pictured(t, nil)
	row, _ := d.Lookup(18, false)
	resp := row.Unsupported(nil).Response().(*kmsg.ApiVersionsResponse)
	assert.Equal(t, int16(0), resp.Version)
	assert.Equal(t, kerr.UnsupportedVersion.Code, resp.ErrorCode)
	require.Len(t, resp.ApiKeys, 1)
	assert.Equal(t, int16(5), resp.ApiKeys[0].MaxVersion)
}

func describeConfigsRequest(kind int8, name string, keys ...string) *kmsg.DescribeConfigsRequest {
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Version = 4
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceType(kind), name, keys
	req.Resources = append(req.Resources, r)
	return req
}

func TestDescribeConfigs(t *testing.T) {
	value := "60000"
	d := pictured(t, map[string]string{"num.partitions": "7"}, append(topicRecords("a", metadata.PartitionRecord{Replicas: []int32{1}, Leader: 1}),
		&metadata.ConfigRecord{ResourceType: metadata.ConfigTopic, ResourceName: "a", Name: "retention.ms", Value: &value})...)
	for _, c := range []struct {
		kind  int8
		name  string
		code  int16
		text  string
		count int
	}{
		{metadata.ConfigTopic, "a", 0, "", 37},
		{metadata.ConfigTopic, "none", 3, "", 0},
		{metadata.ConfigTopic, "bad/name", 17, "Topic name is invalid: 'bad/name' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", 0},
		{metadata.ConfigBroker, "", 0, "", 0},
		{metadata.ConfigBroker, "2", 42, "Unexpected broker id, expected 1 or empty string, but received 2", 0},
		{metadata.ConfigBroker, "x", 42, "Broker id must be an integer, but it is: x", 0},
		{metadata.ConfigBrokerLogger, "", 42, "Broker id must not be empty", 0},
		{metadata.ConfigBrokerLogger, "2", 42, "Unexpected broker id, expected 1 but received 2", 0},
		{metadata.ConfigBrokerLogger, "1", 0, "", 1},
		{metadata.ConfigClientMetrics, "", 42, "Client metrics subscription name must not be empty", 0},
		{metadata.ConfigGroup, "", 42, "Group name must not be empty", 0},
		{9, "x", 42, kerr.InvalidRequest.Description, 0},
	} {
		got := put[*kmsg.DescribeConfigsResponse](t, d, "X", false, describeConfigsRequest(c.kind, c.name)).Resources[0]
		assert.Equal(t, c.code, got.ErrorCode, "%+v", c)
		if assert.NotNil(t, got.ErrorMessage, "%+v", c) {
			assert.Equal(t, c.text, *got.ErrorMessage)
		}
		assert.Len(t, got.Configs, c.count, "%+v", c)
	}
	req := describeConfigsRequest(metadata.ConfigTopic, "a", "retention.ms", "cleanup.policy")
	req.IncludeSynonyms = true
	got := put[*kmsg.DescribeConfigsResponse](t, d, "X", false, req).Resources[0].Configs
	require.Len(t, got, 2)
	assert.Equal(t, "60000", *got[1].Value)
	assert.Equal(t, kmsg.ConfigSourceDynamicTopicConfig, got[1].Source)
	assert.NotEmpty(t, got[1].ConfigSynonyms)
	broker := put[*kmsg.DescribeConfigsResponse](t, d, "X", true, describeConfigsRequest(metadata.ConfigBroker, "1", "num.partitions")).Resources[0].Configs
	require.Len(t, broker, 1)
	assert.Equal(t, "7", *broker[0].Value)
	assert.Equal(t, kmsg.ConfigSourceStaticBrokerConfig, broker[0].Source)
}

func TestDescribeCluster(t *testing.T) {
	d := pictured(t, nil, &metadata.RegisterControllerRecord{ControllerId: 1, EndPoints: []metadata.RegisterControllerRecordControllerEndpoint{{Name: "CONTROLLER", Host: "ctl", Port: 9093}}})
	req := kmsg.NewPtrDescribeClusterRequest()
	req.Version = 2
	resp := put[*kmsg.DescribeClusterResponse](t, d, "PLAINTEXT", false, req)
	assert.Len(t, resp.Brokers, 2)
	assert.Equal(t, int32(1), resp.ControllerID)
	assert.Equal(t, "the-cluster", resp.ClusterID)
	assert.Equal(t, int32(-1<<31), resp.ClusterAuthorizedOperations)
	req.IncludeFencedBrokers, req.IncludeClusterAuthorizedOperations = true, true
	resp = put[*kmsg.DescribeClusterResponse](t, d, "PLAINTEXT", false, req)
	require.Len(t, resp.Brokers, 3)
	assert.True(t, resp.Brokers[2].IsFenced)
	assert.Equal(t, int32(8096), resp.ClusterAuthorizedOperations)

	req.EndpointType = 2
	resp = put[*kmsg.DescribeClusterResponse](t, d, "PLAINTEXT", false, req)
	assert.Equal(t, kerr.MismatchedEndpointType.Code, resp.ErrorCode)
	assert.Equal(t, "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER", *resp.ErrorMessage)
	resp = put[*kmsg.DescribeClusterResponse](t, d, "CONTROLLER", true, req)
	require.Len(t, resp.Brokers, 1)
	assert.Equal(t, "ctl", resp.Brokers[0].Host)
	assert.Equal(t, int32(1), resp.ControllerID)
	req.EndpointType = 3
	resp = put[*kmsg.DescribeClusterResponse](t, d, "CONTROLLER", true, req)
	assert.Equal(t, kerr.UnsupportedEndpointType.Code, resp.ErrorCode)
}

func TestTelemetryIsAnsweredWithNothingWanted(t *testing.T) {
	d := pictured(t, nil)
	req := kmsg.NewPtrGetTelemetrySubscriptionsRequest()
	resp := put[*kmsg.GetTelemetrySubscriptionsResponse](t, d, "PLAINTEXT", false, req)
	assert.Zero(t, resp.ErrorCode)
	assert.NotZero(t, resp.ClientInstanceID)
	assert.Equal(t, int32(300000), resp.PushIntervalMillis)
	assert.Empty(t, resp.RequestedMetrics)
	req.ClientInstanceID = resp.ClientInstanceID
	again := put[*kmsg.GetTelemetrySubscriptionsResponse](t, d, "PLAINTEXT", false, req)
	assert.Equal(t, resp.SubscriptionID, again.SubscriptionID)
}

func TestDescribeTopicPartitionsPages(t *testing.T) {
	one := metadata.PartitionRecord{Replicas: []int32{1}, Leader: 1}
	d := pictured(t, nil, append(append(topicRecords("a", one, one, one), topicRecords("b", one)...), topicRecords("c", one, one)...)...)
	var pages [][]string
	var cursor *kmsg.DescribeTopicPartitionsRequestCursor
	for range 10 {
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		req.ResponsePartitionLimit, req.Cursor = 2, cursor
		resp := put[*kmsg.DescribeTopicPartitionsResponse](t, d, "PLAINTEXT", false, req)
		var page []string
		for _, topic := range resp.Topics {
			for _, p := range topic.Partitions {
				page = append(page, *topic.Topic+itoa(p.Partition))
				assert.NotNil(t, p.EligibleLeaderReplicas)
				assert.NotNil(t, p.LastKnownELR)
			}
			assert.Equal(t, int32(3576), topic.AuthorizedOperations)
		}
		pages = append(pages, page)
		if resp.NextCursor == nil {
			break
		}
		cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: resp.NextCursor.Topic, Partition: resp.NextCursor.Partition}
	}
	assert.Equal(t, [][]string{{"a0", "a1"}, {"a2", "b0"}, {"c0", "c1"}}, pages)
}

func TestDescribeTopicPartitionsErrors(t *testing.T) {
	one := metadata.PartitionRecord{Replicas: []int32{1}, Leader: 1}
	d := pictured(t, nil, topicRecords("a", one)...)
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit = 100
	for _, name := range []string{"zz", "a", "bad/name", "a"} {
		topic := kmsg.NewDescribeTopicPartitionsRequestTopic()
		topic.Topic = name
		req.Topics = append(req.Topics, topic)
	}
	codes := map[string]int16{}
	for _, topic := range put[*kmsg.DescribeTopicPartitionsResponse](t, d, "PLAINTEXT", false, req).Topics {
		codes[*topic.Topic] = topic.ErrorCode
	}
	assert.Equal(t, map[string]int16{"a": 0, "zz": 3, "bad/name": 17}, codes)
	req.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: "b"}
	for _, topic := range put[*kmsg.DescribeTopicPartitionsResponse](t, d, "PLAINTEXT", false, req).Topics {
		assert.Equal(t, kerr.InvalidRequest.Code, topic.ErrorCode)
	}
	req.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: "a", Partition: -1}
	for _, topic := range put[*kmsg.DescribeTopicPartitionsResponse](t, d, "PLAINTEXT", false, req).Topics {
		assert.Equal(t, kerr.InvalidRequest.Code, topic.ErrorCode)
	}
}
