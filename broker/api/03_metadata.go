package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// Metadata, v0-13. Brokers and topics as clients of this listener reach them; may create topics.
//
// Versions:  0 an empty list is all topics, down replicas are left out with REPLICA_NOT_AVAILABLE · 1 null is
// all, empty none; controller, rack · 2 cluster id · 4 auto-create switch · 5 offline replicas · 6
// LISTENER_NOT_FOUND instead of LEADER_NOT_AVAILABLE · 7 leader epoch · 8-10 cluster operations · 8 topic
// operations · 9 flexible · 10 topic id in the answer (KIP-516) · 12 asks by topic id · 13 top-level error
// Errors:    UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, UNKNOWN_TOPIC_ID, LEADER_NOT_AVAILABLE,
// LISTENER_NOT_FOUND, REPLICA_NOT_AVAILABLE, INVALID_REQUEST
// Needs:     DESCRIBE on TOPIC; CREATE on CLUSTER or TOPIC for auto-creation
// Differs from Kafka: topics come in the order asked, all topics by name; the controller named is this broker
// while it is unfenced, where Kafka draws a live broker by lot; a topic that is created on demand is waited for
// for a moment, where Kafka answers UNKNOWN_TOPIC_OR_PARTITION first.
var metadataRow = defineTableAnswer(0, 13, OnBroker, (*Dispatcher).metadata)

func (d *Dispatcher) metadata(c *server.Ctx, req *kmsg.MetadataRequest) server.Answer {
	img := d.h.Images.Image()
	if req.Topics != nil && (req.Version > 0 || len(req.Topics) > 0) {
		return server.Reply(d.metadataOf(c, req, d.createMissing(c, req, img), false))
	}
	key := metadataKey{c.Listener, req.Version, req.IncludeClusterAuthorizedOperations, req.IncludeTopicAuthorizedOperations}
	frame := d.metadatas.get(img, key)
	if frame == nil {
		frame = protocol.AppendResponse(nil, 0, d.metadataOf(c, req, img, true))
		d.metadatas.put(img, key, frame)
	}
	return server.Prepared(frame)
}

// metadataOf answers one request from one image; all asks for every topic.
func (d *Dispatcher) metadataOf(c *server.Ctx, req *kmsg.MetadataRequest, img *metadata.Image, all bool) *kmsg.MetadataResponse {
	h := d.h
	version := req.Version
	byID := false
	for _, t := range req.Topics {
		hasID := t.TopicID != [16]byte{}
		switch {
		case version < 12 && (t.Topic == nil || hasID):
			return refuseMetadata(req, kerr.InvalidRequest)
		case t.Topic == nil && !hasID:
			return refuseMetadata(req, kerr.UnknownServerError) // neither name nor id: Kafka stumbles over it
		}
		byID = byID || hasID
	}
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	resp.Brokers = d.nodes.of(img, c.Listener)
	resp.ClusterID, resp.ControllerID = &h.ClusterID, h.controllerForClients(img)

	m := metadataAnswer{img: img, listener: c.Listener, version: version}
	switch {
	case all:
		for _, t := range img.Topics.Sorted() {
			m.known(t)
		}
	case byID:
		metadataByID(&m, req)
	default:
		metadataByName(&m, req)
	}
	resp.Topics = m.topics
	if version >= 8 && version <= 10 && req.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = clusterOperations
	}
	if version >= 8 && req.IncludeTopicAuthorizedOperations {
		for i := range resp.Topics {
			if resp.Topics[i].ErrorCode != kerr.UnknownTopicID.Code {
				resp.Topics[i].AuthorizedOperations = topicOperations
			}
		}
	}
	return resp
}

// metadataByID answers ids; names beside them are ignored, ids that are unknown come first.
func metadataByID(m *metadataAnswer, req *kmsg.MetadataRequest) {
	seen := make(map[protocol.UUID]bool, min(len(req.Topics), 1024))
	var known []*metadata.Topic
	for _, asked := range req.Topics {
		id := protocol.UUID(asked.TopicID)
		if id.IsZero() || seen[id] {
			continue
		}
		seen[id] = true
		if t := m.img.Topics.ByID(id); t != nil {
			known = append(known, t)
			continue
		}
		m.failed(nil, id, kerr.UnknownTopicID.Code)
	}
	for _, t := range known {
		m.known(t)
	}
}

// metadataByName answers names; those that are to be created were seen to before.
func metadataByName(m *metadataAnswer, req *kmsg.MetadataRequest) {
	seen := make(map[string]bool, min(len(req.Topics), 1024))
	for _, asked := range req.Topics {
		name := *asked.Topic
		if seen[name] {
			continue
		}
		seen[name] = true
		if t := m.img.Topics.ByName(name); t != nil {
			m.known(t)
		} else if err := validTopic(name); err != nil {
			m.failed(&name, protocol.UUID{}, protocol.CodeOf(err))
		} else {
			m.failed(&name, protocol.UUID{}, kerr.UnknownTopicOrPartition.Code)
		}
	}
}

// metadataAnswer collects topics.
type metadataAnswer struct {
	img      *metadata.Image
	listener string
	version  int16
	topics   []kmsg.MetadataResponseTopic
}

func (m *metadataAnswer) failed(name *string, id protocol.UUID, code int16) {
	t := kmsg.NewMetadataResponseTopic()
	t.Topic, t.TopicID, t.ErrorCode = name, id, code
	t.IsInternal = name != nil && internalTopics[*name]
	if name == nil && m.version < 12 {
		t.Topic = new(string)
	}
	m.topics = append(m.topics, t)
}

func (m *metadataAnswer) known(topic *metadata.Topic) {
	t := kmsg.NewMetadataResponseTopic()
	t.Topic, t.TopicID, t.IsInternal = &topic.Name, topic.ID, internalTopics[topic.Name]
	t.Partitions = make([]kmsg.MetadataResponseTopicPartition, 0, len(topic.Partitions))
	for i, p := range topic.Partitions {
		if p != nil {
			t.Partitions = append(t.Partitions, m.partition(int32(i), p))
		}
	}
	m.topics = append(m.topics, t)
}

func (m *metadataAnswer) partition(index int32, p *metadata.Partition) kmsg.MetadataResponseTopicPartition {
	out := kmsg.NewMetadataResponseTopicPartition()
	out.Partition, out.LeaderEpoch = index, p.LeaderEpoch
	out.Replicas, out.ISR = p.Replicas, p.ISR
	if m.version == 0 {
		out.Replicas, out.ISR = aliveOn(m.img, p.Replicas, m.listener), aliveOn(m.img, p.ISR, m.listener)
	}
	if m.version >= 5 {
		out.OfflineReplicas = offlineReplicas(m.img, p, m.listener)
	}
	registered, reachable := leaderOn(m.img, p, m.listener)
	switch {
	case reachable:
		out.Leader = p.Leader
		if len(out.Replicas) < len(p.Replicas) || len(out.ISR) < len(p.ISR) {
			out.ErrorCode = kerr.ReplicaNotAvailable.Code
		}
	case registered && m.version >= 6:
		out.Leader, out.ErrorCode = -1, kerr.ListenerNotFound.Code
	default:
		out.Leader, out.ErrorCode = -1, kerr.LeaderNotAvailable.Code
	}
	return out
}

// refuseMetadata fails the request as a whole: each topic carries the code, and the top from v13.
func refuseMetadata(req *kmsg.MetadataRequest, err *kerr.Error) *kmsg.MetadataResponse {
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	resp.ErrorCode, resp.ControllerID = err.Code, -1
	for _, asked := range req.Topics {
		t := kmsg.NewMetadataResponseTopic()
		t.Topic, t.TopicID, t.ErrorCode = asked.Topic, asked.TopicID, err.Code
		if t.Topic == nil {
			t.Topic = new(string)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}
