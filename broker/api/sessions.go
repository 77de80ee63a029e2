package api

import (
	"math"
	"math/rand/v2"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/protocol"
)

// Incremental fetch sessions (KIP-227): the broker remembers the partitions of a client's fetch, so that a poll names
// only what changed, and an answer holds only what is new.

const (
	noSession    int32 = 0
	initialEpoch int32 = 0  // opens a session, and closes the one that is named
	finalEpoch   int32 = -1 // closes the one that is named, opens none

	// minSessionEviction is how long a session is safe from larger ones after its creation, and how long one must be
	// unused to go first. Kafka has no key for it.
	minSessionEviction int64 = 120_000 // ms
)

// nextEpoch follows an epoch in a session; 0 and -1 have their own meaning, so the largest is followed by 1.
func nextEpoch(e int32) int32 {
	switch {
	case e < 0:
		return finalEpoch
	case e == math.MaxInt32:
		return 1
	}
	return e + 1
}

// partKey is what makes a partition of a session the same one: the id where ids are used, else the name.
type partKey struct {
	topic string
	id    protocol.UUID
	index int32
}

// fetchPart is one partition of a fetch, kept between the polls of a session. It belongs to the request in progress:
// in a session it is guarded by the session's lock.
type fetchPart struct {
	partKey
	name string // the topic's name, "" while the id is not known

	// what the client asked for
	offset      int64
	logStart    int64 // of a follower
	maxBytes    int32
	leaderEpoch int32 // -1 = none
	lastEpoch   int32 // -1 = none

	// what was answered last; -1 after an error, so that the next good answer is sent whatever it holds
	sentHigh, sentStart int64

	p     *replica.Partition
	watch *replica.Watch

	drained bool  // read to its bound, and watch is armed: there is nothing to see before it fires
	hit     int32 // 1 + index of its result in the request in progress, 0 = none
}

func (f *fetchPart) ask(r *kmsg.FetchRequestTopicPartition) {
	f.offset, f.logStart, f.maxBytes = r.FetchOffset, r.LogStartOffset, r.PartitionMaxBytes
	f.leaderEpoch, f.lastEpoch = max(r.CurrentLeaderEpoch, -1), r.LastFetchedEpoch
	f.drained = false
}

// forget ends the watch, so that the partition does not keep the session alive.
func (f *fetchPart) forget() {
	if f.watch != nil {
		f.watch.Disarm()
	}
	f.p, f.watch, f.drained = nil, nil, false
}

// fetchSession is one client's partitions in the order in which they are visited: as asked for, but who got records
// goes to the end, so that a full answer does not starve the rest.
type fetchSession struct {
	id         int32
	principal  string // who opened it: nobody else can use it
	privileged bool   // of a follower
	usesIDs    bool
	created    int64 // ms, Real clock
	wake       *replica.Wake

	lastUsed int64 // guarded by FetchSessions.mu, as size
	size     int   // partitions when last used

	mu      sync.Mutex
	epoch   int32 // that the next request must carry
	waiting bool  // a request waits on wake
	order   []*fetchPart
	parts   map[partKey]*fetchPart
}

// update takes a request's partitions and those to forget.
func (s *fetchSession) update(req *kmsg.FetchRequest) {
	each(req, func(key partKey, r *kmsg.FetchRequestTopicPartition) {
		part := s.parts[key]
		if part == nil {
			part = &fetchPart{partKey: key, sentHigh: -1, sentStart: -1}
			s.parts[key] = part
			s.order = append(s.order, part)
		}
		part.ask(r)
	})
	forgotten := false
	for i := range req.ForgottenTopics {
		t := &req.ForgottenTopics[i]
		for _, index := range t.Partitions {
			key := partKey{topic: t.Topic, id: t.TopicID, index: index}
			if part := s.parts[key]; part != nil {
				part.forget()
				delete(s.parts, key)
				part.hit = -1
				forgotten = true
			}
		}
	}
	if forgotten {
		kept := s.order[:0]
		for _, part := range s.order {
			if part.hit != -1 {
				kept = append(kept, part)
			}
		}
		clear(s.order[len(kept):])
		s.order = kept
	}
}

// rotate moves the partitions that keep reports to the end, both groups in their order.
func (s *fetchSession) rotate(moved func(*fetchPart) bool) {
	var last []*fetchPart
	kept := s.order[:0]
	for _, part := range s.order {
		if moved(part) {
			last = append(last, part)
		} else {
			kept = append(kept, part)
		}
	}
	s.order = append(kept, last...)
}

// close disarms everything. A request that still uses the session finds that its epoch has passed.
func (s *fetchSession) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, part := range s.order {
		part.forget()
	}
	s.epoch = finalEpoch
	s.wake.Renew()
}

// each calls f for every partition of a fetch request, in order.
func each(req *kmsg.FetchRequest, f func(partKey, *kmsg.FetchRequestTopicPartition)) {
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			r := &t.Partitions[j]
			f(partKey{topic: t.Topic, id: t.TopicID, index: r.Partition}, r)
		}
	}
}

// FetchSessions is the cache of all sessions of a broker.
type FetchSessions struct {
	slots int // max.incremental.fetch.session.cache.slots

	mu   sync.Mutex
	rand *rand.Rand
	byID map[int32]*fetchSession
}

// NewFetchSessions returns an empty cache of that many slots; r draws the session ids.
func NewFetchSessions(slots int, r *rand.Rand) *FetchSessions {
	return &FetchSessions{slots: slots, rand: r, byID: map[int32]*fetchSession{}}
}

// Len is the number of sessions.
func (c *FetchSessions) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byID)
}

// remove closes a session that its owner names in a full fetch.
func (c *FetchSessions) remove(id int32, principal string) {
	c.mu.Lock()
	s := c.byID[id]
	if s == nil || s.principal != principal {
		c.mu.Unlock()
		return
	}
	delete(c.byID, id)
	c.mu.Unlock()
	s.close()
}

// resume finds the session of an incremental fetch, takes the request's changes and moves to the next epoch, which
// it returns: the answer is valid only while the session stands there. A session without partitions ends: nil.
//
// Order of locks: a session's own, then the cache's, which is never held while a session reads from disk.
func (c *FetchSessions) resume(req *kmsg.FetchRequest, principal string, now int64) (*fetchSession, int32, *kerr.Error) {
	c.mu.Lock()
	s := c.byID[req.SessionID]
	c.mu.Unlock()
	if s == nil || s.principal != principal {
		return nil, 0, kerr.FetchSessionIDNotFound
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.epoch == finalEpoch: // evicted meanwhile
		return nil, 0, kerr.FetchSessionIDNotFound
	case s.epoch != req.SessionEpoch:
		return nil, 0, kerr.InvalidFetchSessionEpoch
	case s.usesIDs != (req.Version >= 13):
		return nil, 0, kerr.FetchSessionTopicIDError
	}
	if s.waiting { // a client that gave up on its last poll; that one ends with INVALID_FETCH_SESSION_EPOCH
		s.wake.Renew()
	}
	s.update(req)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(s.order) == 0 {
		delete(c.byID, s.id)
		s.epoch = finalEpoch
		return nil, 0, nil
	}
	s.lastUsed, s.size = now, len(s.order)
	s.epoch = nextEpoch(s.epoch)
	return s, s.epoch, nil
}

// open keeps the partitions of a full fetch as a new session, if there is room or something less worthy to evict. It
// returns nil otherwise. order becomes the session's.
func (c *FetchSessions) open(order []*fetchPart, wake *replica.Wake, principal string, privileged, usesIDs bool, now int64) *fetchSession {
	c.mu.Lock()
	var evicted *fetchSession
	if len(c.byID) >= c.slots {
		if evicted = c.victimLocked(privileged, len(order), now); evicted == nil {
			c.mu.Unlock()
			return nil
		}
		delete(c.byID, evicted.id)
	}
	s := &fetchSession{id: c.newIDLocked(), principal: principal, privileged: privileged, usesIDs: usesIDs, created: now,
		wake: wake, lastUsed: now, size: len(order), epoch: nextEpoch(initialEpoch), order: order, parts: make(map[partKey]*fetchPart, len(order))}
	for _, part := range order {
		s.parts[part.partKey] = part
	}
	c.byID[s.id] = s
	c.mu.Unlock()
	if evicted != nil {
		evicted.close()
	}
	return s
}

func (c *FetchSessions) newIDLocked() int32 {
	for {
		id := 1 + c.rand.Int32N(math.MaxInt32-1)
		if c.byID[id] == nil {
			return id
		}
	}
}

// victimLocked is the session that must leave for a new one of the given kind: the one unused for longest if that is
// stale; else the least worthy that may be touched, if it is worth less than the new one. Followers are worth more
// than consumers, more partitions more than fewer. A consumer's session can't push out one that is young; a
// follower's can push out any consumer's.
func (c *FetchSessions) victimLocked(privileged bool, size int, now int64) *fetchSession {
	var oldest, least *fetchSession
	for _, s := range c.byID {
		if oldest == nil || s.lastUsed < oldest.lastUsed || s.lastUsed == oldest.lastUsed && s.id < oldest.id {
			oldest = s
		}
		aged := s.lastUsed-s.created > minSessionEviction
		if (aged || privileged && !s.privileged) && (least == nil || worthLess(s, least.privileged, least.size, least.id)) {
			least = s
		}
	}
	switch {
	case oldest == nil: // no slots at all
		return nil
	case now-oldest.lastUsed > minSessionEviction:
		return oldest
	case least == nil || !worthLess(least, privileged, size, 0):
		return nil
	}
	return least
}

func worthLess(s *fetchSession, privileged bool, size int, id int32) bool {
	switch {
	case s.privileged != privileged:
		return privileged
	case s.size != size:
		return s.size < size
	}
	return s.id < id
}
