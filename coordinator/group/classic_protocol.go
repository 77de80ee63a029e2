package group

import (
	"bytes"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/protocol"
)

// consumerProtocolType is the protocol type of consumers: their subscriptions and assignments have a known form.
const consumerProtocolType = "consumer"

// keepProtocols copies the protocols of a join: its bytes belong to the connection.
func keepProtocols(list []kmsg.JoinGroupRequestProtocol) []classicProtocol {
	kept := make([]classicProtocol, len(list))
	for i := range list {
		kept[i] = classicProtocol{list[i].Name, bytes.Clone(list[i].Metadata)}
	}
	return kept
}

// matches says whether a join changes nothing: the same protocols in the same order with the same metadata.
func (m *classicMember) matches(list []kmsg.JoinGroupRequestProtocol) bool {
	return slices.EqualFunc(m.protocols, list, func(p classicProtocol, q kmsg.JoinGroupRequestProtocol) bool {
		return p.name == q.Name && bytes.Equal(p.metadata, q.Metadata)
	})
}

// supports says whether somebody with these protocols may be in the group: an empty one takes any, else one protocol must
// be spoken by all members.
func (g *classicRound) supports(protocolType string, list []kmsg.JoinGroupRequestProtocol) bool {
	if g.state == stateEmpty {
		return protocolType != "" && len(list) > 0
	}
	return g.protocolType != "" && g.protocolType == protocolType &&
		slices.ContainsFunc(list, func(p kmsg.JoinGroupRequestProtocol) bool { return g.supported[p.Name] == len(g.members) })
}

// selectProtocol lets each member vote for the first of its protocols that all members speak. Among equals the one wins
// that a Java hash map comes to first.
func (g *classicRound) selectProtocol() string {
	votes := map[string]int{}
	var voted []string // in the order of their first votes
	for _, m := range g.members {
		for _, p := range m.protocols {
			if g.supported[p.name] == len(g.members) {
				if votes[p.name] == 0 {
					voted = append(voted, p.name)
				}
				votes[p.name]++
				break
			}
		}
	}
	best, most := "", 0
	for _, name := range javaOrder(voted) {
		if votes[name] > most {
			best, most = name, votes[name]
		}
	}
	return best
}

// javaOrder sorts the keys of a java.util.HashMap<String, …>, given in the order that they were put, as it iterates.
func javaOrder(keys []string) []string {
	size := int32(16)
	for float64(len(keys)) > 0.75*float64(size) {
		size *= 2
	}
	bucket := func(key string) int32 {
		hash := uint32(coordinator.JavaHash(key))
		return int32(hash^hash>>16) & (size - 1)
	}
	slices.SortStableFunc(keys, func(a, b string) int { return int(bucket(a) - bucket(b)) })
	return keys
}

// subscribedTopics are the topics that the members subscribe to: nil when that is not known, because they are not
// consumers or one of the subscriptions can't be read; none in an empty group.
func (g *classicRound) subscribedTopics() map[string]struct{} {
	if g.protocolType != consumerProtocolType {
		return nil
	}
	topics := map[string]struct{}{}
	if len(g.members) == 0 {
		return topics
	}
	if g.protocol == nil {
		return nil
	}
	for _, m := range g.members {
		if !addTopics(topics, m.metadata(g.protocol)) {
			return nil
		}
	}
	return topics
}

// addTopics reads the topics of a consumer's subscription: the form of version 0 begins all versions.
func addTopics(topics map[string]struct{}, subscription []byte) bool {
	r := protocol.NewReader(subscription)
	if r.Int16() < 0 || r.Err() != nil {
		return false
	}
	for n := r.Count(false, false, 2); n > 0 && r.Err() == nil; n-- {
		length := r.Int16()
		if length < 0 {
			return false
		}
		name := r.Span(int(length))
		if _, ok := topics[string(name)]; !ok && r.Err() == nil {
			topics[string(name)] = struct{}{}
		}
	}
	return r.Err() == nil
}
