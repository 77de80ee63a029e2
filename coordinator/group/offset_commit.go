package group

import (
	"context"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/record"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/protocol"
)

// commitChecker is a Group that looks at single partitions of a commit which CheckCommit let pass: an error fails the
// whole request.
type commitChecker interface {
	CheckCommitPartition(c OffsetSender, topic string, id protocol.UUID, partition int32) error
}

// sessionKeeper is a Group whose members live on by committing: the timers that a commit of a member moves.
type sessionKeeper interface {
	KeepSession(memberID string, t coordinator.Turn) []coordinator.Set
}

// OffsetCommit answers key 8, v2-10. Topics and partitions exist, and have name and id in every version: the API handler
// has seen to that.
func (c *Coordinator) OffsetCommit(ctx context.Context, _ Caller, req *kmsg.OffsetCommitRequest) *kmsg.OffsetCommitResponse {
	refuse := func(code int16) *kmsg.OffsetCommitResponse { return commitAnswer(req, code) }
	return ask(ctx, c, req.Group, refuse, func(s *State, t coordinator.Turn) coordinator.Result { return s.offsetCommit(t, req) })
}

// commitAnswer gives every partition the same code.
func commitAnswer(req *kmsg.OffsetCommitRequest, code int16) *kmsg.OffsetCommitResponse {
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	n := 0
	for i := range req.Topics {
		n += len(req.Topics[i].Partitions)
	}
	all := make([]kmsg.OffsetCommitResponseTopicPartition, n)
	resp.Topics = make([]kmsg.OffsetCommitResponseTopic, len(req.Topics))
	for i := range req.Topics {
		in, out := &req.Topics[i], &resp.Topics[i]
		out.Topic, out.TopicID = in.Topic, in.TopicID
		out.Partitions, all = all[:len(in.Partitions):len(in.Partitions)], all[len(in.Partitions):]
		for j := range in.Partitions {
			out.Partitions[j].Partition, out.Partitions[j].ErrorCode = in.Partitions[j].Partition, code
		}
	}
	return resp
}

func (s *State) offsetCommit(t coordinator.Turn, req *kmsg.OffsetCommitRequest) coordinator.Result {
	sender := OffsetSender{MemberID: req.MemberID, InstanceID: req.InstanceID, Generation: req.Generation, Version: req.Version}
	g := s.groups[req.Group]
	if err := checkCommit(g, sender); err != nil {
		return t.Answer(commitAnswer(req, protocol.CodeOf(err)))
	}
	var timers []coordinator.Set
	if keeper, ok := g.(sessionKeeper); ok {
		timers = keeper.KeepSession(req.MemberID, t)
	}
	checker, _ := g.(commitChecker)
	resp := commitAnswer(req, 0)
	w := offsetWriter{group: req.Group, limit: int(config.OffsetMetadataMaxBytes.Get(s.view))}
	w.room(req)
	now := clock.Millis(t.Now)
	for i := range req.Topics {
		topic := &req.Topics[i]
		for j := range topic.Partitions {
			p := &topic.Partitions[j]
			if w.tooLong(p.Metadata) {
				resp.Topics[i].Partitions[j].ErrorCode = kerr.OffsetMetadataTooLarge.Code
				continue
			}
			if checker != nil {
				if err := checker.CheckCommitPartition(sender, topic.Topic, topic.TopicID, p.Partition); err != nil {
					return coordinator.Result{Timers: timers}.And(t.Answer(commitAnswer(req, protocol.CodeOf(err))))
				}
			}
			v := record.OffsetCommitValue{Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, CommitTimestamp: now, ExpireTimestamp: -1, TopicId: topic.TopicID}
			if p.Metadata != nil {
				v.Metadata = *p.Metadata
			}
			if v.LeaderEpoch < 0 {
				v.LeaderEpoch = -1
			}
			if req.RetentionTimeMillis != -1 {
				v.ExpireTimestamp = now + req.RetentionTimeMillis
			}
			w.add(topic.Topic, p.Partition, &v)
		}
	}
	r := t.Answer(resp)
	r.Records, r.Timers = w.records, timers
	return r
}

// checkCommit says whether the sender may commit. A group that does not exist may be committed to by whoever is no member.
func checkCommit(g Group, sender OffsetSender) error {
	switch {
	case g != nil:
		return g.CheckCommit(sender)
	case sender.Generation < 0:
		return nil
	case sender.Version >= 9 && !sender.Transactional:
		return kerr.GroupIDNotFound
	}
	return kerr.IllegalGeneration
}

// offsetWriter makes the records of a group's offsets, in one piece of memory.
type offsetWriter struct {
	group   string
	limit   int // characters of metadata
	records []coordinator.Record
	buf     []byte
	key     record.OffsetCommitKey
}

// room makes room for the records of a request.
func (w *offsetWriter) room(req *kmsg.OffsetCommitRequest) {
	n, size := 0, 0
	for i := range req.Topics {
		topic := &req.Topics[i]
		n += len(topic.Partitions)
		size += len(topic.Partitions) * (len(w.group) + len(topic.Topic) + offsetRecordRoom)
		for j := range topic.Partitions {
			if m := topic.Partitions[j].Metadata; m != nil {
				size += len(*m)
			}
		}
	}
	w.records = make([]coordinator.Record, 0, n)
	w.buf = make([]byte, 0, size)
}

// offsetRecordRoom is more than what a record takes besides names and metadata.
const offsetRecordRoom = 64

func (w *offsetWriter) add(topic string, partition int32, v *record.OffsetCommitValue) {
	w.key = record.OffsetCommitKey{Group: w.group, Topic: topic, Partition: partition}
	start := len(w.buf)
	w.buf = record.AppendKey(w.buf, &w.key)
	middle := len(w.buf)
	w.buf = record.AppendValue(w.buf, v, record.WriteVersion(v))
	end := len(w.buf)
	w.records = append(w.records, coordinator.Record{Key: w.buf[start:middle:middle], Value: w.buf[middle:end:end]})
}

// tooLong counts as Java does, in UTF-16 units.
func (w *offsetWriter) tooLong(metadata *string) bool {
	if metadata == nil || len(*metadata) <= w.limit {
		return false
	}
	n := 0
	for _, r := range *metadata {
		n += max(1, utf16.RuneLen(r))
	}
	return n > w.limit
}

// offsetTombstone deletes an offset.
func offsetTombstone(group, topic string, partition int32) coordinator.Record {
	return encode(&record.OffsetCommitKey{Group: group, Topic: topic, Partition: partition}, nil)
}
