package config

import "strconv"

// Source says which layer a value came from, with the codes that DescribeConfigs puts on the wire.
type Source int8

const (
	SourceUnknown        Source = 0
	SourceTopic          Source = 1
	SourceDynamicBroker  Source = 2
	SourceDynamicDefault Source = 3
	SourceStatic         Source = 4
	SourceDefault        Source = 5
	SourceLogger         Source = 6
	SourceClientMetrics  Source = 7
	SourceGroup          Source = 8
)

// String is Kafka's name of the source.
func (s Source) String() string {
	return [...]string{"UNKNOWN", "DYNAMIC_TOPIC_CONFIG", "DYNAMIC_BROKER_CONFIG", "DYNAMIC_DEFAULT_BROKER_CONFIG", "STATIC_BROKER_CONFIG",
		"DEFAULT_CONFIG", "DYNAMIC_BROKER_LOGGER_CONFIG", "DYNAMIC_CLIENT_METRICS_CONFIG", "DYNAMIC_GROUP_CONFIG"}[s]
}

// View answers the value of a key by name. ok is false when there is none: an unknown key, or a null default.
// Views are immutable as long as the maps below them are; asking one costs a few map look-ups.
type View interface {
	Lookup(name string) (value string, source Source, ok bool)
}

// brokerView layers the dynamic configuration over the file: default < file < all brokers < this broker.
type brokerView struct {
	static              *File
	dynDefault, dynamic map[string]string
}

// BrokerView is the configuration of a running broker. The maps are the CONFIG records of the empty broker name
// and of this broker's id; they are kept, not copied. Either may be nil.
func BrokerView(static *File, dynDefault, dynBroker map[string]string) View {
	return &brokerView{static, dynDefault, dynBroker}
}

func (v *brokerView) Lookup(name string) (string, Source, bool) {
	if s, ok := v.dynamic[name]; ok && dynamicApplies(name, true) {
		return clampDynamic(v, name, s), SourceDynamicBroker, true
	}
	if s, ok := v.dynDefault[name]; ok && dynamicApplies(name, false) {
		return clampDynamic(v, name, s), SourceDynamicDefault, true
	}
	return v.static.Lookup(name)
}

// dynamicApplies: a stored value for a key that can't change, or a per-broker key stored for all brokers, is ignored, as Kafka ignores it.
func dynamicApplies(name string, perBroker bool) bool {
	row := BrokerRow(name)
	return row == nil || row.Mode == ClusterWide || row.Mode == PerBroker && perBroker
}

// layered looks in one map first, then asks the broker through the row's synonyms, then takes the row's own default.
type layered struct {
	broker View
	own    map[string]string
	rows   []Row
	source Source
}

// TopicView is the configuration of a topic: its own CONFIG records over the broker's keys.
// Names that are not topic keys are answered by the broker.
func TopicView(broker View, topic map[string]string) View {
	return &layered{broker, topic, topicRows, SourceTopic}
}

// GroupView is the configuration of a group. Values out of the broker's bounds count as the nearest bound (KIP-1240).
func GroupView(broker View, group map[string]string) View {
	return &groupView{layered{broker, group, groupRows, SourceGroup}}
}

func (v *layered) Lookup(name string) (string, Source, bool) {
	row := find(v.rows, name)
	if row == nil {
		return v.broker.Lookup(name)
	}
	if s, ok := v.own[name]; ok {
		return s, v.source, true
	}
	return inherited(v.broker, row)
}

// inherited is the value of a topic or group key that is not set on the topic or group itself.
func inherited(broker View, row *Row) (string, Source, bool) {
	for _, syn := range row.Synonyms {
		s, source, ok := broker.Lookup(syn.Name)
		if !ok {
			continue
		}
		if source == SourceDefault && len(row.Synonyms) == 1 {
			return rowDefault(row, s), SourceDefault, !row.Null || s != ""
		}
		return convert(row, syn, s), source, true
	}
	if row.Null {
		return "", SourceDefault, false
	}
	return row.Default, SourceDefault, true
}

// rowDefault: the key's own default, or, where that is null, the first entry of the broker's list (streams.assignor.name).
func rowDefault(row *Row, brokerValue string) string {
	if !row.Null {
		return row.Default
	}
	return first(brokerValue)
}

// convert turns a broker key's value into the topic or group key's unit and type.
func convert(row *Row, syn Synonym, s string) string {
	if broker := BrokerRow(syn.Name); broker != nil && broker.Type == List && row.Type == String {
		return first(s)
	}
	if syn.Factor != 1 || row.Name == RetentionMs.Name() {
		n := parseInt(s) * syn.Factor
		if row.Name == RetentionMs.Name() && n < 0 {
			n = -1 // any negative broker retention means unlimited
		}
		return strconv.FormatInt(n, 10)
	}
	return s
}

func first(list string) string {
	if l := splitList(list); len(l) > 0 {
		return l[0]
	}
	return ""
}
