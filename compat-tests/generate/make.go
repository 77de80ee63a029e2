package generate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/dohle-io/dohle/compat-tests/scenario"
	"github.com/dohle-io/dohle/compat-tests/wire"
)

// maker makes requests that are valid in form: names and numbers that exist, that do not, and that are at the bounds.
// What it makes changes nothing that both sides do not change at once: topics are only checked, records are written.
type maker struct {
	r   *rand.Rand
	uid string // in the names of the pool

	joins int // groups that were made to be joined once
}

// pool are the topics that exist, as variables; the first has one partition, the next two, and so on.
const pool = 4

var (
	topicNames = []string{"nope", "", "a/b", ".", "..", "nope_2", "__consumer_offsets_not", "${x*249}", "${x*250}", "new.a", "new_a", "new-a"}
	configs    = []string{"retention.ms", "cleanup.policy", "segment.bytes", "no.such.key", "flush.ms", "min.insync.replicas", "compression.type", "max.message.bytes", ""}
	values     = []string{"1", "-1", "0", "compact", "delete", "x", "", "9223372036854775807", "producer", "1000", "2097152", "compact,delete"}
	words      = []string{"", "x", "compat", "a.b"} // groups, racks, clients
	unknownID  = "AAECAwQFBgcICQoLDA0ODw"
)

func pick[T any](m *maker, list ...T) T { return list[m.r.IntN(len(list))] }

// body is one request of an API at a version.
func (m *maker) body(msg *wire.Message, version int16) map[string]any {
	fields := m.structure(msg.Name, msg.Fields, version)
	switch msg.Name {
	case "JoinGroup":
		m.join(fields, version)
	case "IncrementalAlterConfigs":
		fields["ValidateOnly"] = true
		scenario.Visit(fields, "Resources.Configs.Value", func(c map[string]any, _ string, _ int) {
			if op := c["ConfigOperation"]; c["Value"] == nil && (op == 2 || op == 3) { // A19: Kafka's controller would resign
				c["Value"] = "compact"
			}
		})
	case "CreateTopics", "CreatePartitions", "AlterConfigs", "UpdateFeatures":
		fields["ValidateOnly"] = true
	}
	return fields
}

// given are the fields that are never left out: their defaults are known differences (D5, D11), or make a request do
// more, or wait longer, than it may.
var given = []string{"Name", "MemberId", "Index", "Records", "TopicId", "TransactionalId", "TimeoutMs", "MaxWaitMs", "ValidateOnly", "AllowAutoTopicCreation", "ResourceName", "Acks", "BrokerId", "TopicNames", "ResourceType", "ClusterId"}

func (m *maker) structure(path string, fields []*wire.Field, version int16) map[string]any {
	all := map[string]any{}
	for _, f := range fields {
		if !f.Versions.Has(version) || m.r.IntN(40) == 0 && !slices.Contains(given, f.Name) { // sometimes the default
			continue
		}
		if f.Tag >= 0 && m.r.IntN(2) == 0 {
			continue
		}
		if v, given := m.field(path, f, version); given {
			all[f.Name] = v
		}
	}
	return all
}

func (m *maker) field(path string, f *wire.Field, version int16) (any, bool) {
	here := path + "." + f.Name
	if v, fixed := m.fixed(here, version); fixed {
		return v, v != keepDefault
	}
	if f.Null.Has(version) && f.Kind != "records" && m.r.IntN(8) == 0 {
		return nil, true
	}
	if !f.Array {
		return m.value(here, f, version), true
	}
	list := []any{}
	seen := map[string]bool{}
	for range pick(m, 0, 1, 1, 1, 2, 3) {
		v := m.value(here, f, version)
		if key := keyOf(v); !seen[key] || m.r.IntN(10) == 0 && path != "AlterConfigs" && path != "JoinGroup" && !strings.HasPrefix(path, "Produce") {
			seen[key] = true
			list = append(list, v)
		}
	}
	return list, true
}

// keyOf tells elements of a list apart: named twice is a matter of its own, and rare.
func keyOf(v any) string {
	fields, ok := v.(map[string]any)
	if !ok {
		return wire.JSON(v)
	}
	key := ""
	for _, name := range []string{"Name", "Topic", "TopicId", "TopicName", "Partition", "PartitionIndex", "Index", "ResourceName", "ResourceType", "Feature"} {
		key += wire.JSON(fields[name])
	}
	return key
}

func (m *maker) value(path string, f *wire.Field, version int16) any {
	switch f.Kind {
	case "struct":
		return m.structure(path, f.Fields, version)
	case "string":
		return m.text(path)
	case "bool":
		return m.r.IntN(2) == 0
	case "uuid":
		if m.r.IntN(4) == 0 {
			if strings.HasPrefix(path, "Fetch") { // D11
				return unknownID
			}
			return pick(m, wire.ZeroUUID, unknownID)
		}
		return fmt.Sprintf("$t%d.id", m.r.IntN(pool))
	case "bytes":
		return pick(m, "", "abc", "hex:00ff")
	case "records":
		return m.records()
	case "float64":
		return pick(m, 0.0, 1.5, -1.0)
	}
	return m.number(path, f.Kind)
}

func (m *maker) text(path string) any {
	last := path[strings.LastIndexByte(path, '.')+1:]
	switch {
	case strings.HasSuffix(path, "Configs.Name") || last == "ConfigurationKeys":
		return pick(m, configs...)
	case strings.HasSuffix(path, "Configs.Value"):
		return pick(m, values...)
	case last == "ResourceName" && m.r.IntN(5) == 0:
		return pick(m, "1", "1", "", "9", "x") // brokers
	case last == "ResourceName" || last == "Name" || strings.HasPrefix(last, "Topic"):
		switch {
		case m.r.IntN(20) == 0:
			return "t0-" + strings.ReplaceAll(m.uid, ".", "_") // collides with $t0
		case m.r.IntN(4) == 0 || strings.HasPrefix(path, "CreateTopics") && m.r.IntN(4) > 0:
			return pick(m, topicNames...)
		}
		return fmt.Sprintf("$t%d", m.r.IntN(pool))
	case last == "ClusterId": // never the right one: what brokers ask of each other would be obeyed
		return "other"
	case last == "Feature":
		return pick(m, "metadata.version", "group.version", "transaction.version", "share.version", "nope")
	}
	return pick(m, words...)
}

func (m *maker) number(path, kind string) int64 {
	last := path[strings.LastIndexByte(path, '.')+1:]
	switch {
	case strings.HasPrefix(last, "Partition") || last == "Index":
		return pick[int64](m, 0, 0, 0, 1, 1, 2, 3, 4, -1)
	case strings.HasSuffix(last, "Epoch") && kind == "int32":
		return pick[int64](m, -1, -1, -1, -1, 0, 0, 0, 1, -2, 2147483647)
	case strings.HasSuffix(last, "Epoch"):
		return pick[int64](m, -1, -1, -1, 0, 0, 1)
	case strings.Contains(last, "Offset") && kind == "int64":
		return pick[int64](m, 0, 0, 0, 1, 2, 5, 100, -1, -2, 9223372036854775807)
	case last == "Timestamp":
		return pick[int64](m, -1, -2, -3, -4, -5, -6, 0, 1600000000000, 1600000000001, 9223372036854775807, -9223372036854775808)
	case last == "NumPartitions" || last == "Count":
		return pick[int64](m, 1, 2, 3, 5, 5, 6, 7, 8, 9, 10, 11, -1, 0, -2, 10000, 2147483647)
	case last == "ReplicationFactor":
		return pick[int64](m, 1, 1, 1, -1, -1, 0, 2, -2, 32767)
	case last == "BrokerIds":
		return pick[int64](m, 1, 1, 1, 2, -1)
	case last == "IsolationLevel":
		return pick[int64](m, 0, 0, 1, 1, 1, 2, -1)
	case last == "EndpointType" || last == "ElectionType":
		return pick[int64](m, 0, 1, 1, 2, 3, -1)
	case last == "MaxVersionLevel":
		return pick[int64](m, 0, 1, 2, 7, 28, 29, 30, 31, 32, 33, 34, -1, 32767)
	case last == "UpgradeType":
		return pick[int64](m, 1, 2, 3, 3, 3, 0, 4)
	}
	bounds := map[string][]int64{
		"int8": {0, 1, 2, 3, -1, 127}, "int16": {0, 1, 2, 3, -1, 32767}, "uint16": {0, 1, 65535},
		"int32": {0, 1, 2, 3, -1, 100, 2147483647}, "uint32": {0, 1}, "int64": {0, 1, 2, -1, 9223372036854775807}}
	return pick(m, bounds[kind]...)
}

// records are one batch, mostly good.
func (m *maker) records() any {
	list := []any{}
	for i := range 1 + m.r.IntN(3) {
		list = append(list, map[string]any{"key": fmt.Sprint("k", i), "value": strings.Repeat("v", m.r.IntN(40)), "timestamp": wire.DefaultTime + m.r.IntN(1000)})
	}
	batch := map[string]any{"codec": pick(m, wire.Codecs...), "records": list}
	switch m.r.IntN(12) {
	case 0:
		batch["crc"] = "bad"
	case 1:
		batch["count"] = pick(m, 0, 5, -1)
	case 2:
		batch["lastOffsetDelta"] = pick(m, 7, -1)
	case 3:
		batch["producerId"], batch["producerEpoch"], batch["baseSequence"] = 1000+m.r.IntN(3), m.r.IntN(3), m.r.IntN(4)
	}
	return batch
}

// keepDefault is a fixed value that means: do not give the field.
const keepDefault = "(default)"

// fixed are the fields that are not left to chance: waits are short, nothing is cleared away, no id is a broker's, and
// known differences are not asked for again and again.
func (m *maker) fixed(path string, version int16) (any, bool) {
	if v, fixed := m.group(path, version); fixed {
		return v, true
	}
	switch path {
	case "Fetch.MaxWaitMs":
		return pick(m, 0, 1), true
	case "Fetch.ReplicaId", "Fetch.ReplicaState", "ListOffsets.ReplicaId", "Fetch.ClusterId":
		return keepDefault, true
	case "Fetch.MaxBytes":
		return pick(m, 1, 1000, 1000000), true
	case "Fetch.Topics.Partitions.PartitionMaxBytes":
		return pick(m, 0, 1, 1000, 1000000), true
	case "Fetch.SessionId":
		return pick(m, 0, 0, 0, 77), true
	case "Fetch.SessionEpoch":
		return pick(m, -1, -1, -1, 0, 1), true
	case "Produce.Acks":
		return pick(m, -1, 1, -1, 1, 2, -2), true
	case "Produce.TransactionalId":
		return keepDefault, true
	case "InitProducerId.TransactionalId":
		return nil, true
	case "UpdateFeatures.FeatureUpdates":
		if version == 0 { // it does what it is asked
			return []any{map[string]any{"Feature": "nope", "MaxVersionLevel": 1}}, true
		}
	case "Metadata.AllowAutoTopicCreation":
		return false, true
	case "Metadata.Topics":
		if version < 4 || m.r.IntN(3) == 0 { // those versions create what is missing
			return []any{map[string]any{"Name": fmt.Sprintf("$t%d", m.r.IntN(pool))}}, true
		}
	case "Metadata.Topics.TopicId":
		return keepDefault, true
	case "DeleteTopics.TopicNames":
		return []any{pick(m, topicNames...)}, true
	case "DeleteTopics.Topics":
		list := []any{}
		for range pick(m, 0, 1, 1, 2) {
			list = append(list, pick(m, map[string]any{"Name": pick(m, topicNames...)}, map[string]any{"TopicId": unknownID},
				map[string]any{"Name": "nope", "TopicId": unknownID}, map[string]any{"Name": nil}))
		}
		return list, true
	case "FindCoordinator.KeyType": // K2: no transactions, no share groups
		return pick(m, 0, 0, 0, 3, -1), true
	case "OffsetFetch.Groups.MemberId": // A17
		return pick(m, words...), true
	case "UnregisterBroker.BrokerId":
		return pick(m, 0, 2, 7, -1, 2147483647), true
	case "DescribeQuorum.Topics.TopicName":
		return pick(m, "__cluster_metadata", "__cluster_metadata", "nope"), true
	case "DescribeTopicPartitions.Topics.Name": // A13
		return fmt.Sprintf("$t%d", m.r.IntN(pool)), true
	case "IncrementalAlterConfigs.Resources.Configs.ConfigOperation": // A11
		return pick(m, 0, 1, 2, 3), true
	case "AlterConfigs.Resources.ResourceType": // A12: all kinds that are none are one kind
		return pick(m, 2, 2, 2, 4, 4, 1), true
	case "DescribeConfigs.Resources.ResourceType", "IncrementalAlterConfigs.Resources.ResourceType":
		return pick(m, 2, 2, 2, 2, 2, 2, 2, 4, 4, 1, 3, -1), true
	case "CreateTopics.Topics.Assignments":
		if m.r.IntN(4) > 0 {
			return []any{}, true
		}
	}
	if strings.HasSuffix(path, ".TimeoutMs") || strings.HasSuffix(path, ".timeoutMs") {
		return 5000, true
	}
	return nil, false
}
