package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/protocol"
)

// ListOffsets, v1-11. Finds offsets by timestamp, and the ends of a partition by timestamps with a meaning of their
// own.
//
// Versions:  2 isolation level · 4 leader epoch (KIP-320) · 5 OFFSET_NOT_AVAILABLE (KIP-207) · 6 flexible ·
// 7 timestamp -3 (KIP-734) · 8 -4 (KIP-405) · 9 -5 (KIP-1005) · 10 timeout · 11 -6 (KIP-1023)
// Errors:    UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH,
// OFFSET_NOT_AVAILABLE (LEADER_NOT_AVAILABLE below v5), UNSUPPORTED_VERSION, INVALID_REQUEST, KAFKA_STORAGE_ERROR
// Needs:     DESCRIBE on TOPIC
// Differs from Kafka: nothing known. There is no tiered storage: -5 and -6 find nothing.
var listOffsets = define(1, 11, OnBroker, (*Handlers).listOffsets)

// debugReplica may ask a broker that does not lead.
const debugReplica = -2

// timestampSince is the version from which a special timestamp is known, by its negation.
var timestampSince = [...]int16{1: 1, 2: 1, 3: 7, 4: 8, 5: 9, 6: 11}

func (h *Handlers) listOffsets(c *server.Ctx, req *kmsg.ListOffsetsRequest) *kmsg.ListOffsetsResponse {
	resp := kmsg.NewPtrListOffsetsResponse()
	resp.Version = req.Version
	view := h.Data.Replicas.View()
	twice := listedTwice(req)
	done := map[protocol.TopicPartition]bool{}
	answered := map[string]int{} // a topic that is named twice is answered once
	for i := range req.Topics {
		t := &req.Topics[i]
		out := kmsg.NewListOffsetsResponseTopic()
		out.Topic = t.Topic
		topic := view.ByName(t.Topic)
		for j := range t.Partitions {
			r := &t.Partitions[j]
			tp := protocol.TopicPartition{Topic: t.Topic, Partition: r.Partition}
			found, err := replica.NotFound, error(nil)
			switch {
			case unknownIsolation(req.IsolationLevel):
				err = kerr.UnknownServerError
			case twice[tp]:
				if done[tp] {
					continue // named once more, answered once
				}
				done[tp], err = true, kerr.InvalidRequest
			case unknownTimestamp(r.Timestamp, req.Version):
				err = kerr.UnsupportedVersion
			default:
				found, err = lookUp(topic, r, req)
			}
			out.Partitions = append(out.Partitions, h.listed(tp, found, err, req.Version))
		}
		at, again := answered[t.Topic]
		switch {
		case unknownIsolation(req.IsolationLevel): // the request itself is repeated
			resp.Topics = append(resp.Topics, out)
		case len(out.Partitions) == 0: // a topic without partitions is not answered
		case again:
			resp.Topics[at].Partitions = append(resp.Topics[at].Partitions, out.Partitions...)
		default:
			answered[t.Topic] = len(resp.Topics)
			resp.Topics = append(resp.Topics, out)
		}
	}
	return resp
}

// listedTwice are the partitions that a request names more than once; nil when there are none.
func listedTwice(req *kmsg.ListOffsetsRequest) map[protocol.TopicPartition]bool {
	var twice map[protocol.TopicPartition]bool
	seen := map[protocol.TopicPartition]bool{}
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			tp := protocol.TopicPartition{Topic: t.Topic, Partition: t.Partitions[j].Partition}
			if seen[tp] {
				if twice == nil {
					twice = map[protocol.TopicPartition]bool{}
				}
				twice[tp] = true
			}
			seen[tp] = true
		}
	}
	return twice
}

// unknownIsolation: 0 is read_uncommitted, 1 read_committed; Kafka fails on others without a code of their own.
func unknownIsolation(level int8) bool { return level != 0 && level != 1 }

func unknownTimestamp(ts int64, version int16) bool {
	return ts < 0 && (ts <= -int64(len(timestampSince)) || version < timestampSince[-ts])
}

func lookUp(topic *replica.Topic, r *kmsg.ListOffsetsRequestTopicPartition, req *kmsg.ListOffsetsRequest) (replica.Found, error) {
	p, err := topic.Partition(r.Partition)
	if err != nil {
		return replica.NotFound, err
	}
	l := replica.Lookup{Timestamp: r.Timestamp, LeaderEpoch: -1, NeedLeader: req.ReplicaID != debugReplica,
		Client: req.ReplicaID == consumerReplica, Bound: replica.HighWatermark}
	if req.Version >= 4 {
		l.LeaderEpoch = r.CurrentLeaderEpoch
	}
	if req.IsolationLevel == 1 {
		l.Bound = replica.LastStable
	}
	return p.OffsetFor(l)
}

func (h *Handlers) listed(tp protocol.TopicPartition, found replica.Found, err error, version int16) kmsg.ListOffsetsResponseTopicPartition {
	out := kmsg.NewListOffsetsResponseTopicPartition()
	out.Partition = tp.Partition
	out.Timestamp, out.Offset, out.LeaderEpoch = found.Timestamp, found.Offset, found.Epoch
	out.ErrorCode = h.codeOf(err, "listing offsets failed", tp)
	if out.ErrorCode == kerr.OffsetNotAvailable.Code && version < 5 {
		out.ErrorCode = kerr.LeaderNotAvailable.Code
	}
	return out
}
