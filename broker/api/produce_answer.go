package api

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/record"
)

// produceWait waits for the high watermarks of the partitions that are pending.
type produceWait struct {
	parts   []producePart
	wake    *replica.Wake
	watches []*replica.Watch
}

func newProduceWait(parts []producePart) *produceWait {
	w := &produceWait{parts: parts, wake: replica.NewWake()}
	for i := range parts {
		if part := &parts[i]; part.pending {
			watch := part.p.NewWatch(w.wake, replica.HighWatermark, nil)
			watch.Arm(part.a.Required())
			w.watches = append(w.watches, watch)
		}
	}
	return w
}

// settle looks at what is pending, and reports whether nothing is any more.
func (w *produceWait) settle() bool {
	pending := false
	for i := range w.parts {
		if part := &w.parts[i]; part.pending {
			done, err := part.p.Acked(part.a)
			part.pending, part.err = !done, err
			pending = pending || !done
		}
	}
	return !pending
}

// wait returns when all is settled, or at the deadline, which makes the rest REQUEST_TIMED_OUT.
func (w *produceWait) wait(ctx context.Context, real clock.Clock, deadline time.Time) {
	defer func() {
		for _, watch := range w.watches {
			watch.Disarm()
		}
	}()
	if w.settle() {
		return
	}
	timer := real.NewTimer(deadline.Sub(real.Now()))
	defer timer.Stop()
	for {
		select {
		case <-w.wake.C():
			if w.settle() {
				return
			}
			continue
		case <-timer.C():
		case <-ctx.Done():
		}
		break
	}
	if !w.settle() {
		expire(w.parts)
	}
}

// expire ends the wait of what is still pending.
func expire(parts []producePart) {
	for i := range parts {
		if part := &parts[i]; part.pending {
			part.pending, part.err = false, kerr.RequestTimedOut
		}
	}
}

// produceAnswer shapes a response; it outlives the request.
type produceAnswer struct {
	h        *Handlers
	version  int16
	listener string
}

func (o *produceAnswer) response(view *replica.View, parts []producePart) *kmsg.ProduceResponse {
	resp := kmsg.NewPtrProduceResponse()
	resp.Version = o.version
	out := make([]kmsg.ProduceResponseTopicPartition, len(parts))
	start := 0
	for i := range parts {
		part := &parts[i]
		o.one(view, resp, &out[i], part)
		last := i+1 == len(parts)
		if last || parts[i+1].topic != part.topic || parts[i+1].id != part.id {
			resp.Topics = append(resp.Topics, kmsg.ProduceResponseTopic{Topic: part.topic, TopicID: part.id, Partitions: out[start : i+1]})
			start = i + 1
		}
	}
	return resp
}

// one answers a partition. After a timeout, or when the ISR became too small, the offsets are those of the append.
func (o *produceAnswer) one(view *replica.View, resp *kmsg.ProduceResponse, out *kmsg.ProduceResponseTopicPartition, part *producePart) {
	out.Partition = part.index
	out.BaseOffset, out.LogAppendTime, out.LogStartOffset = -1, -1, part.logged
	out.CurrentLeader = kmsg.ProduceResponseTopicPartitionCurrentLeader{LeaderID: -1, LeaderEpoch: -1}
	if part.written {
		out.BaseOffset, out.LogAppendTime, out.LogStartOffset = part.a.FirstOffset, part.a.LogAppendTime, part.a.LogStartOffset
	}
	if part.err == nil {
		return
	}
	out.ErrorCode = o.h.codeOf(part.err, "produce failed", protocol.TopicPartition{Topic: part.name, Partition: part.index})
	if part.custom {
		out.ErrorMessage = protocol.MessageOf(part.err)
	}
	var bad *record.RecordErrors
	if errors.As(part.err, &bad) {
		out.ErrorMessage = protocol.MessageOf(bad.Err)
		for _, r := range bad.Records {
			text := r.Message
			out.ErrorRecords = append(out.ErrorRecords, kmsg.ProduceResponseTopicPartitionErrorRecord{RelativeOffset: r.BatchIndex, ErrorMessage: &text})
		}
	}
	if o.version >= 10 && out.ErrorCode == kerr.NotLeaderForPartition.Code {
		o.hint(view, resp, out, part)
	}
}

func (o *produceAnswer) hint(view *replica.View, resp *kmsg.ProduceResponse, out *kmsg.ProduceResponseTopicPartition, part *producePart) {
	topic := view.ByID(part.id)
	if part.id.IsZero() {
		topic = view.ByName(part.topic)
	}
	hint := hintFor(view, topic, part.index, part.p, o.listener)
	out.CurrentLeader.LeaderID, out.CurrentLeader.LeaderEpoch = hint.id, hint.epoch
	if !hint.reachable {
		return
	}
	for i := range resp.Brokers {
		if resp.Brokers[i].NodeID == hint.id {
			return
		}
	}
	resp.Brokers = append(resp.Brokers, kmsg.ProduceResponseBroker{NodeID: hint.id, Host: hint.host, Port: hint.port, Rack: hint.rack})
}
