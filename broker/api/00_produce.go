package api

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
	"github.com/dohle-io/dohle/storage"
)

// Produce, v3-13. Appends one batch per partition.
//
// Versions:  7 zstd (KIP-110) · 8 record errors and message (KIP-467) · 9 flexible · 10 leader hint (KIP-951) ·
// 11 TRANSACTION_ABORTABLE (KIP-890) · 12 adds the partition to the transaction · 13 topic ids (KIP-516)
// Errors:    INVALID_REQUIRED_ACKS, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, NOT_LEADER_OR_FOLLOWER,
// INVALID_TOPIC_EXCEPTION, INVALID_RECORD, CORRUPT_MESSAGE, INVALID_TIMESTAMP, MESSAGE_TOO_LARGE,
// RECORD_LIST_TOO_LARGE, UNSUPPORTED_COMPRESSION_TYPE, OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH,
// UNKNOWN_PRODUCER_ID, INVALID_TXN_STATE, NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND,
// REQUEST_TIMED_OUT, KAFKA_STORAGE_ERROR
// Needs:     WRITE on TOPIC; WRITE on TRANSACTIONAL_ID when the batches are transactional
// Differs from Kafka: transactions are not served yet, so a transactional batch is answered as one of a producer
// without an ongoing transaction. Null records are INVALID_RECORD, where Kafka never answers.
var produce = defineAnswer(3, 13, OnBroker, (*Handlers).produce).advertisedFrom(0).pipelined()

// adminClient may write to internal topics: it is what Kafka's own inter-broker tools call themselves.
const adminClient = "__admin_client"

// produceScratch is what a connection keeps between its requests.
type produceScratch struct {
	parts  []producePart
	seen   map[partKey]int
	topics map[partKey]int // of each topic, where the request names it first
}

// producePart is one partition of a request on its way.
type producePart struct {
	partKey
	name    string
	p       *replica.Partition
	records []byte
	err     error
	custom  bool  // err's text goes to the client
	logged  int64 // log start offset to answer, -1 = not known
	pending bool  // acks=all: waits for the high watermark
	written bool  // a is set
	a       replica.Appended
}

func (h *Handlers) produce(c *server.Ctx, req *kmsg.ProduceRequest) server.Answer {
	s := &scratchOf(c).produce
	parts := s.take(req)
	view := h.Data.Replicas.View()
	if err := h.appendAll(c, view, req, parts); err != nil {
		for i := range parts {
			parts[i].err, parts[i].custom, parts[i].logged = err, false, -1
		}
	}
	acks, timeout := req.Acks, time.Duration(req.TimeoutMillis)*time.Millisecond
	pending := false
	for i := range parts {
		part := &parts[i]
		part.records = nil
		if part.err == nil && acks == replica.AcksAll {
			done, err := part.p.Acked(part.a)
			part.pending, part.err = !done, err
			pending = pending || !done
		}
	}
	c.ReleaseFrame()
	if acks == replica.AcksNone {
		return h.unacknowledged(parts)
	}
	if pending && timeout > 0 {
		return h.acknowledgeLater(c, req.Version, parts, timeout)
	}
	expire(parts)
	answer := produceAnswer{h: h, version: req.Version, listener: c.Listener}
	resp := answer.response(view, parts)
	s.clear()
	return server.Reply(resp)
}

// acknowledgeLater answers when the high watermarks have passed; the connection goes on with further produce requests
// meanwhile. What waits holds no bytes of the request.
func (h *Handlers) acknowledgeLater(c *server.Ctx, version int16, parts []producePart, timeout time.Duration) server.Answer {
	w := newProduceWait(append([]producePart(nil), parts...))
	clear(parts)
	answer := produceAnswer{h: h, version: version, listener: c.Listener}
	deadline := c.Now.Add(timeout)
	return server.Later(func(ctx context.Context) server.Answer {
		w.wait(ctx, h.Data.Clocks.Real, deadline)
		return server.Reply(answer.response(h.Data.Replicas.View(), w.parts))
	}).WhenReady(w.settle)
}

// take lists the request's partitions in order. Of one that is named twice the last entry counts, as in Kafka.
func (s *produceScratch) take(req *kmsg.ProduceRequest) []producePart {
	s.parts = s.parts[:0]
	n := 0
	for i := range req.Topics {
		n += len(req.Topics[i].Partitions)
	}
	if n > 1 {
		if s.seen == nil {
			s.seen = map[partKey]int{}
		}
		clear(s.seen)
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			r := &t.Partitions[j]
			key := partKey{topic: t.Topic, id: t.TopicID, index: r.Partition}
			part := producePart{partKey: key, records: r.Records, logged: -1}
			if n > 1 {
				if at, ok := s.seen[key]; ok {
					s.parts[at] = part
					continue
				}
				s.seen[key] = len(s.parts)
			}
			s.parts = append(s.parts, part)
		}
	}
	if len(req.Topics) > 1 {
		s.gather(req)
	}
	return s.parts
}

// gather brings the partitions of a topic that is named more than once together, as Kafka answers them.
func (s *produceScratch) gather(req *kmsg.ProduceRequest) {
	if s.topics == nil {
		s.topics = map[partKey]int{}
	}
	clear(s.topics)
	for i := range req.Topics {
		key := partKey{topic: req.Topics[i].Topic, id: req.Topics[i].TopicID}
		if _, ok := s.topics[key]; !ok {
			s.topics[key] = i
		}
	}
	if len(s.topics) == len(req.Topics) {
		return
	}
	first := func(part *producePart) int { return s.topics[partKey{topic: part.topic, id: part.id}] }
	slices.SortStableFunc(s.parts, func(a, b producePart) int { return first(&a) - first(&b) })
}

func (s *produceScratch) clear() {
	clear(s.parts)
	s.parts = s.parts[:0]
}

// appendAll appends what can be appended; the outcome stands in each part. An error refuses the whole request.
func (h *Handlers) appendAll(c *server.Ctx, view *replica.View, req *kmsg.ProduceRequest, parts []producePart) error {
	if err := checkTransactional(req, parts); err != nil {
		return err
	}
	internalAllowed := c.Header.ClientID != nil && *c.Header.ClientID == adminClient
	for i := range parts {
		part := &parts[i]
		batch, err := part.find(view, req.Version)
		switch {
		case err != nil:
			part.err = err
		case batch.IsTransactional():
			part.refuseTransactional(view)
		case req.Acks != replica.AcksNone && req.Acks != replica.AcksLeader && req.Acks != replica.AcksAll:
			part.err = kerr.InvalidRequiredAcks
		case internalTopics[part.name] && !internalAllowed:
			part.err = kerr.InvalidTopicException
		default:
			h.append(view, req, part, batch)
		}
	}
	return nil
}

// checkTransactional looks over the first batches before anything is written: transactional ones need the request's
// transactional id and all the same producer.
func checkTransactional(req *kmsg.ProduceRequest, parts []producePart) error {
	type producer struct {
		id    int64
		epoch int16
	}
	var first *producer
	for i := range parts {
		batch, _, err := record.Next(parts[i].records)
		if err != nil || len(batch) == 0 || !batch.IsTransactional() {
			continue
		}
		if req.TransactionID == nil {
			return kerr.TransactionalIDAuthorizationFailed
		}
		p := producer{batch.ProducerID(), batch.ProducerEpoch()}
		if first == nil {
			first = &p
		} else if *first != p {
			return kerr.InvalidProducerIDMapping
		}
	}
	return nil
}

// find resolves the topic and looks at the shape of the records: exactly one batch of magic 2. Whether this broker
// leads is found out later, so that a bad request is told so by any broker.
func (part *producePart) find(view *replica.View, version int16) (record.Batch, error) {
	var topic *replica.Topic
	if version >= 13 {
		if topic = view.ByID(part.id); topic == nil {
			return nil, kerr.UnknownTopicID
		}
		part.name = topic.Name
	} else {
		topic, part.name = view.ByName(part.topic), part.topic
	}
	if !topic.Exists(part.index) {
		return nil, kerr.UnknownTopicOrPartition
	}
	batch, rest, err := record.Next(part.records)
	switch {
	case errors.Is(err, record.ErrShort), err == nil && len(batch) == 0:
		return nil, kerr.InvalidRecord // not one whole batch
	case isAny(err, kerr.UnsupportedForMessageFormat):
		return nil, kerr.InvalidRecord // an old magic
	case err != nil:
		var refused *record.Refusal
		part.custom = errors.As(err, &refused)
		return nil, err
	case version < 7 && batch.Codec() == compress.Zstd:
		return nil, kerr.UnsupportedCompressionType
	}
	if err := moreThanOne(rest); err != nil {
		return nil, err
	}
	return batch, nil
}

// moreThanOne looks at what follows the batch. The beginning of something is let pass, as Kafka's readers ignore it;
// a whole second one, of any format, is not.
func moreThanOne(rest []byte) error {
	_, _, err := record.Next(rest)
	var refused *record.Refusal
	switch {
	case len(rest) == 0, errors.Is(err, record.ErrShort):
		return nil
	case errors.As(err, &refused):
		return kerr.CorruptMessage // no batch, and not the beginning of one
	case err != nil && len(rest)-record.Overhead < int(binary.BigEndian.Uint32(rest[8:])):
		return nil
	}
	return kerr.InvalidRecord
}

// refuseTransactional answers what Kafka's coordinator says about a transactional id that has no producer id.
func (part *producePart) refuseTransactional(view *replica.View) {
	if _, part.err = part.partition(view); part.err == nil {
		part.err = kerr.InvalidProducerIDMapping
	}
}

func (part *producePart) partition(view *replica.View) (*replica.Partition, error) {
	topic := view.ByID(part.id)
	if part.id.IsZero() {
		topic = view.ByName(part.topic)
	}
	return topic.Partition(part.index)
}

// append writes one batch and sorts its failure by what Kafka tells the client about it.
func (h *Handlers) append(view *replica.View, req *kmsg.ProduceRequest, part *producePart, batch record.Batch) {
	p, err := part.partition(view)
	if err != nil {
		part.err = err
		return
	}
	part.p = p
	a, err := p.Append(batch, req.Acks, storage.AppendOptions{Origin: record.Client, ProduceVersion: req.Version})
	if err == nil {
		part.a, part.written = a, true
		return
	}
	part.err = err
	if !isAny(err, kerr.UnknownTopicOrPartition, kerr.NotLeaderForPartition, kerr.MessageTooLarge, kerr.RecordListTooLarge,
		kerr.CorruptMessage, kerr.KafkaStorageError, kerr.UnknownTopicID) {
		part.logged = p.LogStart()
	}
}

// unacknowledged answers nothing, or closes the connection: an acks=0 producer learns of an error in no other way.
func (h *Handlers) unacknowledged(parts []producePart) server.Answer {
	for i := range parts {
		if err := parts[i].err; err != nil {
			return server.Close(fmt.Errorf("produce with acks=0 to %s-%d failed: %w", parts[i].name, parts[i].index, err))
		}
	}
	return server.None()
}
