package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/protocol"
)

// DeleteRecords, v0-2. Raises the log start of partitions and waits until all live replicas have followed.
//
// Versions:  1 throttle before the answer · 2 flexible
// Errors:    UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, OFFSET_OUT_OF_RANGE, POLICY_VIOLATION,
// INVALID_TOPIC_EXCEPTION, REQUEST_TIMED_OUT, KAFKA_STORAGE_ERROR
// Needs:     DELETE on TOPIC
// Differs from Kafka: nothing known.
var deleteRecords = define(0, 2, OnBroker, (*Handlers).deleteRecords)

// deletion is one partition of a request on its way.
type deletion struct {
	p        *replica.Partition
	required int64
	pending  bool
	out      *kmsg.DeleteRecordsResponseTopicPartition
}

func (h *Handlers) deleteRecords(c *server.Ctx, req *kmsg.DeleteRecordsRequest) *kmsg.DeleteRecordsResponse {
	resp := kmsg.NewPtrDeleteRecordsResponse()
	resp.Version = req.Version
	view := h.Data.Replicas.View()
	offsets := map[protocol.TopicPartition]int64{} // of a partition that is named twice the last offset counts
	for i := range req.Topics {
		for _, p := range req.Topics[i].Partitions {
			offsets[protocol.TopicPartition{Topic: req.Topics[i].Topic, Partition: p.Partition}] = p.Offset
		}
	}
	size := map[string]int{} // partitions of a topic, wherever the request names it
	for tp := range offsets {
		size[tp.Topic]++
	}
	answers := map[string]*kmsg.DeleteRecordsResponseTopic{}
	resp.Topics = make([]kmsg.DeleteRecordsResponseTopic, 0, len(size)) // both lists are kept in place: they are pointed into
	var deletions []*deletion
	for i := range req.Topics {
		t := &req.Topics[i]
		topic := view.ByName(t.Topic)
		for _, p := range t.Partitions {
			tp := protocol.TopicPartition{Topic: t.Topic, Partition: p.Partition}
			offset, ok := offsets[tp]
			if !ok {
				continue
			}
			delete(offsets, tp)
			out := answers[t.Topic]
			if out == nil {
				resp.Topics = append(resp.Topics, kmsg.DeleteRecordsResponseTopic{Topic: t.Topic,
					Partitions: make([]kmsg.DeleteRecordsResponseTopicPartition, 0, size[t.Topic])})
				out = &resp.Topics[len(resp.Topics)-1]
				answers[t.Topic] = out
			}
			out.Partitions = append(out.Partitions, kmsg.DeleteRecordsResponseTopicPartition{Partition: p.Partition})
			d := &deletion{out: &out.Partitions[len(out.Partitions)-1]}
			h.deleteFrom(topic, d, tp, offset)
			deletions = append(deletions, d)
		}
	}
	if !settleDeletions(deletions) {
		h.awaitDeletions(c, deletions, time.Duration(req.TimeoutMillis)*time.Millisecond)
	}
	return resp
}

// deleteFrom deletes on this broker, which leads or refuses.
func (h *Handlers) deleteFrom(topic *replica.Topic, d *deletion, tp protocol.TopicPartition, offset int64) {
	d.out.LowWatermark = -1
	var err error
	switch {
	case !topic.Exists(tp.Partition):
		err = kerr.UnknownTopicOrPartition
	case internalTopics[tp.Topic]:
		err = kerr.InvalidTopicException
	default:
		if d.p, err = topic.Partition(tp.Partition); err == nil {
			d.required, err = d.p.DeleteRecords(offset)
		}
	}
	d.pending = err == nil
	d.out.ErrorCode = h.codeOf(err, "deleting records failed", tp)
}

// settleDeletions looks at what is pending, and reports whether nothing is any more.
func settleDeletions(deletions []*deletion) bool {
	settled := true
	for _, d := range deletions {
		if !d.pending {
			continue
		}
		done, low, err := d.p.Deleted(d.required)
		d.pending = !done
		d.out.LowWatermark, d.out.ErrorCode = low, protocol.CodeOf(err)
		settled = settled && done
	}
	return settled
}

// awaitDeletions waits for the followers' log starts, which they tell with their fetches.
func (h *Handlers) awaitDeletions(c *server.Ctx, deletions []*deletion, timeout time.Duration) {
	ended := c.Park().Done()
	wake := replica.NewWake()
	for _, d := range deletions {
		if d.pending {
			watch := d.p.NewWatch(wake, replica.LowWatermark, nil)
			watch.Arm(d.required)
			defer watch.Disarm()
		}
	}
	timer := h.Data.Clocks.Real.NewTimer(timeout)
	defer timer.Stop()
	for waiting := true; waiting && !settleDeletions(deletions); {
		select {
		case <-wake.C():
		case <-timer.C():
			waiting = false
		case <-ended:
			waiting = false
		}
	}
	if settleDeletions(deletions) {
		return
	}
	for _, d := range deletions {
		if d.pending {
			d.out.ErrorCode = kerr.RequestTimedOut.Code
		}
	}
}
