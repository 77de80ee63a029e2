package group

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/assign"
	"github.com/dohle-io/dohle/coordinator/group/record"
)

// Groups change their kind while they are in use (KIP-848): a classic group becomes a consumer group when the first member
// of the consumer protocol joins, and a classic one again when the last of them leaves. group.consumer.migration.policy
// says what of this is allowed. Both ways all records are in one batch: those that end the one group, those that make the
// other.

func (s *State) migrates(way string) bool {
	policy := strings.ToLower(config.GroupConsumerMigrationPolicy.Get(s.view))
	return policy == way || policy == "bidirectional"
}

// upgrade sets d.g to the consumer group that a classic group with members becomes. Members keep what they have been
// assigned; who waits for the classic group's round is told to join again.
func (d *consumerDecision) upgrade(have Group) error {
	refuse := func(why string) error {
		return refusal{kerr.GroupIDNotFound, fmt.Sprintf("Cannot upgrade classic group %s to consumer group because %s.", have.ID(), why)}
	}
	classic, ok := have.(*classicGroup)
	if !ok {
		return refusal{kerr.GroupIDNotFound, fmt.Sprintf("Group %s is not a consumer group.", have.ID())}
	}
	round := classic.round()
	switch {
	case !d.s.migrates("upgrade"):
		return refuse("online upgrade is disabled")
	case round.protocolType != consumerProtocolType:
		return refuse("the group does not use the consumer embedded protocol")
	case len(round.members) > int(config.GroupConsumerMaxSize.Get(d.s.view)):
		return refuse("the group size exceeds the consumer group maximum size")
	case round.protocol == nil:
		return kerr.UnknownServerError // the first generation is not there yet
	}
	g := newConsumerGroup(round.id, topicIndex{})
	g.epoch, g.targetEpoch = round.generation, round.generation
	for _, m := range round.members {
		var has assign.Assignment
		if len(m.assignment) > 0 {
			a, err := readAssignment(m.assignment)
			if err != nil {
				return refuse("the embedded consumer protocol is malformed")
			}
			if a.hasUserData {
				return refuse("an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor before re-attempting the upgrade")
			}
			has = d.s.assignmentByNames(a.topics)
		}
		sub, err := readSubscription(m.metadata(round.protocol))
		if err != nil {
			return refuse("the embedded consumer protocol is malformed")
		}
		c := newConsumerMember(m.id)
		c.epoch, c.previous, c.instance, c.rack = round.generation, round.generation, m.instance, nonEmpty(sub.rack)
		c.rebalanceMs, c.client, c.host, c.topics = m.rebalanceMillis, m.clientID, m.host, distinctTopics(sub.topics)
		c.assigned = withEpoch(has, round.generation)
		c.classic = &record.ConsumerGroupMemberMetadataValueClassicMemberMetadata{SessionTimeoutMs: m.sessionMillis}
		for _, p := range m.protocols {
			c.classic.SupportedProtocols = append(c.classic.SupportedProtocols, record.ConsumerGroupMemberMetadataValueClassicProtocol{Name: p.name, Metadata: p.metadata})
		}
		g.target[c.id] = has
		g.put(c)
	}
	g.metadataHash = d.s.metadataHash(g.topics)
	d.g = g
	d.replaces(classic)

	ids := sortedKeys(g.members)
	for _, id := range ids {
		d.write(memberRecord(g.id, g.members[id]))
	}
	d.write(groupEpochRecord(g.id, g.epoch, g.metadataHash))
	for _, id := range ids {
		d.write(targetRecord(g.id, id, g.target[id]))
	}
	d.write(targetEpochRecord(g.id, g.targetEpoch, 0))
	for _, id := range ids {
		d.write(currentRecord(g.id, g.members[id]))
	}
	for _, id := range ids {
		d.session(id, millis(g.members[id].classic.SessionTimeoutMs))
	}
	d.s.logger().Info().Str("group", g.id).Int("members", len(ids)).Msg("the classic group becomes a consumer group")
	return nil
}

// replaces ends a classic group: its record goes, and then whoever waits in it is told to join again.
func (d *consumerDecision) replaces(have Group) {
	d.write(have.Tombstones()...)
	if classic, ok := have.(*classicGroup); ok {
		s, now := d.s, d.now
		d.more = d.more.And(coordinator.Result{Then: func() coordinator.Result {
			return s.dismissClassic(classic, kerr.RebalanceInProgress.Code, now)
		}})
	}
}

// downgrades says whether the group becomes a classic one when these members leave: only classic members stay, and some.
func (s *State) downgrades(g *consumerGroup, leaving []*consumerMember) bool {
	stay, classics := len(g.members)-len(leaving), g.classics
	for _, m := range leaving {
		if m.classic != nil {
			classics--
		}
	}
	return classics == stay && stay > 0 && s.migrates("downgrade") && stay <= int(config.GroupMaxSize.Get(s.view))
}

// downgradesFor says the same of a static member of the consumer protocol that a classic one replaces.
func (s *State) downgradesFor(g *consumerGroup, replaced *consumerMember) bool {
	return replaced != nil && replaced.classic == nil && g.classics == len(g.members)-1 &&
		s.migrates("downgrade") && len(g.members) <= int(config.GroupMaxSize.Get(s.view))
}

// downgrade turns the group into a classic one, without the leaving members; joining, if not nil, has the place of the
// static member that it replaces. Members have the target assignment; with a reason they rebalance at once.
func (d *consumerDecision) downgrade(leaving []*consumerMember, joining *consumerMember, reason string) error {
	g := d.g
	replaced := ""
	if joining != nil {
		replaced = g.static(joining.instance).id
	}
	d.write(g.tombstones(func(id string) string {
		if id == replaced && joining != nil {
			return joining.id
		}
		return id
	})...)

	gone := map[string]bool{replaced: true}
	for _, m := range leaving {
		gone[m.id] = true
	}
	round := &classicRound{id: g.id, state: stateStable, since: d.now.UnixMilli(), generation: g.epoch, protocolType: consumerProtocolType}
	targets := map[string]assign.Assignment{}
	add := func(m *consumerMember, target assign.Assignment) {
		c := &classicMember{id: m.id, instance: m.instance, clientID: m.client, host: m.host, rebalanceMillis: m.rebalanceMs, sessionMillis: m.classic.SessionTimeoutMs}
		for _, p := range m.classic.SupportedProtocols {
			c.protocols = append(c.protocols, classicProtocol{p.Name, p.Metadata})
		}
		targets[m.id] = target
		round.add(c)
	}
	for _, id := range sortedKeys(g.members) {
		if !gone[id] {
			add(g.members[id], g.target[id])
		}
		d.forget(id)
	}
	if joining != nil {
		add(joining, g.target[replaced])
	}
	name := round.selectProtocol()
	round.protocol = &name
	round.topics = round.subscribedTopics()
	for _, c := range round.members {
		metadata := c.metadata(round.protocol)
		if len(metadata) < 2 {
			return refusal{kerr.GroupIDNotFound, fmt.Sprintf("Cannot downgrade the classic group %s: Buffer underflow while parsing consumer protocol's header.", g.id)}
		}
		c.assignment = d.s.assignmentFor(targets[c.id], metadata)
	}
	d.write(round.metadataRecord(func(m *classicMember) []byte { return m.assignment }))
	s, id, now := d.s, g.id, d.now
	d.more = d.more.And(coordinator.Result{Then: func() coordinator.Result {
		classic, ok := s.groups[id].(*classicGroup)
		if !ok {
			return coordinator.Result{}
		}
		classic.soft = round
		return s.adoptClassic(classic, now, reason)
	}})
	s.logger().Info().Str("group", g.id).Int("members", len(round.members)).Msg("the consumer group becomes a classic group")
	return nil
}
