package controller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
)

func newTopic(name string, partitions int32, factor int16, edit ...func(*kmsg.CreateTopicsRequestTopic)) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, factor
	for _, e := range edit {
		e(&t)
	}
	return t
}

func withConfig(name string, value *string) func(*kmsg.CreateTopicsRequestTopic) {
	return func(t *kmsg.CreateTopicsRequestTopic) {
		t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: name, Value: value})
	}
}

func withReplicas(partition int32, replicas ...int32) func(*kmsg.CreateTopicsRequestTopic) {
	return func(t *kmsg.CreateTopicsRequestTopic) {
		t.ReplicaAssignment = append(t.ReplicaAssignment, kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: partition, Replicas: replicas})
	}
}

func TestCreateTopicsAnswersAsKafka(t *testing.T) {
	long := strings.Repeat("a", 250)
	tests := []struct {
		topic kmsg.CreateTopicsRequestTopic
		code  *kerr.Error // nil = success
		text  string
	}{
		{newTopic("ok", 3, 1), nil, ""},
		{newTopic("defaults", -1, -1), nil, ""},
		{newTopic("", 1, 1), kerr.InvalidTopicException, "Topic name is invalid: the empty string is not allowed"},
		{newTopic(".", 1, 1), kerr.InvalidTopicException, "Topic name is invalid: '.' is not allowed"},
		{newTopic("..", 1, 1), kerr.InvalidTopicException, "Topic name is invalid: '..' is not allowed"},
		{newTopic(long, 1, 1), kerr.InvalidTopicException, "Topic name is invalid: the length of '" + long + "' is longer than the max allowed length 249"},
		{newTopic("a b", 1, 1), kerr.InvalidTopicException, "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"},
		{newTopic("here", 1, 1), kerr.TopicAlreadyExists, "Topic 'here' already exists."},
		{newTopic("a.b", 1, 1), kerr.TopicAlreadyExists, "Topic 'a.b' already exists."},
		{newTopic("a_b", 1, 1), kerr.InvalidTopicException, "Topic 'a_b' collides with existing topic: a.b"},
		{newTopic("x", 0, 1), kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value."},
		{newTopic("x", -2, 1), kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value."},
		{newTopic("x", 1, 0), kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value."},
		{newTopic("x", 0, 0), kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value."},
		{newTopic("x", 1, 4), kerr.InvalidReplicationFactor, "Unable to replicate the partition 4 time(s): The target replication factor of 4 cannot be reached because only 3 broker(s) are registered or some brokers have all their log directories cordoned."},
		{newTopic("x", 1, -1, withReplicas(0, 1)), kerr.InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1."},
		{newTopic("x", -1, 1, withReplicas(0, 1)), kerr.InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1."},
		{newTopic("x", -1, -1, withReplicas(0, 1), withReplicas(0, 2)), kerr.InvalidReplicaAssignment, "Found multiple manual partition assignments for partition 0"},
		{newTopic("x", -1, -1, withReplicas(0, 1), withReplicas(2, 2)), kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence"},
		{newTopic("x", -1, -1, withReplicas(0)), kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list."},
		{newTopic("x", -1, -1, withReplicas(0, 9)), kerr.InvalidReplicaAssignment, "The manual partition assignment includes broker 9, but no such broker is registered."},
		{newTopic("x", -1, -1, withReplicas(0, 1, 1)), kerr.InvalidReplicaAssignment, "The manual partition assignment includes the broker 1 more than once."},
		{newTopic("x", -1, -1, withReplicas(0, 1, 2), withReplicas(1, 1)), kerr.InvalidReplicaAssignment, "The manual partition assignment includes a partition with 1 replica(s), but this is not consistent with previous partitions, which have 2 replica(s)."},
		{newTopic("x", -1, -1, withReplicas(0, 3)), kerr.InvalidReplicaAssignment, "All brokers specified in the manual partition assignment for partition 0 are fenced or in controlled shutdown."},
		{newTopic("manual", -1, -1, withReplicas(1, 2, 3), withReplicas(0, 1, 2)), nil, ""},
		{newTopic("x", 1, 1, withConfig("retention.ms", nil), withConfig("segment.ms", nil)), kerr.InvalidConfig, "Null value not supported for topic configs: retention.ms,segment.ms"},
		{newTopic("x", 1, 1, withConfig("nope", ptr("1"))), kerr.InvalidConfig, "Unknown topic config name: nope"},
		{newTopic("x", 1, 1, withConfig("retention.ms", ptr("soon"))), kerr.InvalidConfig, "Invalid value soon for configuration retention.ms: Not a number of type LONG"},
		{newTopic("x", 1, 1, withConfig("retention.ms", ptr(strings.Repeat("1", 40000)))), kerr.InvalidConfig, "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes."},
		{newTopic("__cluster_metadata", 1, 1), kerr.InvalidRequest, "Creation of internal topic __cluster_metadata is prohibited."},
		{newTopic("configured", 1, 1, withConfig("retention.ms", ptr("5"))), nil, ""},
	}
	for _, test := range tests {
		c := newCluster(t).brokers(1, 2)
		c.register(3, 3, 103, "")
		c.createTopic("here", 1, 1)
		c.createTopic("a.b", 1, 1)
		for version := int16(2); version <= 7; version++ {
			req := kmsg.NewPtrCreateTopicsRequest()
			req.Version = version
			req.Topics = append(req.Topics, test.topic)
			d := CreateTopics(&c.state, Call{}, req)
			out := d.Reply.(*kmsg.CreateTopicsResponse).Topics
			require.Len(t, out, 1)
			if test.code == nil {
				require.Zero(t, out[0].ErrorCode, "%s: %v", test.topic.Topic, deref(out[0].ErrorMessage))
				require.Nil(t, out[0].ErrorMessage)
				require.NotEmpty(t, d.Records)
				require.NotEqual(t, [16]byte{}, out[0].TopicID)
				require.NotEmpty(t, out[0].Configs)
				require.True(t, slices.IsSortedFunc(out[0].Configs, func(a, b kmsg.CreateTopicsResponseTopicConfig) int { return strings.Compare(a.Name, b.Name) }))
				continue
			}
			require.Empty(t, d.Records)
			require.Equal(t, test.text, deref(out[0].ErrorMessage))
			require.Equal(t, test.code.Code, out[0].ErrorCode)
			require.Equal(t, int32(-1), out[0].NumPartitions)
			require.Equal(t, int16(-1), out[0].ReplicationFactor)
			require.NotNil(t, out[0].Configs, "Java's admin client does not survive null")
		}
	}
}

func TestCreateTopicsWritesWhatKafkaWrites(t *testing.T) {
	c := newCluster(t).brokers(1, 2)
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, newTopic("t", -1, -1, withReplicas(0, 2, 1), withReplicas(1, 1, 2), withConfig("retention.ms", ptr("5")), withConfig("min.insync.replicas", ptr("2"))))
	c.do(CreateTopics(&c.state, Call{}, req))
	var kinds []string
	for _, r := range c.last {
		kinds = append(kinds, strings.TrimPrefix(fmt.Sprintf("%T", r), "*metadata."))
	}
	require.Equal(t, []string{"TopicRecord", "ConfigRecord", "ConfigRecord", "ClearElrRecord", "PartitionRecord", "PartitionRecord"}, kinds)
	p := c.partition("t", 0)
	require.Equal(t, int32(2), p.Leader)
	require.Equal(t, []int32{2, 1}, p.ISR)
	require.Equal(t, uid(202), p.Directories[0])
	require.Equal(t, "5", c.state.Image.Configs.Topic("t")["retention.ms"])
}

func TestTopicNamedTwiceIsReportedOnceAndNotMade(t *testing.T) {
	c := newCluster(t).brokers(1)
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, newTopic("twice", 1, 1), newTopic("once", 1, 1), newTopic("twice", 2, 1))
	resp := c.do(CreateTopics(&c.state, Call{}, req)).(*kmsg.CreateTopicsResponse)
	require.Len(t, resp.Topics, 2)
	require.Equal(t, "once", resp.Topics[0].Topic)
	require.Zero(t, resp.Topics[0].ErrorCode)
	require.Equal(t, "twice", resp.Topics[1].Topic)
	require.Equal(t, kerr.InvalidRequest.Code, resp.Topics[1].ErrorCode)
	require.Equal(t, "Duplicate topic name.", *resp.Topics[1].ErrorMessage)
	require.Nil(t, c.state.Image.Topics.ByName("twice"))
}

func TestValidateOnlyWritesNothing(t *testing.T) {
	c := newCluster(t).brokers(1)
	c.createTopic("t", 1, 1)
	create := kmsg.NewPtrCreateTopicsRequest()
	create.ValidateOnly = true
	create.Topics = append(create.Topics, newTopic("x", 2, 1))
	d := CreateTopics(&c.state, Call{}, create)
	require.Empty(t, d.Records)
	require.Equal(t, int32(2), d.Reply.(*kmsg.CreateTopicsResponse).Topics[0].NumPartitions)
	more := kmsg.NewPtrCreatePartitionsRequest()
	more.ValidateOnly = true
	more.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: "t", Count: 3}}
	d = CreatePartitions(&c.state, Call{}, more)
	require.Empty(t, d.Records)
	require.Zero(t, d.Reply.(*kmsg.CreatePartitionsResponse).Topics[0].ErrorCode)
}

func TestExcessiveRequestsAreRefusedWhole(t *testing.T) {
	c := newCluster(t).brokers(1)
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, newTopic("a", 10_000, 1), newTopic("b", 1, 1))
	resp := c.do(CreateTopics(&c.state, Call{}, req)).(*kmsg.CreateTopicsResponse)
	require.Len(t, resp.Topics, 2)
	for _, topic := range resp.Topics {
		require.Equal(t, kerr.PolicyViolation.Code, topic.ErrorCode)
		require.Equal(t, "Excessively large number of partitions per request.", *topic.ErrorMessage)
	}
}

func TestExcessiveBatchesAreFoundWhenOnlyChecked(t *testing.T) {
	c := newCluster(t).brokers(1)
	req := kmsg.NewPtrCreateTopicsRequest()
	req.ValidateOnly = true
	req.Topics = append(req.Topics, newTopic("a", 9_999, 1))
	require.False(t, CreateTopics(&c.state, Call{}, req).tooLarge())
	req.Topics[0].NumPartitions = 10_000
	require.True(t, CreateTopics(&c.state, Call{}, req).tooLarge(), "the topic is a record too")
}

func TestTooManyAdditionalPartitionsAreRefusedWhole(t *testing.T) {
	c := newCluster(t).brokers(1)
	c.createTopic("a", 1, 1)
	c.createTopic("b", 1, 1)
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: "a", Count: 5_001}, {Topic: "b", Count: 5_002}, {Topic: "nope", Count: 2}}
	resp := c.do(CreatePartitions(&c.state, Call{}, req)).(*kmsg.CreatePartitionsResponse)
	require.Len(t, resp.Topics, 3)
	for _, topic := range resp.Topics {
		require.Equal(t, kerr.PolicyViolation.Code, topic.ErrorCode)
		require.Equal(t, "Excessively large number of additional partitions per request.", *topic.ErrorMessage)
	}
	require.Len(t, c.state.Image.Topics.ByName("a").Partitions, 1)
}

func TestRightsToCreateAreAskedPerTopic(t *testing.T) {
	c := newCluster(t).brokers(1)
	call := Call{Allowed: func(resource int8, name string, op int8) bool {
		return resource == resourceTopic && name == "mine" && op == mayCreate
	}}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, newTopic("mine", 1, 1), newTopic("theirs", 1, 1))
	resp := c.do(CreateTopics(&c.state, call, req)).(*kmsg.CreateTopicsResponse)
	require.Zero(t, resp.Topics[0].ErrorCode)
	require.Equal(t, kerr.TopicAuthorizationFailed.Code, resp.Topics[0].ConfigErrorCode, "configs are not shown without DESCRIBE_CONFIGS")
	require.Equal(t, int32(-1), resp.Topics[0].NumPartitions)
	require.Equal(t, kerr.TopicAuthorizationFailed.Code, resp.Topics[1].ErrorCode)
	require.Equal(t, "Authorization failed.", *resp.Topics[1].ErrorMessage)
}

func TestDeleteTopics(t *testing.T) {
	c := newCluster(t).brokers(1)
	for _, name := range []string{"a.b", "c", "d", "e"} {
		c.createTopic(name, 1, 1)
	}
	ident := func(name string) [16]byte { return c.state.Image.Topics.ByName(name).ID }
	cID, dID := ident("c"), ident("d")
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version = 6
	add := func(name *string, id [16]byte) {
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic, t.TopicID = name, id
		req.Topics = append(req.Topics, t)
	}
	add(ptr("a.b"), [16]byte{})
	add(nil, cID)
	add(nil, dID)
	add(ptr("d"), [16]byte{}) // the same topic twice
	add(ptr("nope"), [16]byte{})
	add(nil, [16]byte(uid(77)))
	add(nil, [16]byte{})
	add(ptr("x"), cID)
	resp := c.do(DeleteTopics(&c.state, Call{}, req)).(*kmsg.DeleteTopicsResponse)
	var got []string
	for _, r := range resp.Topics {
		got = append(got, fmt.Sprintf("%s %d %s", deref(r.Topic), r.ErrorCode, deref(r.ErrorMessage)))
	}
	slices.Sort(got)
	require.Equal(t, []string{
		" 100 This server does not host this topic ID.",
		" 42 Neither topic name nor id were specified.",
		"a.b 0 ",
		"c 0 ",
		"d 42 The provided topic name maps to an ID that was already supplied.",
		"nope 3 This server does not host this topic-partition.",
		"x 42 You may not specify both topic name and topic id.",
	}, got)
	require.Nil(t, c.state.Image.Topics.ByName("a.b"))
	require.NotNil(t, c.state.Image.Topics.ByName("d"))
	require.Zero(t, c.createTopic("a_b", 1, 1).ErrorCode, "the collision set is cleared after delete (M7)")

	old := kmsg.NewPtrDeleteTopicsRequest()
	old.Version = 3
	old.TopicNames = []string{"e", "e"}
	resp = c.do(DeleteTopics(&c.state, Call{}, old)).(*kmsg.DeleteTopicsResponse)
	require.Len(t, resp.Topics, 1)
	require.Equal(t, "Duplicate topic name.", *resp.Topics[0].ErrorMessage)

	c.state.Config = properties(t, "delete.topic.enable", "false")
	resp = c.do(DeleteTopics(&c.state, Call{}, req)).(*kmsg.DeleteTopicsResponse)
	require.Len(t, resp.Topics, len(req.Topics))
	require.Equal(t, kerr.TopicDeletionDisabled.Code, resp.Topics[0].ErrorCode)
	old.Version = 2
	resp = c.do(DeleteTopics(&c.state, Call{}, old)).(*kmsg.DeleteTopicsResponse)
	require.Equal(t, kerr.InvalidRequest.Code, resp.Topics[0].ErrorCode)
}

func TestCreatePartitions(t *testing.T) {
	c := newCluster(t).brokers(1, 2)
	c.register(3, 3, 103, "")
	c.createTopic("t", 2, 2)
	set := func(replicas ...int32) kmsg.CreatePartitionsRequestTopicAssignment {
		return kmsg.CreatePartitionsRequestTopicAssignment{Replicas: replicas}
	}
	for _, test := range []struct {
		topic kmsg.CreatePartitionsRequestTopic
		code  *kerr.Error
		text  string
	}{
		{kmsg.CreatePartitionsRequestTopic{Topic: "nope", Count: 3}, kerr.UnknownTopicOrPartition, ""},
		{kmsg.CreatePartitionsRequestTopic{Topic: "t", Count: 2}, kerr.InvalidPartitions, "Topic already has 2 partition(s)."},
		{kmsg.CreatePartitionsRequestTopic{Topic: "t", Count: 1}, kerr.InvalidPartitions, "The topic t currently has 2 partition(s); 1 would not be an increase."},
		{kmsg.CreatePartitionsRequestTopic{Topic: "t", Count: 4, Assignment: []kmsg.CreatePartitionsRequestTopicAssignment{set(1, 2)}}, kerr.InvalidReplicaAssignment, "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."},
		{kmsg.CreatePartitionsRequestTopic{Topic: "t", Count: 3, Assignment: []kmsg.CreatePartitionsRequestTopicAssignment{set(1)}}, kerr.InvalidReplicaAssignment, "The manual partition assignment includes a partition with 1 replica(s), but this is not consistent with previous partitions, which have 2 replica(s)."},
		{kmsg.CreatePartitionsRequestTopic{Topic: "t", Count: 3, Assignment: []kmsg.CreatePartitionsRequestTopicAssignment{set(1, 7)}}, kerr.InvalidReplicaAssignment, "The manual partition assignment includes broker 7, but no such broker is registered."},
		{kmsg.CreatePartitionsRequestTopic{Topic: "t", Count: 3, Assignment: []kmsg.CreatePartitionsRequestTopicAssignment{set(2, 3)}}, nil, ""},
		{kmsg.CreatePartitionsRequestTopic{Topic: "t", Count: 5}, nil, ""},
	} {
		req := kmsg.NewPtrCreatePartitionsRequest()
		req.Topics = append(req.Topics, test.topic)
		out := c.do(CreatePartitions(&c.state, Call{}, req)).(*kmsg.CreatePartitionsResponse).Topics[0]
		if test.code != nil {
			require.Equal(t, test.text, deref(out.ErrorMessage))
			require.Equal(t, test.code.Code, out.ErrorCode)
			continue
		}
		require.Zero(t, out.ErrorCode)
	}
	require.Len(t, c.state.Image.Topics.ByName("t").Partitions, 5)
	require.Equal(t, []int32{2}, c.partition("t", 2).ISR, "a fenced replica is not in the ISR")
}

func TestPlacementIsStripedOverRacks(t *testing.T) {
	c := newCluster(t)
	for id := int32(1); id <= 6; id++ {
		c.register(id, int(id), 0, []string{"a", "b", "c"}[id%3])
		if id != 6 {
			c.beat(id, func(*kmsg.BrokerHeartbeatRequest) {})
		}
	}
	rack := func(id int32) string { return *c.state.Image.Brokers.Get(id).Rack }
	for seed := range uint64(50) {
		sets, err := newPlacer(rand.New(rand.NewPCG(seed, 1)), c.state.Image.Brokers).place(30, 3)
		require.NoError(t, err)
		leaders := map[int32]int{}
		for _, s := range sets {
			require.Len(t, s, 3)
			require.NotEqual(t, int32(6), s[0], "the leader is not placed on a fenced broker")
			require.Len(t, map[string]bool{rack(s[0]): true, rack(s[1]): true, rack(s[2]): true}, 3, "%v", s)
			leaders[s[0]]++
		}
		require.Len(t, leaders, 5, "every unfenced broker leads")
	}
	sets, err := newPlacer(rand.New(rand.NewPCG(1, 1)), c.state.Image.Brokers).place(1, 6)
	require.NoError(t, err)
	require.ElementsMatch(t, []int32{1, 2, 3, 4, 5, 6}, sets[0])
}

func TestPlacementWithoutUnfencedBrokers(t *testing.T) {
	c := newCluster(t)
	c.register(1, 1, 0, "")
	require.Equal(t, "Unable to replicate the partition 1 time(s): All brokers are currently fenced, or have all their log directories cordoned.", *c.createTopic("t", 1, 1).ErrorMessage)
	require.Equal(t, kerr.InvalidReplicationFactor.Code, c.createTopic("t", 1, 1).ErrorCode)
}

func TestTopicWithThousandPartitionsOnOneBroker(t *testing.T) {
	c := newCluster(t).brokers(1)
	require.Zero(t, c.createTopic("t", 1000, 1).ErrorCode)
	for _, p := range c.state.Image.Topics.ByName("t").Partitions {
		require.Equal(t, []int32{1}, p.Replicas)
		require.Equal(t, metadata.LeaderRecovered, p.LeaderRecoveryState)
	}
}
