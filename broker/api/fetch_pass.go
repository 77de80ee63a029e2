package api

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/protocol"
)

// drop gives up what the last pass found.
func (f *fetchCall) drop() {
	for i := range f.s.hits {
		hit := &f.s.hits[i]
		hit.Slice.Release()
		hit.part.hit = 0
		*hit = fetchHit{}
	}
	f.s.hits = f.s.hits[:0]
}

// pass looks at the partitions in their order. The first one that has something gives a whole batch even if that is
// larger than every limit (KIP-74); from then on the limits hold.
func (f *fetchCall) pass(record bool) {
	f.view = f.h.Data.Replicas.View()
	f.bytes, f.urgent, f.readable = 0, false, false
	f.read.Record, f.read.WholeFirst = record, true
	for _, part := range f.order() {
		if part.drained && f.skip {
			f.readable = true
			continue
		}
		f.s.hits = append(f.s.hits, fetchHit{part: part})
		part.hit = int32(len(f.s.hits))
		hit := &f.s.hits[part.hit-1]
		f.look(part, hit)
		if n := hit.Slice.Len(); n > 0 {
			f.bytes += n
			f.read.WholeFirst = false
		}
	}
}

// order is the partitions to visit: the session's own order may have changed since the request came.
func (f *fetchCall) order() []*fetchPart {
	if f.session != nil {
		return f.session.order
	}
	return f.list
}

// look reads one partition.
func (f *fetchCall) look(part *fetchPart, hit *fetchHit) {
	hit.HighWatermark, hit.LastStable, hit.LogStart = -1, -1, -1
	err := f.bind(part, hit)
	if hit.unknown {
		hit.code = protocol.CodeOf(err)
		return
	}
	f.readable = true
	if err == nil {
		r := &f.read
		r.Offset, r.ReplicaLog, r.LeaderEpoch, r.LastFetchedEpoch = part.offset, part.logStart, part.leaderEpoch, part.lastEpoch
		r.MaxBytes = max(min(int(part.maxBytes), f.maxBytes-f.bytes), 0)
		hit.state = part.p.State()
		hit.ReadResult, err = part.p.Read(r)
		hit.tooBig = err == nil && hit.Slice.Len() == 0 && r.MaxBytes > 0 && part.offset < hit.LastStable
	}
	if err != nil {
		hit.ReadResult = replica.ReadResult{HighWatermark: -1, LastStable: -1, LogStart: -1}
		hit.code = f.h.codeOf(err, "fetch failed", protocol.TopicPartition{Topic: part.name, Partition: part.index})
		if f.version <= 5 && hit.code == kerr.KafkaStorageError.Code {
			hit.code = kerr.NotLeaderForPartition.Code // old clients take 56 for fatal
		}
		f.urgent = true
		return
	}
	switch {
	case hit.Diverging:
		f.urgent = true
	case f.keep && part.offset >= hit.end(f.read.Bound):
		part.drained = f.watch(part, hit)
	}
}

// end is the bound as it was when the partition was read.
func (hit *fetchHit) end(b replica.Bound) int64 {
	switch b {
	case replica.HighWatermark:
		return hit.HighWatermark
	case replica.LastStable:
		return hit.LastStable
	}
	return hit.LogEnd
}

// bind finds the partition, unless it is still the one that was found before.
func (f *fetchCall) bind(part *fetchPart, hit *fetchHit) error {
	if part.p != nil && part.p.State().Role != replica.RoleGone && part.watch.Bound() == f.read.Bound {
		return nil
	}
	part.forget()
	var topic *replica.Topic
	if f.version >= 13 {
		if topic = f.view.ByID(part.id); topic == nil {
			hit.unknown = true
			return kerr.UnknownTopicID
		}
		part.name = topic.Name
	} else {
		topic, part.name = f.view.ByName(part.topic), part.topic
	}
	p, err := topic.Partition(part.index)
	if err != nil {
		hit.unknown = !topic.Exists(part.index)
		return err
	}
	part.p, part.watch = p, p.NewWatch(f.wake, f.read.Bound, part)
	return nil
}

// watch registers with a partition for the moment when its bound passes what was read, and looks again: what came in
// between would not fire. It reports whether nothing did.
func (f *fetchCall) watch(part *fetchPart, hit *fetchHit) bool {
	want := max(part.offset, hit.end(f.read.Bound)) + 1
	part.watch.Arm(want)
	if part.p.Offset(f.read.Bound) >= want || part.p.State() != hit.state {
		f.again = true
		return false
	}
	return true
}

// arm registers with all partitions before a wait. In a session most are registered already.
func (f *fetchCall) arm() {
	f.armed = true
	for i := range f.s.hits {
		if hit := &f.s.hits[i]; !hit.unknown && !hit.part.drained {
			f.watch(hit.part, hit)
		}
	}
}
