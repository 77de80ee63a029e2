package controller

import (
	"math"
	"slices"
	"time"

	"github.com/dohle-io/dohle/metadata"
)

// Sessions is what the active controller knows of brokers beyond their records: when each was last heard of, on which
// connection, how far it has read. Soft state: it begins anew with every activation. Owned by the controller's loop.
type Sessions struct {
	timeout time.Duration // broker.session.timeout.ms
	byID    map[int32]*session
}

type session struct {
	epoch          int64
	contact        time.Time // Real clock
	conn           uint64    // last connection it was heard on; 0 = none that is open
	registered     int64     // offset of the registration; a broker that has read it may be unfenced
	metadataOffset int64     // how far it says it has read; -1 unknown
	shutdownOffset int64     // where its controlled shutdown stands in the log; -1 = not leaving
}

// NewSessions starts with the brokers that are unfenced in img: they get one whole session to be heard of. No
// connection is known, so any of them may register anew.
func NewSessions(timeout time.Duration, img *metadata.Image, now time.Time) *Sessions {
	s := &Sessions{timeout: timeout, byID: map[int32]*session{}}
	for b := range img.Brokers.All() {
		if !b.Fenced {
			s.open(b.ID, b.Epoch).contact = now
		}
	}
	return s
}

func (s *Sessions) open(id int32, epoch int64) *session {
	n := &session{epoch: epoch, registered: epoch, metadataOffset: -1, shutdownOffset: -1}
	s.byID[id] = n
	return n
}

// of is the session of a broker at an epoch, begun if there is none.
func (s *Sessions) of(id int32, epoch int64) *session {
	if n := s.byID[id]; n != nil && n.epoch == epoch {
		return n
	}
	return s.open(id, epoch)
}

// live reports whether the incarnation with this epoch was heard of in time and its connection to this controller is
// open. Only then is another broker with the same id a duplicate.
func (s *Sessions) live(id int32, epoch int64, now time.Time) bool {
	n := s.byID[id]
	return n != nil && n.epoch == epoch && n.conn != 0 && now.Sub(n.contact) <= s.timeout
}

// expired are the brokers that were not heard of for longer than a session.
func (s *Sessions) expired(now time.Time) []int32 {
	var ids []int32
	for id, n := range s.byID {
		if now.Sub(n.contact) > s.timeout {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// nextExpiry is when the next session may expire; false when there is none.
func (s *Sessions) nextExpiry() (time.Time, bool) {
	var at time.Time
	for _, n := range s.byID {
		if t := n.contact.Add(s.timeout); at.IsZero() || t.Before(at) {
			at = t
		}
	}
	return at, !at.IsZero()
}

// onConnection are the brokers last heard on conn.
func (s *Sessions) onConnection(conn uint64) []int32 {
	var ids []int32
	for id, n := range s.byID {
		if n.conn == conn {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// lowestActiveOffset is how far the slowest broker has read that is neither fenced nor leaving.
func (s *Sessions) lowestActiveOffset(brokers metadata.BrokersImage) int64 {
	low := int64(math.MaxInt64)
	for b := range brokers.All() {
		if n := s.byID[b.ID]; !b.Fenced && (n == nil || n.shutdownOffset < 0) {
			offset := int64(-1)
			if n != nil {
				offset = n.metadataOffset
			}
			low = min(low, offset)
		}
	}
	return low
}

func (s *Sessions) forget(id int32) { delete(s.byID, id) }
