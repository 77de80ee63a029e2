package api

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// imageOf replays records onto an empty image.
func imageOf(t testing.TB, records ...metadata.Record) *metadata.Image {
	t.Helper()
	delta := metadata.NewDelta(metadata.Empty())
	for i, r := range records {
		require.NoError(t, delta.Replay(int64(i), 1, r))
	}
	return delta.Apply()
}

// pictured is a Dispatcher with nothing but an image: two live brokers, a fenced one, one without our listener.
func pictured(t testing.TB, props map[string]string, more ...metadata.Record) *Dispatcher {
	all := map[string]string{"node.id": "1", "process.roles": "broker", "controller.listener.names": "CONTROLLER",
		"controller.quorum.bootstrap.servers": "localhost:1", "listeners": "PLAINTEXT://localhost:9092", "log.dirs": "/data"}
	for k, v := range props {
		all[k] = v
	}
	file, err := config.NewStatic(all)
	require.NoError(t, err)
	rack := "r2"
	records := []metadata.Record{
		&metadata.FeatureLevelRecord{Name: metadata.FeatureMetadataVersion, FeatureLevel: 33},
		&metadata.FeatureLevelRecord{Name: metadata.FeatureGroupVersion, FeatureLevel: 1},
		&metadata.RegisterBrokerRecord{BrokerId: 1, BrokerEpoch: 1, EndPoints: ends("PLAINTEXT", "one", 9001, "INTERNAL", "one-i", 9101)},
		&metadata.RegisterBrokerRecord{BrokerId: 2, BrokerEpoch: 2, EndPoints: ends("PLAINTEXT", "two", 9002, "INTERNAL", "two-i", 9102), Rack: &rack},
		&metadata.RegisterBrokerRecord{BrokerId: 3, BrokerEpoch: 3, EndPoints: ends("PLAINTEXT", "three", 9003), Fenced: true},
		&metadata.RegisterBrokerRecord{BrokerId: 4, BrokerEpoch: 4, EndPoints: ends("INTERNAL", "four-i", 9104)},
	}
	h := &Handlers{NodeID: 1, ClusterID: "the-cluster", Config: file, Images: NewImages(), Quorum: stubQuorum{}, Groups: leaderless(file)}
	h.Images.Publish(imageOf(t, append(records, more...)...))
	return NewDispatcher(Table, h)
}

func ends(args ...any) []metadata.RegisterBrokerRecordBrokerEndpoint {
	var out []metadata.RegisterBrokerRecordBrokerEndpoint
	for i := 0; i < len(args); i += 3 {
		out = append(out, metadata.RegisterBrokerRecordBrokerEndpoint{Name: args[i].(string), Host: args[i+1].(string), Port: uint16(args[i+2].(int))})
	}
	return out
}

func topicRecords(name string, partitions ...metadata.PartitionRecord) []metadata.Record {
	id := topicID(name)
	out := []metadata.Record{&metadata.TopicRecord{Name: name, TopicId: id}}
	for i := range partitions {
		p := partitions[i]
		p.TopicId, p.PartitionId, p.Directories = id, int32(i), make([]protocol.UUID, len(p.Replicas))
		for j := range p.Directories {
			p.Directories[j] = metadata.DirectoryUnassigned
		}
		if p.Isr == nil {
			p.Isr = p.Replicas
		}
		out = append(out, &p)
	}
	return out
}

// put runs a row's handler on a listener.
func put[P kmsg.Response](t testing.TB, d *Dispatcher, listener string, controller bool, req kmsg.Request) P {
	t.Helper()
	row, ok := d.Lookup(req.Key(), controller)
	require.True(t, ok)
	client := "tester"
	c := &server.Ctx{Header: protocol.RequestHeader{Key: req.Key(), Version: req.GetVersion(), ClientID: &client}, Listener: listener, Controller: controller,
		Principal: server.Anonymous, Conn: &server.ConnState{ID: 9}, Context: context.Background()}
	answer := row.Handle(c, req)
	if answer.Response() == nil { // encoded already
		frame, _, _ := answer.Splice()
		_, resp, err := protocol.DecodeResponse(req, frame[4:])
		require.NoError(t, err)
		return resp.(P)
	}
	return answer.Response().(P)
}

func metadataRequest(v int16, names ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = v
	req.Topics = []kmsg.MetadataRequestTopic{}
	for i := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &names[i]
		req.Topics = append(req.Topics, t)
	}
	return req
}

func TestMetadataNamesLiveBrokersOfTheListener(t *testing.T) {
	d := pictured(t, nil)
	resp := put[*kmsg.MetadataResponse](t, d, "PLAINTEXT", false, metadataRequest(13))
	require.Len(t, resp.Brokers, 2)
	assert.Equal(t, "one", resp.Brokers[0].Host)
	assert.Equal(t, int32(9002), resp.Brokers[1].Port)
	assert.Equal(t, "r2", *resp.Brokers[1].Rack)
	assert.Equal(t, "the-cluster", *resp.ClusterID)
	assert.Equal(t, int32(1), resp.ControllerID)
	resp = put[*kmsg.MetadataResponse](t, d, "INTERNAL", false, metadataRequest(13))
	require.Len(t, resp.Brokers, 3)
	assert.Equal(t, "four-i", resp.Brokers[2].Host)
}

func TestMetadataOfAllTopics(t *testing.T) {
	d := pictured(t, nil, append(topicRecords("b", metadata.PartitionRecord{Replicas: []int32{1}, Leader: 1}), topicRecords("a", metadata.PartitionRecord{Replicas: []int32{1}, Leader: 1})...)...)
	names := func(resp *kmsg.MetadataResponse) (out []string) {
		for _, t := range resp.Topics {
			out = append(out, *t.Topic)
		}
		return out
	}
	null := kmsg.NewPtrMetadataRequest()
	null.Version = 9
	assert.Equal(t, []string{"a", "b"}, names(put[*kmsg.MetadataResponse](t, d, "PLAINTEXT", false, null)))
	assert.Equal(t, []string{"a", "b"}, names(put[*kmsg.MetadataResponse](t, d, "PLAINTEXT", false, metadataRequest(0))), "v0: empty is all")
	assert.Empty(t, names(put[*kmsg.MetadataResponse](t, d, "PLAINTEXT", false, metadataRequest(1))), "v1: empty is none")
}

func TestMetadataOfAllTopicsIsKeptUntilTheImageMoves(t *testing.T) {
	one := metadata.PartitionRecord{Replicas: []int32{1}, Leader: 1}
	d := pictured(t, nil, topicRecords("a", one)...)
	all := func(v int16) *kmsg.MetadataRequest {
		req := kmsg.NewPtrMetadataRequest()
		req.Version = v
		return req
	}
	frameOf := func(v int16) []byte {
		row, _ := d.Lookup(3, false)
		frame, _, _ := row.Handle(&server.Ctx{Listener: "PLAINTEXT", Context: context.Background()}, all(v)).Splice()
		return frame
	}
	same := func(a, b []byte) bool { return &a[0] == &b[0] }
	first := frameOf(12)
	assert.True(t, same(first, frameOf(12)))
	assert.False(t, same(first, frameOf(13)))

	img := d.h.Images.Image()
	delta := metadata.NewDelta(img)
	require.NoError(t, delta.Replay(img.Offset+1, 1, &metadata.NoOpRecord{}))
	d.h.Images.Publish(delta.Apply())
	assert.True(t, same(first, frameOf(12)), "a record that changes no topic keeps the answer")

	delta = metadata.NewDelta(d.h.Images.Image())
	for _, r := range topicRecords("b", one) {
		require.NoError(t, delta.Replay(d.h.Images.Image().Offset+1, 1, r))
	}
	d.h.Images.Publish(delta.Apply())
	assert.False(t, same(first, frameOf(12)))
	assert.Len(t, put[*kmsg.MetadataResponse](t, d, "PLAINTEXT", false, all(12)).Topics, 2)
}

func BenchmarkMetadata(b *testing.B) {
	var parts []metadata.PartitionRecord
	for range 10 {
		parts = append(parts, metadata.PartitionRecord{Replicas: []int32{1, 2}, Leader: 1})
	}
	var records []metadata.Record
	for i := range int32(1000) {
		records = append(records, topicRecords("topic-"+itoa(i), parts...)...)
	}
	d := pictured(b, nil, records...)
	row, _ := d.Lookup(3, false)
	c := &server.Ctx{Listener: "PLAINTEXT", Context: context.Background()}
	all := kmsg.NewPtrMetadataRequest()
	all.Version = 12
	b.Run("all of 10000 partitions, first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d.metadatas = metadataCache{}
			row.Handle(c, all)
		}
	})
	b.Run("all of 10000 partitions, again", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			row.Handle(c, all)
		}
	})
	b.Run("one topic", func(b *testing.B) {
		b.ReportAllocs()
		one := metadataRequest(12, "topic-7")
		for b.Loop() {
			row.Handle(c, one)
		}
	})
}

func TestMetadataErrorsByVersion(t *testing.T) {
	d := pictured(t, map[string]string{"auto.create.topics.enable": "false"}, append(append(append(
		topicRecords("here", metadata.PartitionRecord{Replicas: []int32{1, 2, 3}, Isr: []int32{1, 2}, Leader: 1, LeaderEpoch: 5}),
		topicRecords("dead", metadata.PartitionRecord{Replicas: []int32{3}, Leader: -1})...),
		topicRecords("away", metadata.PartitionRecord{Replicas: []int32{4}, Leader: 4})...),
		topicRecords("__consumer_offsets", metadata.PartitionRecord{Replicas: []int32{1}, Leader: 1})...)...)
	for _, c := range []struct {
		name          string
		version       int16
		topic, part   int16
		leader        int32
		replicas, isr []int32
		offline       []int32
		noSuchTopic   bool
	}{
		{name: "here", version: 13, leader: 1, replicas: []int32{1, 2, 3}, isr: []int32{1, 2}, offline: []int32{3}},
		{name: "here", version: 4, leader: 1, replicas: []int32{1, 2, 3}, isr: []int32{1, 2}},
		{name: "here", version: 0, part: 9, leader: 1, replicas: []int32{1, 2}, isr: []int32{1, 2}},
		{name: "dead", version: 9, part: 5, leader: -1, replicas: []int32{3}, isr: []int32{3}, offline: []int32{3}},
		{name: "away", version: 5, part: 5, leader: -1, replicas: []int32{4}, isr: []int32{4}, offline: []int32{4}},
		{name: "away", version: 6, part: 72, leader: -1, replicas: []int32{4}, isr: []int32{4}, offline: []int32{4}},
		{name: "none", version: 9, topic: 3, noSuchTopic: true},
		{name: "bad/name", version: 9, topic: 17, noSuchTopic: true},
		{name: "", version: 1, topic: 17, noSuchTopic: true},
	} {
		resp := put[*kmsg.MetadataResponse](t, d, "PLAINTEXT", false, metadataRequest(c.version, c.name))
		require.Len(t, resp.Topics, 1)
		got := resp.Topics[0]
		assert.Equal(t, c.topic, got.ErrorCode, "%+v", c)
		if c.noSuchTopic {
			assert.Empty(t, got.Partitions)
			continue
		}
		p := got.Partitions[0]
		assert.Equal(t, c.part, p.ErrorCode, "%+v", c)
		assert.Equal(t, c.leader, p.Leader)
		assert.Equal(t, c.replicas, p.Replicas)
		assert.Equal(t, c.isr, p.ISR)
		assert.Equal(t, c.offline, p.OfflineReplicas)
	}
	resp := put[*kmsg.MetadataResponse](t, d, "PLAINTEXT", false, metadataRequest(9, "__consumer_offsets", "here", "here"))
	require.Len(t, resp.Topics, 2, "doubles are answered once")
	assert.True(t, resp.Topics[0].IsInternal)
	assert.False(t, resp.Topics[1].IsInternal)
}

func TestMetadataById(t *testing.T) {
	d := pictured(t, nil, topicRecords("a", metadata.PartitionRecord{Replicas: []int32{1}, Leader: 1})...)
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	for _, id := range []protocol.UUID{topicID("a"), topicID("gone")} {
		topic := kmsg.NewMetadataRequestTopic()
		topic.TopicID = id
		req.Topics = append(req.Topics, topic)
	}
	resp := put[*kmsg.MetadataResponse](t, d, "PLAINTEXT", false, req)
	require.Len(t, resp.Topics, 2)
	assert.Nil(t, resp.Topics[0].Topic)
	assert.Equal(t, kerr.UnknownTopicID.Code, resp.Topics[0].ErrorCode)
	assert.Equal(t, "a", *resp.Topics[1].Topic)

	req.Version = 11
	resp = put[*kmsg.MetadataResponse](t, d, "PLAINTEXT", false, req)
	assert.Equal(t, kerr.InvalidRequest.Code, resp.Topics[0].ErrorCode)
	req.Version = 13
	req.Topics[0].TopicID = [16]byte{}
	resp = put[*kmsg.MetadataResponse](t, d, "PLAINTEXT", false, req)
	assert.Equal(t, kerr.UnknownServerError.Code, resp.ErrorCode)
}

func TestMetadataAuthorizedOperations(t *testing.T) {
	d := pictured(t, nil, topicRecords("a", metadata.PartitionRecord{Replicas: []int32{1}, Leader: 1})...)
	req := metadataRequest(8, "a")
	resp := put[*kmsg.MetadataResponse](t, d, "PLAINTEXT", false, req)
	assert.Equal(t, int32(-1<<31), resp.AuthorizedOperations)
	assert.Equal(t, int32(-1<<31), resp.Topics[0].AuthorizedOperations)
	req.IncludeClusterAuthorizedOperations, req.IncludeTopicAuthorizedOperations = true, true
	resp = put[*kmsg.MetadataResponse](t, d, "PLAINTEXT", false, req)
	assert.Equal(t, int32(8096), resp.AuthorizedOperations)
	assert.Equal(t, int32(3576), resp.Topics[0].AuthorizedOperations)
}

// recordingClient keeps what was sent to the controller.
type recordingClient struct {
	sent []*kmsg.EnvelopeRequest
}

func (r *recordingClient) Send(_ context.Context, req kmsg.Request) (kmsg.Response, error) {
	e := req.(*kmsg.EnvelopeRequest)
	r.sent = append(r.sent, e)
	resp := e.ResponseKind().(*kmsg.EnvelopeResponse)
	h, body, err := protocol.ParseRequestHeader(e.RequestData)
	if err != nil {
		return nil, err
	}
	inner, err := protocol.DecodeRequest(h, body)
	if err != nil {
		return nil, err
	}
	resp.ResponseData = protocol.AppendResponse(nil, h.CorrelationID, inner.ResponseKind())[4:]
	return resp, nil
}

func TestMetadataCreatesUnknownTopicsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := pictured(t, map[string]string{"num.partitions": "3"})
		client := &recordingClient{}
		d.h.Controllers = client
		for range 3 {
			resp := put[*kmsg.MetadataResponse](t, d, "PLAINTEXT", false, func() *kmsg.MetadataRequest {
				req := metadataRequest(9, "fresh", "__consumer_offsets", "bad/name")
				req.AllowAutoTopicCreation = true
				return req
			}())
			assert.Equal(t, kerr.UnknownTopicOrPartition.Code, resp.Topics[0].ErrorCode)
			assert.Equal(t, kerr.InvalidTopicException.Code, resp.Topics[2].ErrorCode)
		}
		put[*kmsg.MetadataResponse](t, d, "PLAINTEXT", false, metadataRequest(9, "not-wanted"))
		put[*kmsg.MetadataResponse](t, d, "PLAINTEXT", false, metadataRequest(3, "old-client"))
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); d.Run(ctx) }()
		synctest.Wait()
		cancel()
		<-done
		require.Len(t, client.sent, 2)
		h, body, err := protocol.ParseRequestHeader(client.sent[0].RequestData)
		require.NoError(t, err)
		inner, err := protocol.DecodeRequest(h, body)
		require.NoError(t, err)
		topics := inner.(*kmsg.CreateTopicsRequest).Topics
		require.Len(t, topics, 2)
		assert.Equal(t, "fresh", topics[0].Topic)
		assert.Equal(t, int32(3), topics[0].NumPartitions)
		assert.Equal(t, int16(-1), topics[0].ReplicationFactor)
		assert.Equal(t, int32(50), topics[1].NumPartitions)
		assert.Equal(t, "cleanup.policy", topics[1].Configs[0].Name)
		principal, err := decodePrincipal(client.sent[0].RequestPrincipal)
		require.NoError(t, err)
		assert.Equal(t, server.Anonymous, principal)
	})
}
