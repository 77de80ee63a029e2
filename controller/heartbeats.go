package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

type brokerState int8

const (
	stateFenced brokerState = iota
	stateUnfenced
	stateLeaving // controlled shutdown
	stateStop    // it may stop now
)

// Heartbeat decides about a broker that says it lives (key 63): it is unfenced once it has read its own registration,
// fenced when it asks to be, and let go when its leaders have moved and the others have seen that.
func Heartbeat(s *State, call Call, req *kmsg.BrokerHeartbeatRequest) Decision {
	resp := req.ResponseKind().(*kmsg.BrokerHeartbeatResponse)
	resp.IsFenced = true
	d := Decision{Reply: resp, Split: true}
	b, err := s.checkBrokerEpoch(req.BrokerID, req.BrokerEpoch)
	if err != nil {
		resp.ErrorCode = err.code.Code
		return d
	}
	// A session that is not there yet, after an activation, is judged like a fresh one.
	n := s.Sessions.byID[b.ID]
	if n == nil || n.epoch != b.Epoch {
		n = &session{epoch: b.Epoch, registered: b.Epoch, metadataOffset: -1, shutdownOffset: -1}
	}
	state := current(b, n)
	next := s.nextState(state, b, n, req)
	if next != state {
		switch next {
		case stateFenced, stateStop:
			d.Records = s.fence(b)
		case stateUnfenced:
			d.Records = s.unfence(b)
		case stateLeaving:
			d.Records = s.leave(b)
		}
	}
	level := s.Image.Level()
	if level.DirectoryAssignmentSupported() {
		d.Records = append(d.Records, s.offlineDirs(b, req.OfflineLogDirs)...)
	}
	if level.CordonedLogDirsSupported() && req.CordonedLogDirs != nil {
		if dirs := uuids(req.CordonedLogDirs); b.CordonedLogDirs == nil || !sameSet(b.CordonedLogDirs, dirs) {
			d.Records = append(d.Records, &metadata.BrokerRegistrationChangeRecord{BrokerId: b.ID, BrokerEpoch: b.Epoch, CordonedLogDirs: dirs})
		}
	}
	resp.IsCaughtUp = req.CurrentMetadataOffset >= n.registered
	resp.IsFenced = next == stateFenced || next == stateStop
	resp.ShouldShutdown = next == stateStop

	sessions, now := s.Sessions, s.Now
	d.Then = func(last int64) {
		n := sessions.of(b.ID, b.Epoch)
		n.contact, n.conn = now, call.Connection
		n.metadataOffset = req.CurrentMetadataOffset
		switch {
		case next == stateFenced || next == stateStop:
			n.shutdownOffset = -1
			if next == stateStop {
				n.conn = 0 // it goes: its id is free
			}
		case next == stateLeaving && n.shutdownOffset < 0:
			n.shutdownOffset = last
		}
	}
	return d
}

func current(b *metadata.Broker, n *session) brokerState {
	switch {
	case n.shutdownOffset >= 0:
		return stateLeaving
	case b.Fenced:
		return stateFenced
	}
	return stateUnfenced
}

func (s *State) nextState(state brokerState, b *metadata.Broker, n *session, req *kmsg.BrokerHeartbeatRequest) brokerState {
	switch state {
	case stateFenced:
		switch {
		case req.WantShutdown:
			return stateStop
		case !req.WantFence && req.CurrentMetadataOffset >= n.registered:
			return stateUnfenced
		}
		return stateFenced
	case stateUnfenced:
		switch {
		case req.WantFence && req.WantShutdown:
			return stateStop
		case req.WantFence:
			return stateFenced
		case req.WantShutdown && s.leadsAny(b.ID):
			return stateLeaving
		case req.WantShutdown:
			return stateStop
		}
		return stateUnfenced
	}
	// Leaving: all leaders moved, and every other active broker has read that they did.
	if s.leadsAny(b.ID) || n.shutdownOffset > s.Sessions.lowestActiveOffset(s.Image.Brokers) {
		return stateLeaving
	}
	return stateStop
}

// offlineDirs takes the replicas in directories that went offline out of their ISRs (KIP-858).
func (s *State) offlineDirs(b *metadata.Broker, offline [][16]byte) []metadata.Record {
	lost := uuids(offline)
	var gone, left []protocol.UUID
	for _, d := range b.LogDirs {
		if slices.Contains(lost, d) {
			gone = append(gone, d)
		} else {
			left = append(left, d)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	records := s.elections(move{remove: b.ID, add: nobody, unclean: nobody}, func(p *metadata.Partition) bool {
		dir, ok := p.Directory(b.ID)
		return ok && slices.Contains(gone, dir)
	})
	return append(records, &metadata.BrokerRegistrationChangeRecord{BrokerId: b.ID, BrokerEpoch: b.Epoch, LogDirs: left})
}

// ExpireSession fences a broker that was not heard of for a whole session, or whose connection was reset.
func ExpireSession(s *State, id int32) Decision {
	d := Decision{Split: true}
	b, n := s.Image.Brokers.Get(id), s.Sessions.byID[id]
	if b != nil && n != nil && b.Epoch == n.epoch && !b.Fenced {
		d.Records = s.fence(b)
	}
	sessions := s.Sessions
	d.Then = func(int64) {
		if m := sessions.byID[id]; m != nil && m == n {
			sessions.forget(id)
		}
	}
	return d
}

func uuids(raw [][16]byte) []protocol.UUID {
	ids := make([]protocol.UUID, len(raw))
	for i, id := range raw {
		ids[i] = id
	}
	return ids
}

func sameSet(a, b []protocol.UUID) bool {
	in := func(set []protocol.UUID) func(protocol.UUID) bool {
		return func(id protocol.UUID) bool { return !slices.Contains(set, id) }
	}
	return !slices.ContainsFunc(a, in(b)) && !slices.ContainsFunc(b, in(a))
}
