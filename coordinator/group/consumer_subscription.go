package group

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"unicode/utf16"

	"github.com/zeebo/xxh3"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
)

// putMember writes the member if it is new or changed, and says whether its topic names changed.
func (d *consumerDecision) putMember(old, m *consumerMember) (namesChanged bool) {
	if m.sameMetadata(old) {
		return false
	}
	d.write(memberRecord(d.g.id, m))
	return !slices.Equal(old.topics, m.topics)
}

// assignorChanged says whether another assignor is to be used because of the member.
func (d *consumerDecision) assignorChanged(old, m *consumerMember) bool {
	if equalText(old.assignor, m.assignor) && d.g.members[old.id] == old {
		return false
	}
	return d.s.assignorOr(preferredAssignor(d.g.assignors)) != d.s.assignorOr(preferredAssignor(d.assignorsWith(old, m)))
}

// assignorsWith counts the wanted assignors with m in place of old.
func (d *consumerDecision) assignorsWith(old, m *consumerMember) map[string]int {
	wanted := maps.Clone(d.g.assignors)
	if old.assignor != nil && wanted[*old.assignor] > 0 {
		addTo(wanted, old.assignor, -1)
	}
	addTo(wanted, m.assignor, +1)
	return wanted
}

// assignorOr is the name of an assignor, or of the default one.
func (s *State) assignorOr(name string) string {
	if name == "" {
		return config.GroupConsumerAssignors.Get(s.view)[0]
	}
	return name
}

// subscribe raises the group epoch when bump says so, or when the metadata of the subscribed topics is not what it was. It
// returns the epoch, and whether members differ in their subscriptions.
func (d *consumerDecision) subscribe(old, m *consumerMember, bump bool) (epoch int32, isMixed bool) {
	g := d.g
	epoch = g.epoch
	millis := d.now.UnixMilli()
	if !bump && millis < g.refreshAt && g.epoch >= g.refreshEpoch {
		return epoch, mixed(g.patterns, g.topics, len(g.members))
	}
	patterns, topics := g.subscriptionsWith(old, m)
	hash := d.s.metadataHash(topics)
	members := len(g.members)
	if g.members[m.id] == nil && g.static(m.instance) == nil {
		members++
	}
	if bump || hash != g.metadataHash {
		epoch++
		d.write(groupEpochRecord(g.id, epoch, hash))
	}
	d.soft(func(g *consumerGroup) { g.refreshAt, g.refreshEpoch = millis+math.MaxInt32, epoch })
	if g.oldMetadata {
		d.write(oldMetadataTombstone(g.id))
	}
	return epoch, mixed(patterns, topics, members)
}

// subscriptionsWith is what the group subscribes to with m in place of old.
func (g *consumerGroup) subscriptionsWith(old, m *consumerMember) (patterns map[string]int, topics map[string]subscriberCount) {
	patterns, topics = g.patterns, maps.Clone(g.topics)
	for _, name := range old.topics {
		if _, ok := topics[name]; ok { // a new member's names are not counted
			change(topics, name, -1, 0)
		}
	}
	for _, name := range m.topics {
		change(topics, name, +1, 0)
	}
	was, is := old.pattern(), m.pattern()
	if was == is {
		return patterns, topics
	}
	patterns = maps.Clone(patterns)
	if was != "" {
		if patterns[was] == 1 {
			g.uncount(topics, was)
		}
		if patterns[was] > 0 {
			addTo(patterns, &was, -1)
		}
	}
	if is != "" {
		addTo(patterns, &is, +1)
	}
	return patterns, topics
}

// uncount takes the topics of a regular expression out of counts.
func (g *consumerGroup) uncount(topics map[string]subscriberCount, pattern string) {
	if r := g.resolved[pattern]; r != nil {
		for _, name := range r.topics {
			change(topics, name, 0, -1)
		}
	}
}

func change(topics map[string]subscriberCount, name string, names, patterns int) {
	c := topics[name]
	c.names += names
	c.patterns += patterns
	if c == (subscriberCount{}) {
		delete(topics, name)
	} else {
		topics[name] = c
	}
}

// metadataHash is Kafka's number for the metadata of topics (KIP-1101): XXH3 over the hashes of those that exist, in the
// order of their names; 0 for none. Another broker must come to the same number, or it rebalances every group it takes.
func (s *State) metadataHash(topics map[string]subscriberCount) int64 {
	var b []byte
	for _, name := range sortedKeys(topics) {
		if t := s.image.Topics.ByName(name); t != nil {
			b = binary.LittleEndian.AppendUint64(b, s.topicHash(t))
		}
	}
	if len(b) == 0 {
		return 0
	}
	return int64(xxh3.Hash(b))
}

// topicHash is the hash of a topic's id, name, and the racks of its partitions, kept until the topic changes.
func (s *State) topicHash(t *metadata.Topic) uint64 {
	if h, ok := s.topicHashes[t.Name]; ok {
		return h
	}
	h := topicHash(s.image, t)
	s.topicHashes[t.Name] = h
	return h
}

func topicHash(img *metadata.Image, t *metadata.Topic) uint64 {
	b := []byte{0} // version of the hash
	for i := 8; i <= 16; i += 8 {
		b = binary.LittleEndian.AppendUint64(b, binary.BigEndian.Uint64(t.ID[i-8:i]))
	}
	b = appendHashed(b, t.Name)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(t.Partitions)))
	for i, p := range t.Partitions {
		b = binary.LittleEndian.AppendUint32(b, uint32(i))
		var racks []string
		if p != nil {
			for _, id := range p.Replicas {
				if broker := img.Brokers.Get(id); broker != nil && broker.Rack != nil {
					racks = append(racks, *broker.Rack)
				}
			}
		}
		slices.Sort(racks)
		for _, rack := range racks {
			b = binary.LittleEndian.AppendUint32(b, uint32(len(utf16.Encode([]rune(rack)))))
			b = appendHashed(b, rack)
		}
	}
	return xxh3.Hash(b)
}

// appendHashed appends a text as Kafka's hash library takes it: UTF-16 units and their number.
func appendHashed(b []byte, s string) []byte {
	units := utf16.Encode([]rune(s))
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return binary.LittleEndian.AppendUint32(b, uint32(len(units)))
}
