package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/storage"
)

// Fetch, v4-18. Records of many partitions, for consumers and followers alike; waits for them if there are none.
//
// Versions:  4 isolation level · 5 log start offset · 7 sessions (KIP-227) · 9 leader epoch (KIP-320) · 11 rack and
// preferred replica (KIP-392) · 12 last fetched epoch, diverging epoch (KIP-595), flexible · 13 topic ids (KIP-516) ·
// 15 replica state (KIP-903) · 16 leader hint (KIP-951) · 17 directory id · 18 the follower's high watermark
// Errors:    OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, NOT_LEADER_OR_FOLLOWER,
// FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, KAFKA_STORAGE_ERROR; FETCH_SESSION_ID_NOT_FOUND,
// INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR
// Needs:     READ on TOPIC; CLUSTER_ACTION with a replica id
// Differs from Kafka: a session can only be used by the principal that opened it. A fetch from beyond the high
// watermark waits, where Kafka answers at once with nothing.
var fetch = defineAnswer(4, 18, OnBroker, (*Handlers).fetch)

// consumerReplica is the replica id of a client that is no replica.
const consumerReplica = -1

// fetchScratch is what a connection keeps between its fetches.
type fetchScratch struct {
	call  fetchCall
	parts []fetchPart // of fetches without a session
	list  []*fetchPart
	seen  map[partKey]*fetchPart
	hits  []fetchHit
	wake  *replica.Wake
	timer clock.Timer

	resp       kmsg.FetchResponse
	partitions []kmsg.FetchResponseTopicPartition
	starts     []int // index in partitions where each topic of resp starts
	sizes      []int
	cuts       []int
	bodies     []server.Body
}

// fetchHit is the result of one partition that was looked at.
type fetchHit struct {
	part    *fetchPart
	code    int16
	state   *replica.State // at the time of the read
	unknown bool           // the topic or partition does not exist: no reason to answer at once, and answered last
	tooBig  bool           // there is a batch, and it is larger than what is left of the limits
	replica.ReadResult
}

// fetchCall is one request in progress.
type fetchCall struct {
	h        *Handlers
	c        *server.Ctx
	s        *fetchScratch
	version  int16
	view     *replica.View
	read     replica.Read
	list     []*fetchPart
	session  *fetchSession // of an incremental fetch
	epoch    int32         // the session's, while this request is its latest
	wake     *replica.Wake
	keep     bool // watches outlive the request
	skip     bool // drained partitions need not be looked at
	minBytes int
	maxBytes int
	maxWait  time.Duration
	stable   bool // read_committed: aborted transactions are told

	bytes    int             // records found by the last pass
	urgent   bool            // an error or a divergence is to be told at once
	readable bool            // at least one partition exists
	ended    <-chan struct{} // of the wait, from its begin on
	again    bool            // something came between reading and arming
	armed    bool            // watches may be armed
}

func (h *Handlers) fetch(c *server.Ctx, req *kmsg.FetchRequest) server.Answer {
	s := &scratchOf(c).fetch
	clear(s.hits) // of the answer before: the server has released its bodies
	s.hits = s.hits[:0]
	f := &s.call
	*f = fetchCall{h: h, c: c, s: s, version: req.Version}
	f.limits(req)
	now := clock.Millis(h.Data.Clocks.Real.Now())
	open := false
	if req.Version < 7 || req.SessionEpoch == finalEpoch || req.SessionEpoch == initialEpoch {
		if req.Version >= 7 && req.SessionID != noSession {
			h.Data.Sessions.remove(req.SessionID, c.Principal)
		}
		open = req.Version >= 7 && req.SessionEpoch == initialEpoch
		f.full(req, open)
	} else {
		session, epoch, err := h.Data.Sessions.resume(req, c.Principal, now)
		switch {
		case err != nil:
			return f.sessionError(err.Code, noSession)
		case session == nil:
			f.full(req, false)
		default:
			f.session, f.epoch, f.wake = session, epoch, session.wake
			f.keep, f.skip = true, f.read.ReplicaID < 0
		}
	}
	if unknownIsolation(req.IsolationLevel) && f.namesAny() {
		return server.Reply(failedFetch(req, kerr.UnknownServerError.Code))
	}
	if !f.run() {
		f.drop()
		return f.sessionError(kerr.InvalidFetchSessionEpoch.Code, f.session.id)
	}
	return f.answer(open, now)
}

// limits takes the request's numbers; byte limits below zero count as zero.
func (f *fetchCall) limits(req *kmsg.FetchRequest) {
	replicaID, brokerEpoch := req.ReplicaID, int64(-1)
	if req.Version >= 15 {
		replicaID, brokerEpoch = req.ReplicaState.ID, req.ReplicaState.Epoch
	}
	f.maxBytes = max(min(int(req.MaxBytes), f.h.Data.fetchMaxBytes), 0)
	f.minBytes = min(int(req.MinBytes), f.maxBytes)
	f.maxWait = time.Duration(req.MaxWaitMillis) * time.Millisecond
	f.read = replica.Read{ReplicaID: replicaID, BrokerEpoch: brokerEpoch,
		NeedLeader: replicaID >= 0 || replicaID == consumerReplica && req.Version < 11}
	switch {
	case replicaID != consumerReplica:
		f.read.Bound = replica.LogEnd
	case req.IsolationLevel == 1:
		f.read.Bound, f.stable = replica.LastStable, true
	default:
		f.read.Bound = replica.HighWatermark
	}
}

// full takes the partitions of a request that names all of them. Those of the fetch before on this connection are
// used again where they match, with their watches. Of a partition named twice the last word counts.
func (f *fetchCall) full(req *kmsg.FetchRequest, open bool) {
	s := f.s
	if s.wake == nil {
		s.wake = replica.NewWake()
	}
	f.wake, f.keep = s.wake, open
	if open {
		f.wake = replica.NewWake() // the session's own
	}
	n := 0
	for i := range req.Topics {
		n += len(req.Topics[i].Partitions)
	}
	parts := s.parts
	if open || cap(parts) < n {
		parts = make([]fetchPart, n) // a session's parts live on
		if !open {
			s.parts = parts
		}
	}
	parts = parts[:cap(parts)]
	s.list = s.list[:0]
	if s.seen == nil {
		s.seen = map[partKey]*fetchPart{}
	}
	clear(s.seen)
	each(req, func(key partKey, r *kmsg.FetchRequestTopicPartition) {
		part := (*fetchPart)(nil)
		if n > 1 {
			part = s.seen[key]
		}
		if part == nil {
			part = &parts[len(s.list)]
			if part.partKey != key {
				part.forget()
				*part = fetchPart{partKey: key}
			}
			part.hit, part.sentHigh, part.sentStart = 0, -1, -1
			s.list = append(s.list, part)
			if n > 1 {
				s.seen[key] = part
			}
		}
		part.ask(r)
	})
	f.list = s.list
	if open {
		f.list = append([]*fetchPart(nil), s.list...)
	}
}

// run looks, and waits until there is enough to answer. It reports false when another request took the session over.
func (f *fetchCall) run() bool {
	var deadline <-chan time.Time
	for first, last := true, false; ; first = false {
		f.lock()
		if f.session != nil && f.session.epoch != f.epoch {
			f.unlock()
			return false
		}
		f.again = false
		f.wake.Fired(func(w *replica.Watch) { w.Owner.(*fetchPart).drained = false })
		f.pass(first)
		if last || f.enough() {
			return true // still locked: the answer is made of what was seen
		}
		f.arm()
		f.drop()
		wake := f.wake.C()
		if f.session != nil {
			f.session.waiting = true
		}
		f.unlock()
		if first {
			f.ended = f.c.Park().Done()
			deadline = f.timer()
			defer f.s.timer.Stop()
		}
		if !f.again {
			last = f.wait(wake, deadline)
		}
	}
}

// wait returns true when it is time to answer with whatever there is.
func (f *fetchCall) wait(wake <-chan struct{}, deadline <-chan time.Time) bool {
	select {
	case <-wake:
		return false
	case <-deadline:
	case <-f.ended:
	}
	return true
}

func (f *fetchCall) timer() <-chan time.Time {
	if f.s.timer == nil {
		f.s.timer = f.h.Data.Clocks.Real.NewTimer(f.maxWait)
	} else {
		f.s.timer.Reset(f.maxWait)
	}
	return f.s.timer.C()
}

func (f *fetchCall) lock() {
	if f.session != nil {
		f.session.mu.Lock()
		f.session.waiting = false
	}
}

func (f *fetchCall) unlock() {
	if f.session != nil {
		f.session.mu.Unlock()
	}
}

// enough reports whether the answer goes out now.
func (f *fetchCall) enough() bool {
	return f.urgent || f.bytes >= f.minBytes || f.maxWait <= 0 || !f.readable
}

func (f *fetchCall) sessionError(code int16, id int32) server.Answer {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version, resp.ErrorCode, resp.SessionID = f.version, code, id
	return server.Reply(resp)
}

// namesAny says whether at least one partition exists: only then does Kafka look at how it is to be read.
func (f *fetchCall) namesAny() bool {
	f.lock()
	defer f.unlock()
	view := f.h.Data.Replicas.View()
	for _, part := range f.order() {
		topic := view.ByName(part.topic)
		if f.version >= 13 {
			topic = view.ByID(part.id)
		}
		if _, err := topic.Partition(part.index); err == nil {
			return true
		}
	}
	return false
}

// failedFetch fails a request as a whole: at the top, and before v13 on each partition too, which v4-v6 alone show.
func failedFetch(req *kmsg.FetchRequest, code int16) *kmsg.FetchResponse {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version, resp.ErrorCode, resp.SessionID = req.Version, code, req.SessionID
	if req.Version >= 13 {
		return resp
	}
	for i := range req.Topics {
		out := kmsg.NewFetchResponseTopic()
		out.Topic = req.Topics[i].Topic
		for j := range req.Topics[i].Partitions {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition, p.ErrorCode = req.Topics[i].Partitions[j].Partition, code
			p.HighWatermark, p.LastStableOffset, p.LogStartOffset = -1, -1, -1
			p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
			p.RecordBatches = []byte{}
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

var _ server.Body = storage.Slice{}
