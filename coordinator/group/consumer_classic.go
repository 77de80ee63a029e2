package group

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/record"
	"github.com/dohle-io/dohle/protocol"
)

// Members of the classic protocol in a consumer group (KIP-848): a join is their full heartbeat, its generation the member
// epoch; a sync fetches the assignment; a heartbeat says REBALANCE_IN_PROGRESS when there is something to revoke or to
// get, which they do by joining again.

// joinConsumer answers a JoinGroup to a consumer group that has members.
func (s *State) joinConsumer(t coordinator.Turn, by Caller, req *kmsg.JoinGroupRequest, g *consumerGroup) coordinator.Result {
	r, err := s.classicJoinsConsumer(t, by, req, g)
	if err != nil {
		code, _ := refused(err)
		resp := joinRefusal("", code)
		resp.Version = req.Version
		return t.Answer(resp)
	}
	return r
}

func (s *State) classicJoinsConsumer(t coordinator.Turn, by Caller, req *kmsg.JoinGroupRequest, g *consumerGroup) (coordinator.Result, error) {
	none := coordinator.Result{}
	if !s.migrates("upgrade") && !s.migrates("downgrade") {
		return none, kerr.InconsistentGroupProtocol
	}
	unknown := req.MemberID == ""
	id := req.MemberID
	if unknown {
		id = s.env.UUID().String()
	}
	if err := s.checkConsumerSize(g, id); err != nil {
		return none, err
	}
	if !g.supportsClassic(req.ProtocolType, req.Protocols) {
		return none, kerr.InconsistentGroupProtocol
	}
	if unknown && req.InstanceID == nil && req.Version >= 4 {
		resp := joinRefusal(id, kerr.MemberIDRequired.Code)
		resp.Version = req.Version
		return t.Answer(resp), nil
	}
	d := s.decide(g, t.Now)
	old, err := d.memberFor(joiner{id: id, instance: req.InstanceID, create: req.InstanceID == nil || unknown, classic: true})
	if err != nil {
		return none, err
	}
	downgrade := s.downgradesFor(g, g.static(req.InstanceID))
	sub, err := readSubscription(req.Protocols[0].Metadata)
	if err != nil {
		return none, kerr.InconsistentGroupProtocol // from 4.4 on; before, it was an unknown error
	}

	m := *old
	if req.InstanceID != nil {
		m.instance = req.InstanceID
	}
	if rack := nonEmpty(sub.rack); rack != nil {
		m.rack = rack
	}
	rebalanceMs := req.RebalanceTimeoutMillis
	if req.Version == 0 {
		rebalanceMs = req.SessionTimeoutMillis
	}
	if rebalanceMs != -1 {
		m.rebalanceMs = rebalanceMs
	}
	m.topics, m.regex, m.client, m.host = distinctTopics(sub.topics), new(string), by.ClientID, by.Host
	m.classic = &record.ConsumerGroupMemberMetadataValueClassicMemberMetadata{SessionTimeoutMs: req.SessionTimeoutMillis}
	for _, p := range req.Protocols {
		m.classic.SupportedProtocols = append(m.classic.SupportedProtocols, record.ConsumerGroupMemberMetadataValueClassicProtocol{Name: p.Name, Metadata: bytes.Clone(p.Metadata)})
	}

	namesChanged := d.putMember(old, &m)
	pattern, err := d.changePattern(old, &m)
	if err != nil {
		return none, err
	}
	bump := namesChanged || pattern != patternSame
	epoch, isMixed := d.subscribe(old, &m, bump)
	steps := reconciliation{subscriptionChanged: bump, owned: s.ownedByNames(sub.owned), ownedKnown: true}
	after := &m
	switch {
	case !downgrade:
		steps.targetEpoch, steps.target, err = d.assign(epoch, old, &m, isMixed)
		if err == nil {
			after, err = d.reconcile(&m, steps)
		}
	case g.targetEpoch >= epoch:
		steps.targetEpoch, steps.target = g.targetEpoch, g.targetOf(&m)
		if after, err = d.reconcile(&m, steps); err == nil {
			err = d.downgrade(nil, after, "")
		}
	default:
		err = d.downgrade(nil, after, fmt.Sprintf("group %s becomes a classic group and its assignment is not the newest", g.id))
	}
	if err != nil {
		return none, err
	}

	resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
	kind := consumerProtocolType
	resp.MemberID, resp.Generation, resp.ProtocolType, resp.Protocol = after.id, after.epoch, &kind, &after.classic.SupportedProtocols[0].Name
	resp.Members = []kmsg.JoinGroupResponseMember{}
	d.timers = append(d.timers, stop(timerClassicJoin, g.id, after.id))
	if !downgrade {
		syncBy := t.Now.Add(millis(rebalanceMs))
		d.session(after.id, millis(req.SessionTimeoutMillis))
		d.timers = append(d.timers, at(timerClassicSync, g.id, after.id, syncBy))
		d.deadline(after.id, func(l *memberDeadlines) { l.joinBy, l.syncBy = time.Time{}, syncBy })
	}
	return d.result(t.Token, resp), nil
}

// supportsClassic says whether a classic member with these protocols may be in the group: one of them must be spoken by
// all its classic members.
func (g *consumerGroup) supportsClassic(kind string, protocols []kmsg.JoinGroupRequestProtocol) bool {
	return kind == consumerProtocolType && slices.ContainsFunc(protocols, func(p kmsg.JoinGroupRequestProtocol) bool {
		return g.protocols[p.Name] == g.classics
	})
}

// classicMemberOf is the classic member that a request names.
func (g *consumerGroup) classicMemberOf(id string, instance *string, generation int32) (*consumerMember, error) {
	m := g.members[id]
	if instance != nil {
		m = g.static(instance)
	}
	switch {
	case m == nil:
		return nil, kerr.UnknownMemberID
	case m.id != id:
		return nil, kerr.FencedInstanceID
	case m.classic == nil:
		return nil, kerr.UnknownMemberID
	case m.epoch != generation:
		return nil, kerr.IllegalGeneration
	}
	return m, nil
}

// joinBy gives a member its rebalance timeout to join again, if that does not run already.
func (d *consumerDecision) joinBy(m *consumerMember) {
	if l := d.g.deadlines[m.id]; l != nil && !l.joinBy.IsZero() {
		return
	}
	when := d.now.Add(millis(m.rebalanceMs))
	d.timers = append(d.timers, at(timerClassicJoin, d.g.id, m.id, when))
	d.deadline(m.id, func(l *memberDeadlines) { l.joinBy = when })
}

// syncConsumer answers a SyncGroup to a consumer group.
func (s *State) syncConsumer(t coordinator.Turn, _ Caller, req *kmsg.SyncGroupRequest, g *consumerGroup) coordinator.Result {
	resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
	d := s.decide(g, t.Now)
	refuse := func(err error) coordinator.Result {
		resp.ErrorCode = protocol.CodeOf(err)
		return d.result(t.Token, resp)
	}
	m, err := g.classicMemberOf(req.MemberID, req.InstanceID, req.Generation)
	if err != nil {
		return refuse(err)
	}
	first := m.classic.SupportedProtocols[0]
	switch {
	case req.ProtocolType != nil && *req.ProtocolType != consumerProtocolType, req.Protocol != nil && *req.Protocol != first.Name:
		return refuse(kerr.InconsistentGroupProtocol)
	case g.targetEpoch > m.epoch && m.state != memberUnrevoked:
		d.joinBy(m)
		return refuse(kerr.RebalanceInProgress)
	case len(first.Metadata) < 2:
		return refuse(kerr.UnknownServerError)
	}
	d.session(m.id, millis(m.classic.SessionTimeoutMs))
	d.timers = append(d.timers, stop(timerClassicSync, g.id, m.id))
	d.deadline(m.id, func(l *memberDeadlines) { l.syncBy = time.Time{} })
	resp.ProtocolType, resp.Protocol = req.ProtocolType, req.Protocol
	resp.MemberAssignment = s.assignmentFor(assignmentOf(m.assigned), first.Metadata)
	return d.result(t.Token, resp)
}

// heartbeatConsumer answers a Heartbeat to a consumer group.
func (s *State) heartbeatConsumer(t coordinator.Turn, _ Caller, req *kmsg.HeartbeatRequest, g *consumerGroup) coordinator.Result {
	resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
	m, err := g.classicMemberOf(req.MemberID, req.InstanceID, req.Generation)
	if err != nil {
		resp.ErrorCode = protocol.CodeOf(err)
		return t.Answer(resp)
	}
	d := s.decide(g, t.Now)
	d.session(m.id, millis(m.classic.SessionTimeoutMs))
	if m.epoch < g.targetEpoch || m.state == memberUnrevoked || m.state == memberUnreleased && !g.waits(m) {
		resp.ErrorCode = kerr.RebalanceInProgress.Code
		d.joinBy(m)
	}
	return d.result(t.Token, resp)
}

// waits says whether a partition that the member should have is still with somebody.
func (g *consumerGroup) waits(m *consumerMember) bool {
	for _, t := range g.target[m.id] {
		for _, p := range t.Partitions {
			if !m.assigned.has(t.Topic, p) && g.owner(t.Topic, p) != -1 {
				return true
			}
		}
	}
	return false
}

// leaveConsumer answers a LeaveGroup to a consumer group; an administrator may take out any member with it.
func (s *State) leaveConsumer(t coordinator.Turn, _ Caller, req *kmsg.LeaveGroupRequest, g *consumerGroup) coordinator.Result {
	list := leavers(req)
	answers := make([]kmsg.LeaveGroupResponseMember, len(list))
	var gone []*consumerMember
	named := map[string]bool{} // members that were named before
	for i, l := range list {
		m, err := g.leaver(l)
		answers[i] = kmsg.LeaveGroupResponseMember{MemberID: l.MemberID, InstanceID: l.InstanceID, ErrorCode: protocol.CodeOf(err)}
		if err == nil && !named[m.id] {
			named[m.id] = true
			gone = append(gone, m)
		}
	}
	d := s.decide(g, t.Now)
	if err := d.fence(gone...); err != nil {
		code, _ := refused(err)
		return t.Answer(&kmsg.LeaveGroupResponse{Version: req.Version, ErrorCode: code})
	}
	return d.result(t.Token, leaveResponse(req.Version, answers))
}

func (g *consumerGroup) leaver(l kmsg.LeaveGroupRequestMember) (*consumerMember, error) {
	if l.InstanceID == nil {
		if m := g.members[l.MemberID]; m != nil {
			return m, nil
		}
		return nil, kerr.UnknownMemberID
	}
	m := g.static(l.InstanceID)
	switch {
	case m == nil:
		return nil, kerr.UnknownMemberID
	case l.MemberID != "" && m.id != l.MemberID:
		return nil, kerr.FencedInstanceID
	}
	return m, nil
}
