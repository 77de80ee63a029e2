package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/protocol"
)

// noAborted is an empty list: read_committed answers never carry null.
var noAborted = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}

// answer builds the response of a fetch from the hits of its last pass. It is called with the session locked and
// unlocks it.
func (f *fetchCall) answer(open bool, now int64) server.Answer {
	s := f.s
	s.partitions, s.starts, s.sizes, s.bodies = s.partitions[:0], s.starts[:0], s.sizes[:0], s.bodies[:0]
	s.resp = kmsg.FetchResponse{Version: f.version, Topics: s.resp.Topics[:0]}
	if f.session != nil {
		s.resp.SessionID = f.session.id
		f.incremental()
	} else {
		f.complete()
		switch {
		case open:
			s.resp.SessionID = f.openSession(now)
		default:
			f.disarm()
		}
	}
	head, cuts := f.encode()
	for i := range s.hits {
		s.hits[i].part.hit = 0
	}
	f.unlock()
	return server.Spliced(head, cuts, s.bodies)
}

// complete answers all partitions: those that exist, those of ids that nobody knows, those that do not exist.
func (f *fetchCall) complete() {
	unknown := false
	for i := range f.s.hits {
		hit := &f.s.hits[i]
		if hit.unknown {
			unknown = true
			continue
		}
		f.add(hit.part, hit)
	}
	if unknown {
		f.eachUnknown(func(hit *fetchHit) { f.add(hit.part, hit) })
	}
}

// eachUnknown visits what does not exist, unknown ids first.
func (f *fetchCall) eachUnknown(visit func(*fetchHit)) {
	for _, ids := range [2]bool{true, false} {
		for i := range f.s.hits {
			if hit := &f.s.hits[i]; hit.unknown && ids == (hit.code == kerr.UnknownTopicID.Code) {
				visit(hit)
			}
		}
	}
}

// incremental answers the partitions that are news to the client: records, an error, a divergence, or a changed high
// watermark or log start. Partitions that were not looked at may have one of the last two.
func (f *fetchCall) incremental() {
	moved, unknown := false, false
	for _, part := range f.session.order {
		if part.hit == 0 {
			f.unvisited(part)
			continue
		}
		hit := &f.s.hits[part.hit-1]
		unknown = unknown || hit.unknown
		if !hit.unknown {
			moved = f.news(part, hit) || moved
		}
	}
	if unknown {
		f.eachUnknown(func(hit *fetchHit) { f.news(hit.part, hit) })
	}
	if moved {
		f.session.rotate(func(part *fetchPart) bool { return part.hit > 0 && f.s.hits[part.hit-1].Slice.Len() > 0 })
	}
}

// unvisited tells watermarks of a drained partition that moved without bringing records.
func (f *fetchCall) unvisited(part *fetchPart) {
	high, start := part.p.Offset(replica.HighWatermark), part.p.LogStart()
	if high == part.sentHigh && start == part.sentStart {
		return
	}
	part.sentHigh, part.sentStart = high, start
	f.add(part, &fetchHit{part: part, ReadResult: replica.ReadResult{HighWatermark: high, LogStart: start,
		LastStable: part.p.Offset(replica.LastStable)}})
}

// news adds a hit if the client does not know it already, and reports whether it has records.
func (f *fetchCall) news(part *fetchPart, hit *fetchHit) (records bool) {
	records = hit.Slice.Len() > 0
	if !records && hit.code == 0 && !hit.Diverging && part.sentHigh == hit.HighWatermark && part.sentStart == hit.LogStart {
		return false
	}
	part.sentHigh, part.sentStart = hit.HighWatermark, hit.LogStart
	if hit.code != 0 {
		part.sentHigh = -1
	}
	f.add(part, hit)
	return records
}

// openSession turns a full fetch into a session; 0 when there is no room for one.
func (f *fetchCall) openSession(now int64) int32 {
	for _, part := range f.list {
		hit := &f.s.hits[part.hit-1]
		part.sentHigh, part.sentStart = hit.HighWatermark, hit.LogStart
	}
	follower := f.read.ReplicaID >= 0
	session := f.h.Data.Sessions.open(f.list, f.wake, f.c.Principal, follower, f.version >= 13, now)
	if session == nil {
		f.disarm()
		return noSession
	}
	return session.id
}

// disarm leaves no watch of a fetch without a session behind.
func (f *fetchCall) disarm() {
	if !f.armed && !f.keep {
		return
	}
	for _, part := range f.list {
		if part.watch != nil {
			part.watch.Disarm()
		}
		part.drained = false
	}
}

// add appends a partition to the answer. Neighbours of one topic share its entry.
func (f *fetchCall) add(part *fetchPart, hit *fetchHit) {
	s := f.s
	out := kmsg.FetchResponseTopicPartition{Partition: part.index, ErrorCode: hit.code, HighWatermark: hit.HighWatermark,
		LastStableOffset: hit.LastStable, LogStartOffset: hit.LogStart, PreferredReadReplica: -1}
	out.DivergingEpoch = kmsg.FetchResponseTopicPartitionDivergingEpoch{Epoch: -1, EndOffset: -1}
	out.CurrentLeader = kmsg.FetchResponseTopicPartitionCurrentLeader{LeaderID: -1, LeaderEpoch: -1}
	out.SnapshotID = kmsg.FetchResponseTopicPartitionSnapshotID{EndOffset: -1, Epoch: -1}
	switch {
	case hit.unknown:
		out.AbortedTransactions = noAborted
	case hit.code != 0:
		f.hint(part, hit, &out)
	case hit.Diverging:
		out.DivergingEpoch.Epoch, out.DivergingEpoch.EndOffset = hit.DivergingAt.Epoch, hit.DivergingAt.End
	case f.stable && !hit.tooBig: // Kafka drops the list with a batch that does not fit
		out.AbortedTransactions = f.aborted(part, hit)
	}
	size := hit.Slice.Len()
	s.partitions = append(s.partitions, out)
	s.sizes = append(s.sizes, size)
	if size > 0 {
		s.bodies = append(s.bodies, &hit.Slice)
	} else {
		s.bodies = append(s.bodies, nil)
	}
	if n := len(s.resp.Topics); n > 0 {
		if t := &s.resp.Topics[n-1]; t.TopicID == part.id && t.Topic == part.topic {
			return
		}
	}
	s.starts = append(s.starts, len(s.partitions)-1)
	s.resp.Topics = append(s.resp.Topics, kmsg.FetchResponseTopic{Topic: part.topic, TopicID: part.id})
}

// encode gives each topic its run of the flat list of partitions, and writes the head.
func (f *fetchCall) encode() ([]byte, []int) {
	s := f.s
	for i, start := range s.starts {
		end := len(s.partitions)
		if i+1 < len(s.starts) {
			end = s.starts[i+1]
		}
		s.resp.Topics[i].Partitions = s.partitions[start:end]
	}
	head, cuts := protocol.AppendFetchHead(f.c.Scratch(), s.cuts[:0], f.c.Header.CorrelationID, &s.resp, s.sizes)
	s.cuts = cuts
	return head, cuts
}

// aborted lists the aborted transactions that reach into the records read, and maybe some behind them.
func (f *fetchCall) aborted(part *fetchPart, hit *fetchHit) []kmsg.FetchResponseTopicPartitionAbortedTransaction {
	if hit.Slice.Len() == 0 {
		return noAborted
	}
	list, err := part.p.Log().AbortedTransactions(part.offset, hit.LastStable)
	if err != nil {
		f.h.Data.Log.Error().Err(err).Str("topic", part.name).Int32("partition", part.index).Msg("can't list aborted transactions")
	}
	if len(list) == 0 {
		return noAborted
	}
	out := make([]kmsg.FetchResponseTopicPartitionAbortedTransaction, len(list))
	for i, a := range list {
		out[i].ProducerID, out[i].FirstOffset = a.ProducerID, a.FirstOffset
	}
	return out
}

// hint names the leader to a client that came to the wrong broker or with an old epoch (v16+).
func (f *fetchCall) hint(part *fetchPart, hit *fetchHit, out *kmsg.FetchResponseTopicPartition) {
	if f.version < 16 || hit.code != kerr.NotLeaderForPartition.Code && hit.code != kerr.FencedLeaderEpoch.Code {
		return
	}
	hint := hintFor(f.view, f.view.ByID(part.id), part.index, part.p, f.c.Listener)
	out.CurrentLeader.LeaderID, out.CurrentLeader.LeaderEpoch = hint.id, hint.epoch
	if !hint.reachable || f.read.ReplicaID >= 0 { // followers know where brokers are
		return
	}
	for i := range f.s.resp.Brokers {
		if f.s.resp.Brokers[i].NodeID == hint.id {
			return
		}
	}
	f.s.resp.Brokers = append(f.s.resp.Brokers, kmsg.FetchResponseBroker{NodeID: hint.id, Host: hint.host, Port: hint.port, Rack: hint.rack})
}
