package api

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/coordinator/group"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// leaderless is a group coordinator that leads no partition.
func leaderless(file *config.File) Groups {
	return group.New(group.Options{
		Environment: group.Environment{NodeID: 1, Config: file, UUID: NewSharedRand(rand.New(rand.NewPCG(1, 2))).UUID, Log: zerolog.Nop()},
		Clocks:      clock.System(),
	})
}

// seenGroups records what a handler asked of the coordinator, and answers that all is well.
type seenGroups struct {
	Groups
	commit   *kmsg.OffsetCommitRequest
	fetch    *kmsg.OffsetFetchRequest
	delete   *kmsg.OffsetDeleteRequest
	join     *kmsg.JoinGroupRequest
	sync     *kmsg.SyncGroupRequest
	protocol *string // that a join is answered with
	code     int16
}

func (s *seenGroups) OffsetCommit(_ context.Context, _ group.Caller, req *kmsg.OffsetCommitRequest) *kmsg.OffsetCommitResponse {
	s.commit = req
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	for _, t := range req.Topics {
		out := kmsg.OffsetCommitResponseTopic{Topic: t.Topic, TopicID: t.TopicID}
		for _, p := range t.Partitions {
			out.Partitions = append(out.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: s.code})
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

func (s *seenGroups) OffsetFetch(_ context.Context, _ group.Caller, req *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse {
	s.fetch = req
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	for _, g := range req.Groups {
		out := kmsg.OffsetFetchResponseGroup{Group: g.Group, ErrorCode: s.code}
		if g.Topics == nil {
			g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: "plain", Partitions: []int32{0}}, {Topic: "gone", Partitions: []int32{0}}}
		}
		for _, t := range g.Topics {
			topic := kmsg.OffsetFetchResponseGroupTopic{Topic: t.Topic, TopicID: t.TopicID}
			for _, p := range t.Partitions {
				topic.Partitions = append(topic.Partitions, kmsg.OffsetFetchResponseGroupTopicPartition{Partition: p, Offset: 7, LeaderEpoch: 3, Metadata: new(string)})
			}
			out.Topics = append(out.Topics, topic)
		}
		resp.Groups = append(resp.Groups, out)
	}
	return resp
}

func (s *seenGroups) OffsetDelete(_ context.Context, _ group.Caller, req *kmsg.OffsetDeleteRequest) *kmsg.OffsetDeleteResponse {
	s.delete = req
	resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
	resp.ErrorCode = s.code
	for _, t := range req.Topics {
		out := kmsg.OffsetDeleteResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			out.Partitions = append(out.Partitions, kmsg.OffsetDeleteResponseTopicPartition{Partition: p.Partition})
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

func withTopic(t *testing.T) (*Dispatcher, *seenGroups, protocol.UUID) {
	var records []metadata.Record
	records = append(records, topicRecords("plain", metadata.PartitionRecord{Replicas: []int32{1}, Isr: []int32{1}, Leader: 1},
		metadata.PartitionRecord{PartitionId: 1, Replicas: []int32{1}, Isr: []int32{1}, Leader: 1})...)
	d := pictured(t, nil, records...)
	seen := &seenGroups{}
	d.h.Groups = seen
	return d, seen, d.h.Images.Image().Topics.ByName("plain").ID
}

// codes is an answer's partitions as "topic-partition:code".
func commitCodes(resp *kmsg.OffsetCommitResponse) map[protocol.TopicPartition]int16 {
	out := map[protocol.TopicPartition]int16{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			out[protocol.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = p.ErrorCode
		}
	}
	return out
}

func commitRequest(version int16, topics ...kmsg.OffsetCommitRequestTopic) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Topics = version, "g", topics
	return req
}

func commitTopic(name string, id protocol.UUID, partitions ...int32) kmsg.OffsetCommitRequestTopic {
	t := kmsg.OffsetCommitRequestTopic{Topic: name, TopicID: id}
	for _, p := range partitions {
		part := kmsg.NewOffsetCommitRequestTopicPartition()
		part.Partition, part.Offset = p, 5
		t.Partitions = append(t.Partitions, part)
	}
	return t
}

func TestOffsetCommitAsksOnlyForPartitionsThatExist(t *testing.T) {
	d, seen, id := withTopic(t)
	resp := put[*kmsg.OffsetCommitResponse](t, d, "PLAINTEXT", false, commitRequest(9, commitTopic("plain", protocol.UUID{}, 0, 2, 1), commitTopic("gone", protocol.UUID{}, 0)))
	unknown := kerr.UnknownTopicOrPartition.Code
	assert.Equal(t, map[protocol.TopicPartition]int16{{Topic: "plain", Partition: 0}: 0, {Topic: "plain", Partition: 1}: 0, {Topic: "plain", Partition: 2}: unknown, {Topic: "gone", Partition: 0}: unknown}, commitCodes(resp))
	require.Len(t, resp.Topics, 2, "the coordinator's partitions are merged into the topic that is there")
	require.Len(t, seen.commit.Topics, 1)
	assert.Equal(t, id, protocol.UUID(seen.commit.Topics[0].TopicID), "the id is filled in for old versions")
	assert.Len(t, seen.commit.Topics[0].Partitions, 2)

	seen.commit = nil
	resp = put[*kmsg.OffsetCommitResponse](t, d, "PLAINTEXT", false, commitRequest(2, commitTopic("gone", protocol.UUID{}, 0)))
	assert.Nil(t, seen.commit, "nothing left to ask")
	assert.Len(t, resp.Topics, 1)
}

// G15: from v10 on topics go by id.
func TestOffsetCommitByTopicID(t *testing.T) {
	d, seen, id := withTopic(t)
	resp := put[*kmsg.OffsetCommitResponse](t, d, "PLAINTEXT", false, commitRequest(10, commitTopic("", id, 0, 9), commitTopic("", protocol.UUID{1}, 0)))
	require.Len(t, resp.Topics, 2)
	assert.Equal(t, id, protocol.UUID(resp.Topics[0].TopicID))
	assert.Equal(t, []kmsg.OffsetCommitResponseTopicPartition{{Partition: 9, ErrorCode: kerr.UnknownTopicOrPartition.Code}, {}}, resp.Topics[0].Partitions)
	assert.Equal(t, kerr.UnknownTopicID.Code, resp.Topics[1].Partitions[0].ErrorCode)
	assert.Equal(t, "plain", seen.commit.Topics[0].Topic)
}

func offsetFetchRequest(version int16, topics ...kmsg.OffsetFetchRequestGroupTopic) *kmsg.OffsetFetchRequest {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version = version
	if version >= 8 {
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group, g.Topics = "g", topics
		req.Groups = append(req.Groups, g)
		return req
	}
	req.Group = "g"
	for _, topic := range topics {
		req.Topics = append(req.Topics, kmsg.OffsetFetchRequestTopic{Topic: topic.Topic, Partitions: topic.Partitions})
	}
	return req
}

func TestOffsetFetchOfOneGroupAndOfMany(t *testing.T) {
	d, seen, id := withTopic(t)
	resp := put[*kmsg.OffsetFetchResponse](t, d, "PLAINTEXT", false, offsetFetchRequest(5, kmsg.OffsetFetchRequestGroupTopic{Topic: "plain", Partitions: []int32{0, 1}}))
	require.Len(t, resp.Topics, 1)
	assert.Empty(t, resp.Groups)
	assert.Equal(t, int64(7), resp.Topics[0].Partitions[1].Offset)
	assert.Equal(t, int32(-1), seen.fetch.Groups[0].MemberEpoch)

	seen.code = kerr.NotCoordinator.Code
	resp = put[*kmsg.OffsetFetchResponse](t, d, "PLAINTEXT", false, offsetFetchRequest(2))
	assert.Equal(t, kerr.NotCoordinator.Code, resp.ErrorCode)
	assert.Nil(t, seen.fetch.Groups[0].Topics, "null topics are all topics")
	seen.code = 0

	resp = put[*kmsg.OffsetFetchResponse](t, d, "PLAINTEXT", false, offsetFetchRequest(10, kmsg.OffsetFetchRequestGroupTopic{TopicID: protocol.UUID{9}, Partitions: []int32{4}},
		kmsg.OffsetFetchRequestGroupTopic{TopicID: id, Partitions: []int32{0}}))
	require.Len(t, resp.Groups[0].Topics, 2)
	assert.Equal(t, id, protocol.UUID(resp.Groups[0].Topics[0].TopicID))
	assert.Equal(t, kmsg.OffsetFetchResponseGroupTopicPartition{Partition: 4, Offset: -1, LeaderEpoch: -1, Metadata: new(string), ErrorCode: kerr.UnknownTopicID.Code}, resp.Groups[0].Topics[1].Partitions[0])

	resp = put[*kmsg.OffsetFetchResponse](t, d, "PLAINTEXT", false, offsetFetchRequest(10))
	require.Len(t, resp.Groups[0].Topics, 1, "all topics by id: one that is gone has none")
	assert.Equal(t, id, protocol.UUID(resp.Groups[0].Topics[0].TopicID))
}

func TestOffsetDeleteAsksOnlyForPartitionsThatExist(t *testing.T) {
	d, seen, _ := withTopic(t)
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = "g"
	ask := func(topic string, partitions ...int32) {
		item := kmsg.OffsetDeleteRequestTopic{Topic: topic}
		for _, p := range partitions {
			item.Partitions = append(item.Partitions, kmsg.OffsetDeleteRequestTopicPartition{Partition: p})
		}
		req.Topics = append(req.Topics, item)
	}
	ask("plain", 0, 5)
	ask("gone", 1)
	resp := put[*kmsg.OffsetDeleteResponse](t, d, "PLAINTEXT", false, req)
	unknown := kerr.UnknownTopicOrPartition.Code
	assert.Equal(t, []kmsg.OffsetDeleteResponseTopic{
		{Topic: "plain", Partitions: []kmsg.OffsetDeleteResponseTopicPartition{{Partition: 5, ErrorCode: unknown}, {}}},
		{Topic: "gone", Partitions: []kmsg.OffsetDeleteResponseTopicPartition{{Partition: 1, ErrorCode: unknown}}}}, resp.Topics)
	require.Len(t, seen.delete.Topics, 1)

	seen.code = kerr.GroupIDNotFound.Code
	resp = put[*kmsg.OffsetDeleteResponse](t, d, "PLAINTEXT", false, req)
	assert.Equal(t, kerr.GroupIDNotFound.Code, resp.ErrorCode, "the group's error replaces the partitions'")
}

func TestFindCoordinator(t *testing.T) {
	offsets := topicRecords("__consumer_offsets", metadata.PartitionRecord{Replicas: []int32{2}, Isr: []int32{2}, Leader: 2})
	find := func(d *Dispatcher, version int16, kind int8, keys ...string) *kmsg.FindCoordinatorResponse {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.Version, req.CoordinatorType, req.CoordinatorKeys = version, kind, keys
		if version < 4 {
			req.CoordinatorKey, req.CoordinatorKeys = keys[0], nil
		}
		return put[*kmsg.FindCoordinatorResponse](t, d, "PLAINTEXT", false, req)
	}
	d := pictured(t, map[string]string{"offsets.topic.num.partitions": "1"}, offsets...)
	resp := find(d, 3, 0, "g")
	assert.Equal(t, []any{int16(0), "NONE", int32(2), "two", int32(9002)}, []any{resp.ErrorCode, *resp.ErrorMessage, resp.NodeID, resp.Host, resp.Port})
	many := find(d, 4, 0, "g", "h")
	require.Len(t, many.Coordinators, 2)
	assert.Equal(t, []any{"h", int32(2), "two", int32(9002), ""}, []any{many.Coordinators[1].Key, many.Coordinators[1].NodeID, many.Coordinators[1].Host, many.Coordinators[1].Port, *many.Coordinators[1].ErrorMessage})

	notAvailable, invalid := kerr.CoordinatorNotAvailable.Code, kerr.InvalidRequest.Code
	key := "g:AAAAAAAAAAAAAAAAAAAAAA:0"
	for _, c := range []struct {
		version int16
		kind    int8
		key     string
		code    int16
	}{{4, 1, "tx", notAvailable}, {4, 2, key, invalid}, {6, 2, key, notAvailable}, {6, 2, "g:x:0", invalid}, {6, 2, "g", invalid}, {6, 2, " :AAAAAAAAAAAAAAAAAAAAAA:0", invalid},
		{6, 2, "a:b:AAAAAAAAAAAAAAAAAAAAAA:7", notAvailable}, {6, 2, "g:AAAAAAAAAAAAAAAAAAAAAA:-", invalid}, {6, 3, "g", invalid}} {
		got := find(d, c.version, c.kind, c.key).Coordinators[0]
		assert.Equal(t, []any{c.code, int32(-1), int32(-1), ""}, []any{got.ErrorCode, got.NodeID, got.Port, got.Host}, "%+v", c)
	}
	assert.Equal(t, invalid, find(d, 0, 3, "g").ErrorCode)

	d = pictured(t, nil) // no topic, and nobody who creates it
	resp = find(d, 2, 0, "g")
	assert.Equal(t, notAvailable, resp.ErrorCode)
	assert.Equal(t, "The coordinator is not available.", *resp.ErrorMessage)
	waiting := d.creations.take()
	require.Len(t, waiting, 1, "it is on the list to be created, whatever auto.create.topics.enable says")
	assert.Equal(t, []string{"__consumer_offsets"}, waiting[0].names)
}

func TestConsumerGroupsMustBeConfiguredAndFinalized(t *testing.T) {
	code := func(d *Dispatcher) []int16 {
		beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		describe := kmsg.NewPtrConsumerGroupDescribeRequest()
		describe.Groups = []string{"g"}
		return []int16{put[*kmsg.ConsumerGroupHeartbeatResponse](t, d, "PLAINTEXT", false, beat).ErrorCode,
			put[*kmsg.ConsumerGroupDescribeResponse](t, d, "PLAINTEXT", false, describe).Groups[0].ErrorCode}
	}
	unsupported := kerr.UnsupportedVersion.Code
	assert.NotContains(t, code(pictured(t, nil)), unsupported)
	assert.Equal(t, []int16{unsupported, unsupported}, code(pictured(t, map[string]string{"group.coordinator.rebalance.protocols": "classic"})))
	assert.Equal(t, []int16{unsupported, unsupported}, code(pictured(t, nil, &metadata.FeatureLevelRecord{Name: metadata.FeatureGroupVersion})))
}

func (s *seenGroups) JoinGroup(_ context.Context, _ group.Caller, req *kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse {
	s.join = req
	resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
	resp.Protocol = s.protocol
	return resp
}

func (s *seenGroups) SyncGroup(_ context.Context, _ group.Caller, req *kmsg.SyncGroupRequest) *kmsg.SyncGroupResponse {
	s.sync = req
	return req.ResponseKind().(*kmsg.SyncGroupResponse)
}

func TestJoinGroupKeepsItsBytesAndShowsNoProtocolAsTheVersionDoes(t *testing.T) {
	d, seen, _ := withTopic(t)
	frame := []byte("subscription")
	empty := ""
	for _, c := range []struct {
		version   int16
		protocol  *string
		wantEmpty bool
	}{{6, nil, true}, {6, &empty, true}, {7, nil, false}, {7, &empty, false}} {
		req := kmsg.NewPtrJoinGroupRequest()
		req.Version, req.Group, req.Protocols = c.version, "g", []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: frame}}
		seen.protocol = c.protocol
		resp := put[*kmsg.JoinGroupResponse](t, d, "PLAINTEXT", false, req)
		assert.Equal(t, c.wantEmpty, resp.Protocol != nil && *resp.Protocol == "", "%+v", c)
		assert.Equal(t, frame, seen.join.Protocols[0].Metadata)
		assert.NotSame(t, &frame[0], &seen.join.Protocols[0].Metadata[0], "the frame goes back while the member waits")
	}
}

func TestSyncGroupNeedsProtocolTypeAndNameFromV5(t *testing.T) {
	d, seen, _ := withTopic(t)
	name := "consumer"
	for _, c := range []struct {
		version       int16
		kind, name    *string
		wantCode      int16
		coordinatorIs bool
	}{{4, nil, nil, 0, true}, {5, nil, &name, kerr.InconsistentGroupProtocol.Code, false}, {5, &name, nil, kerr.InconsistentGroupProtocol.Code, false}, {5, &name, &name, 0, true}} {
		req := kmsg.NewPtrSyncGroupRequest()
		req.Version, req.Group, req.ProtocolType, req.Protocol = c.version, "g", c.kind, c.name
		seen.sync = nil
		resp := put[*kmsg.SyncGroupResponse](t, d, "PLAINTEXT", false, req)
		assert.Equal(t, []any{c.wantCode, c.coordinatorIs}, []any{resp.ErrorCode, seen.sync != nil}, "%+v", c)
	}
}
