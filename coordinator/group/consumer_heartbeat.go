package group

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/coordinator"
)

// ConsumerGroupHeartbeat answers key 68 (KIP-848): members join with epoch 0, tell what they subscribe to and what they
// have, learn what they should have, and leave with a negative epoch.
func (c *Coordinator) ConsumerGroupHeartbeat(ctx context.Context, by Caller, req *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
	refuse := func(code int16) *kmsg.ConsumerGroupHeartbeatResponse {
		return heartbeatRefused(req, kerr.ErrorForCode(code))
	}
	if err := checkConsumerHeartbeat(req, config.GroupConsumerAssignors.Get(c.env.Config)); err != nil {
		return heartbeatRefused(req, err)
	}
	return ask(ctx, c, req.Group, refuse, func(s *State, t coordinator.Turn) coordinator.Result { return s.consumerHeartbeat(t, by, req) })
}

func heartbeatRefused(req *kmsg.ConsumerGroupHeartbeatRequest, err error) *kmsg.ConsumerGroupHeartbeatResponse {
	resp := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	resp.ErrorCode, resp.ErrorMessage = refused(err)
	return resp
}

// checkConsumerHeartbeat is what can be said of a request without any state.
func checkConsumerHeartbeat(req *kmsg.ConsumerGroupHeartbeatRequest, assignors []string) error {
	invalid := func(message string) error { return refusal{kerr.InvalidRequest, message} }
	blank := func(s *string) bool {
		return s != nil && strings.TrimFunc(*s, func(r rune) bool { return r <= ' ' }) == ""
	}
	if req.Version >= 1 || req.MemberEpoch > 0 || req.MemberEpoch == epochLeave {
		if blank(&req.MemberID) {
			return invalid("MemberId can't be empty.")
		}
	}
	switch {
	case blank(&req.Group):
		return invalid("GroupId can't be empty.")
	case blank(req.InstanceID):
		return invalid("InstanceId can't be empty.")
	case blank(req.RackID):
		return invalid("RackId can't be empty.")
	}
	switch {
	case req.MemberEpoch == 0:
		switch {
		case req.RebalanceTimeoutMillis == -1:
			return invalid("RebalanceTimeoutMs must be provided in first request.")
		case req.Topics == nil || len(req.Topics) > 0:
			return invalid("TopicPartitions must be empty when (re-)joining.")
		case req.SubscribedTopicNames == nil && req.SubscribedTopicRegex == nil:
			return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
		}
	case req.MemberEpoch == epochLeaveStatic:
		if req.InstanceID == nil {
			return invalid("InstanceId can't be null.")
		}
	case req.MemberEpoch < epochLeaveStatic:
		return invalid("MemberEpoch is invalid.")
	}
	if req.ServerAssignor != nil && !slices.Contains(assignors, *req.ServerAssignor) {
		return refusal{kerr.UnsupportedAssignor, fmt.Sprintf("ServerAssignor %s is not supported. Supported assignors: %s.", *req.ServerAssignor, strings.Join(assignors, ", "))}
	}
	return nil
}

// consumerHeartbeat decides about a valid request.
func (s *State) consumerHeartbeat(t coordinator.Turn, by Caller, req *kmsg.ConsumerGroupHeartbeatRequest) coordinator.Result {
	decide := s.consumerBeat
	if req.MemberEpoch < 0 {
		decide = s.consumerLeave
	}
	r, err := decide(t, by, req)
	if err != nil {
		return t.Answer(heartbeatRefused(req, err))
	}
	return r
}

// consumerBeat is a member that joins or stays. In this order: the member is made or changed, with it its subscription and
// so perhaps the group epoch; a target assignment is computed when the group epoch is ahead of it; the member moves
// towards its part of it.
func (s *State) consumerBeat(t coordinator.Turn, by Caller, req *kmsg.ConsumerGroupHeartbeatRequest) (coordinator.Result, error) {
	joins := req.MemberEpoch == 0
	d := s.decide(nil, t.Now)
	if err := d.findOrMake(req.Group, joins); err != nil {
		return coordinator.Result{}, err
	}
	g := d.g
	if err := s.checkConsumerSize(g, req.MemberID); err != nil {
		return coordinator.Result{}, err
	}
	id := req.MemberID
	if id == "" {
		id = s.env.UUID().String()
	}
	old, err := d.memberFor(joiner{id: id, instance: req.InstanceID, create: joins, epoch: req.MemberEpoch, owned: req.Topics, ownedKnown: req.Topics != nil})
	if err != nil {
		return coordinator.Result{}, err
	}

	m := *old
	if req.InstanceID != nil {
		m.instance = req.InstanceID
	}
	if req.RackID != nil {
		m.rack = req.RackID
	}
	if req.RebalanceTimeoutMillis != -1 {
		m.rebalanceMs = req.RebalanceTimeoutMillis
	}
	if req.ServerAssignor != nil {
		m.assignor = req.ServerAssignor
	}
	if req.SubscribedTopicNames != nil {
		m.topics = distinctTopics(req.SubscribedTopicNames)
	}
	if req.SubscribedTopicRegex != nil {
		m.regex = req.SubscribedTopicRegex
	}
	m.client, m.host, m.classic = by.ClientID, by.Host, nil

	namesChanged := d.putMember(old, &m)
	pattern, err := d.changePattern(old, &m)
	if err != nil {
		return coordinator.Result{}, err
	}
	bump := namesChanged || pattern == patternResolved || d.assignorChanged(old, &m)
	epoch, isMixed := d.subscribe(old, &m, bump)
	targetEpoch, target, err := d.assign(epoch, old, &m, isMixed)
	if err != nil {
		return coordinator.Result{}, err
	}
	after, err := d.reconcile(&m, reconciliation{targetEpoch: targetEpoch, target: target, subscriptionChanged: namesChanged || pattern != patternSame,
		owned: req.Topics, ownedKnown: req.Topics != nil})
	if err != nil {
		return coordinator.Result{}, err
	}
	d.session(id, s.consumerSession(g.id))

	resp := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	resp.MemberID, resp.MemberEpoch = &after.id, after.epoch
	resp.HeartbeatIntervalMillis = s.heartbeatInterval(d, after, epoch, targetEpoch)
	full := req.RebalanceTimeoutMillis != -1 && (req.SubscribedTopicNames != nil || req.SubscribedTopicRegex != nil) && req.Topics != nil
	if joins || full || !old.assigned.equal(after.assigned) {
		resp.Assignment = &kmsg.ConsumerGroupHeartbeatResponseAssignment{Topics: responseTopics(after.assigned)}
	}
	return d.result(t.Token, resp), nil
}

func responseTopics(h holding) []kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic {
	list := make([]kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic, 0, len(h))
	for _, t := range h {
		list = append(list, kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic{TopicID: t.topic, Partitions: t.partitions})
	}
	return list
}

// What keeps unsettled groups quick and coordinators quiet: members of a group come back 4 ms apart on average, 250
// heartbeats a second; and a group that has just changed is taken to change again within quietAfter.
const (
	heartbeatSpacing = 4 * time.Millisecond
	quietAfter       = 10 * time.Second
)

// heartbeatInterval is when the member should be heard of next. Kafka has one interval; a member that something waits for
// hears of it a whole interval late. While the group is not settled members come back sooner, within the bounds that the
// configuration sets, and when a new target has to wait for the assignment interval they come when it may be computed.
func (s *State) heartbeatInterval(d *consumerDecision, m *consumerMember, epoch, targetEpoch int32) int32 {
	g := d.g
	usual := config.ConsumerHeartbeatIntervalMs.Get(s.groupView(g.id))
	shortest := config.DohleGroupConsumerUnsettledHeartbeatMs.Get(s.view)
	members := len(g.members)
	if g.members[m.id] == nil {
		members++
	}
	age, known := g.targetAge(d.now)
	lately := targetEpoch != g.targetEpoch || known && age < quietAfter
	if shortest <= 0 || shortest >= usual || !lately && g.settledWith(m, epoch, targetEpoch) {
		return int32(usual.Milliseconds())
	}
	soon := max(time.Duration(members)*heartbeatSpacing, shortest)
	if epoch > targetEpoch {
		soon = max(soon, s.assignmentDue(g).Sub(d.now))
	}
	return int32(min(soon, usual).Milliseconds())
}

// settledWith says whether the group is Stable once m is in it.
func (g *consumerGroup) settledWith(m *consumerMember, epoch, targetEpoch int32) bool {
	if epoch > targetEpoch || !m.reconciled(targetEpoch) {
		return false
	}
	for id, other := range g.members {
		if id != m.id && !other.reconciled(targetEpoch) && other.epoch >= 0 {
			return false
		}
	}
	return true
}

// checkConsumerSize refuses a new member of a full group.
func (s *State) checkConsumerSize(g *consumerGroup, member string) error {
	size := config.GroupConsumerMaxSize.Get(s.view)
	if len(g.members) >= int(size) && (member == "" || g.members[member] == nil) {
		return refusal{kerr.GroupMaxSizeReached, fmt.Sprintf("The consumer group has reached its maximum capacity of %d members.", size)}
	}
	return nil
}
