package controller

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
)

type alteration struct {
	typ   kmsg.ConfigResourceType
	name  string
	key   string
	op    kmsg.IncrementalAlterConfigOp
	value *string
}

func (c *cluster) alter(list ...alteration) []kmsg.IncrementalAlterConfigsResponseResource {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	for _, a := range list {
		req.Resources = append(req.Resources, kmsg.IncrementalAlterConfigsRequestResource{ResourceType: a.typ, ResourceName: a.name,
			Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: a.key, Op: a.op, Value: a.value}}})
	}
	return c.do(IncrementalAlterConfigs(&c.state, Call{}, req)).(*kmsg.IncrementalAlterConfigsResponse).Resources
}

const (
	topicType  = kmsg.ConfigResourceTypeTopic
	brokerType = kmsg.ConfigResourceTypeBroker
	set        = kmsg.IncrementalAlterConfigOpSet
	del        = kmsg.IncrementalAlterConfigOpDelete
	app        = kmsg.IncrementalAlterConfigOpAppend
	sub        = kmsg.IncrementalAlterConfigOpSubtract
)

func TestIncrementalAlterConfigs(t *testing.T) {
	c := newCluster(t).brokers(1)
	c.createTopic("t", 1, 1)
	for _, test := range []struct {
		a    alteration
		code *kerr.Error
		text string
	}{
		{alteration{topicType, "t", "retention.ms", set, ptr("5")}, nil, ""},
		{alteration{topicType, "t", "cleanup.policy", app, ptr("compact")}, nil, ""},
		{alteration{topicType, "t", "retention.ms", app, ptr("5")}, kerr.InvalidConfig, "Can't APPEND to key retention.ms because its type is not LIST."},
		{alteration{topicType, "t", "cleanup.policy", app, nil}, kerr.InvalidRequest, "Null value not supported for : cleanup.policy"},
		{alteration{topicType, "t", "cleanup.policy", sub, nil}, kerr.InvalidRequest, "Null value not supported for : cleanup.policy"},
		{alteration{topicType, "t", "retention.ms", sub, ptr("5")}, kerr.InvalidConfig, "Can't SUBTRACT to key retention.ms because its type is not LIST."},
		{alteration{topicType, "nope", "retention.ms", set, ptr("5")}, kerr.UnknownTopicOrPartition, "The topic 'nope' does not exist."},
		{alteration{topicType, "", "retention.ms", set, ptr("5")}, kerr.InvalidRequest, "Default topic resources are not allowed."},
		{alteration{topicType, "t", "nope", set, ptr("5")}, kerr.InvalidConfig, "Unknown topic config name: nope"},
		{alteration{brokerType, "", "log.cleaner.threads", set, ptr("2")}, nil, ""},
		{alteration{brokerType, "1", "log.retention.ms", set, ptr("2")}, nil, ""},
		{alteration{brokerType, "x", "log.retention.ms", set, ptr("2")}, kerr.InvalidRequest, "Unable to parse broker name as a base 10 number."},
		{alteration{brokerType, "-1", "log.retention.ms", set, ptr("2")}, kerr.InvalidRequest, "Invalid negative broker ID."},
		{alteration{brokerType, "7", "log.retention.ms", set, ptr("2")}, kerr.BrokerIDNotRegistered, "No node with id 7 found."},
		{alteration{brokerType, "1", "min.insync.replicas", set, ptr("2")}, kerr.InvalidConfig, "Broker-level min.insync.replicas cannot be altered while ELR is enabled."},
		{alteration{brokerType, "", "min.insync.replicas", del, nil}, kerr.InvalidConfig, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."},
		{alteration{77, "x", "y", set, ptr("2")}, kerr.UnsupportedVersion, "Unknown resource type 77."},
		{alteration{kmsg.ConfigResourceTypeBrokerLogger, "1", "y", set, ptr("2")}, kerr.InvalidRequest, "Unexpected resource type BROKER_LOGGER."},
	} {
		out := c.alter(test.a)[0]
		if test.code == nil {
			require.Zero(t, out.ErrorCode, "%+v: %s", test.a, deref(out.ErrorMessage))
			require.Nil(t, out.ErrorMessage)
			continue
		}
		require.Equal(t, test.text, deref(out.ErrorMessage))
		require.Equal(t, test.code.Code, out.ErrorCode, "%+v", test.a)
		require.Empty(t, c.last)
	}
	require.Equal(t, map[string]string{"retention.ms": "5", "cleanup.policy": "delete,compact"}, c.state.Image.Configs.Topic("t"))
	c.alter(alteration{topicType, "t", "cleanup.policy", sub, ptr("delete")}, alteration{brokerType, "", "log.cleaner.threads", del, nil})
	require.Equal(t, "compact", c.state.Image.Configs.Topic("t")["cleanup.policy"])
	require.NotContains(t, c.state.Image.Configs.Broker(""), "log.cleaner.threads")

	out := c.alter(alteration{topicType, "t", "retention.ms", set, ptr("6")}, alteration{topicType, "t", "retention.ms", set, ptr("7")})
	require.Len(t, out, 1)
	require.Equal(t, "Duplicate resource.", *out[0].ErrorMessage)
}

func TestEqualTopicConfigIsNotWrittenEqualBrokerConfigIs(t *testing.T) {
	c := newCluster(t).brokers(1)
	c.createTopic("t", 1, 1)
	c.alter(alteration{topicType, "t", "retention.ms", set, ptr("5")}, alteration{brokerType, "1", "log.retention.ms", set, ptr("2")})
	c.alter(alteration{topicType, "t", "retention.ms", set, ptr("5")})
	require.Empty(t, c.last)
	c.alter(alteration{brokerType, "1", "log.retention.ms", set, ptr("2")})
	require.Len(t, c.last, 1)
}

func TestLegacyAlterConfigsReplacesAll(t *testing.T) {
	c := newCluster(t).brokers(1)
	c.createTopic("t", 1, 1)
	c.alter(alteration{topicType, "t", "retention.ms", set, ptr("5")})
	c.alter(alteration{topicType, "t", "segment.ms", set, ptr("7")})
	req := kmsg.NewPtrAlterConfigsRequest()
	req.Resources = []kmsg.AlterConfigsRequestResource{{ResourceType: topicType, ResourceName: "t",
		Configs: []kmsg.AlterConfigsRequestResourceConfig{{Name: "segment.ms", Value: ptr("8")}}}}
	req.ValidateOnly = true
	d := AlterConfigs(&c.state, Call{}, req)
	require.Empty(t, d.Records)
	req.ValidateOnly = false
	c.do(AlterConfigs(&c.state, Call{}, req))
	require.Equal(t, map[string]string{"segment.ms": "8"}, c.state.Image.Configs.Topic("t"))
}

func TestChangeOfMinISRClearsELR(t *testing.T) {
	c := newCluster(t).brokers(1)
	c.createTopic("t", 1, 1)
	c.alter(alteration{topicType, "t", "min.insync.replicas", set, ptr("1")})
	require.Equal(t, &metadata.ClearElrRecord{TopicName: "t"}, c.last[len(c.last)-1])
	c.alter(alteration{brokerType, "", "min.insync.replicas", set, ptr("1")})
	require.Equal(t, &metadata.ClearElrRecord{}, c.last[len(c.last)-1])
}

func TestUpdateFeatures(t *testing.T) {
	c := newCluster(t).brokers(1)
	update := func(name string, level int16, kind int8) *kmsg.UpdateFeaturesResponse {
		req := kmsg.NewPtrUpdateFeaturesRequest()
		req.Version = 2
		req.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: name, MaxVersionLevel: level, UpgradeType: kind}}
		return c.do(UpdateFeatures(&c.state, req)).(*kmsg.UpdateFeaturesResponse)
	}
	const prefix = "The update failed for all features since the following feature had an error: "
	for _, test := range []struct {
		name  string
		level int16
		kind  int8
		text  string
	}{
		{"nope", 1, 1, "Invalid update version 1 for feature nope. Local controller 1 does not support this feature."},
		{"group.version", 5, 1, "Invalid update version 5 for feature group.version. Local controller 1 only supports versions 0-1"},
		{"group.version", 0, 1, "Invalid update version 0 for feature group.version. Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade."},
		{"group.version", 1, 9, "Invalid update version 1 for feature group.version. The controller does not support the given upgrade type."},
		{"metadata.version", 31, 2, "Unsupported metadata.version downgrade from 33 to 31. Refusing to perform the requested downgrade because it might delete metadata information."},
		{"metadata.version", 31, 3, "Unsupported metadata.version downgrade from 33 to 31. Unsafe metadata downgrade is not supported in this version."},
	} {
		resp := update(test.name, test.level, test.kind)
		require.Equal(t, prefix+test.text, deref(resp.ErrorMessage))
		require.Equal(t, kerr.InvalidUpdateVersion.Code, resp.ErrorCode)
	}
	twice := kmsg.NewPtrUpdateFeaturesRequest()
	twice.Version = 2
	twice.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: "group.version", MaxVersionLevel: 9, UpgradeType: 1}, {Feature: "group.version", MaxVersionLevel: 1, UpgradeType: 1}}
	require.Zero(t, c.do(UpdateFeatures(&c.state, twice)).(*kmsg.UpdateFeaturesResponse).ErrorCode, "the last word counts")
	old := kmsg.NewPtrUpdateFeaturesRequest()
	old.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: "group.version", AllowDowngrade: true}}
	require.Equal(t, kerr.InvalidUpdateVersion.Code, c.do(UpdateFeatures(&c.state, old)).(*kmsg.UpdateFeaturesResponse).ErrorCode, "version 0 never lowers a level")
	require.Zero(t, update("group.version", 0, 2).ErrorCode)
	require.Zero(t, c.state.Image.Features.Of("group.version"))
	require.Zero(t, update("group.version", 1, 1).ErrorCode)
	require.Equal(t, int16(1), c.state.Image.Features.Of("group.version"))
}
