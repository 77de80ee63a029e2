package config

import (
	"maps"
	"slices"
)

// Layers are the parts of a broker's configuration, for DescribeConfigs, which names them one by one.
type Layers struct {
	Static  *File
	Default map[string]string // CONFIG records of the empty broker name
	Broker  map[string]string // CONFIG records of this broker's id
}

// View is the configuration that the layers amount to.
func (l Layers) View() View { return BrokerView(l.Static, l.Default, l.Broker) }

// Entry is one line of a DescribeConfigs answer.
type Entry struct {
	Name      string
	Value     *string // nil for null and for sensitive values
	Source    Source
	ReadOnly  bool
	Sensitive bool
	Type      Type
	Doc       string // what the key does here, in our words; "" = nothing to say
	Synonyms  []EntrySynonym
}

// EntrySynonym is one of the places that a value could come from, the winning one first.
type EntrySynonym struct {
	Name   string
	Value  *string
	Source Source
}

// DescribeBroker answers DescribeConfigs for this broker's id: every public key, and every other key that is set.
// Sorted by name (Kafka's order is that of its hash map).
func DescribeBroker(l Layers) []Entry {
	names := map[string]bool{}
	for i := range brokerRows {
		if !brokerRows[i].Internal {
			names[brokerRows[i].Name] = true
		}
	}
	for _, layer := range []map[string]string{l.Static.values, l.Default, l.Broker} {
		for name := range layer {
			names[name] = true
		}
	}
	view := l.View()
	out := make([]Entry, 0, len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		out = append(out, l.brokerEntry(view, name, func(EntrySynonym) bool { return true }))
	}
	return out
}

// DescribeBrokerDefaults answers DescribeConfigs for the empty broker name: what is set for all brokers.
func DescribeBrokerDefaults(l Layers) []Entry {
	view := BrokerView(Defaults(), l.Default, nil)
	var out []Entry
	for _, name := range slices.Sorted(maps.Keys(l.Default)) {
		out = append(out, l.brokerEntry(view, name, func(s EntrySynonym) bool { return s.Source == SourceDynamicDefault }))
	}
	return out
}

func (l Layers) brokerEntry(view View, name string, keep func(EntrySynonym) bool) Entry {
	row := RowOf(ResourceBroker, name)
	if row == nil {
		row = RowOf(ResourceBroker, baseName(name))
	}
	e := Entry{Name: name, Source: SourceDefault, ReadOnly: true, Sensitive: row == nil || row.Sensitive()}
	if row != nil {
		e.Type, e.Doc = row.Type, row.Effect()
	}
	if r := RowOf(ResourceBroker, name); r != nil && r.Mode != ReadOnly {
		e.ReadOnly = false
	}
	if s, _, ok := view.Lookup(name); ok && !e.Sensitive {
		if row != nil && row.Name == name {
			s = canonical(row, s)
		}
		e.Value = &s
	}
	e.Synonyms = slices.DeleteFunc(l.synonyms(name, e.Sensitive), func(s EntrySynonym) bool { return !keep(s) })
	if len(e.Synonyms) > 0 {
		e.Source = e.Synonyms[0].Source
	}
	return e
}

// synonyms are the places where a broker key's value may stand, by precedence: layer by layer, and within a layer key by key.
func (l Layers) synonyms(name string, sensitive bool) []EntrySynonym {
	names := brokerSynonyms(name)
	var out []EntrySynonym
	add := func(source Source, lookup func(string) (string, bool)) {
		for _, n := range names {
			if s, ok := lookup(n); ok {
				syn := EntrySynonym{Name: n, Source: source}
				if !sensitive {
					syn.Value = &s
				}
				out = append(out, syn)
			}
		}
	}
	from := func(m map[string]string) func(string) (string, bool) {
		return func(n string) (string, bool) { s, ok := m[n]; return s, ok }
	}
	add(SourceDynamicBroker, from(l.Broker))
	add(SourceDynamicDefault, from(l.Default))
	add(SourceStatic, from(l.Static.values))
	add(SourceDefault, func(n string) (string, bool) {
		if row := BrokerRow(n); row != nil && !row.Null {
			return row.Default, true
		}
		return "", false
	})
	for i, s := range out { // a synonym that does not hold the key's own name first is dropped up to that
		if s.Name == name {
			return out[i:]
		}
	}
	return nil
}

// alike are broker keys that say the same thing in different units; the first that is set wins.
var alike = [][]string{
	{"log.roll.ms", "log.roll.hours"},
	{"log.roll.jitter.ms", "log.roll.jitter.hours"},
	{"log.retention.ms", "log.retention.minutes", "log.retention.hours"},
}

func brokerSynonyms(name string) []string {
	for _, group := range alike {
		if slices.Contains(group, name) {
			return group
		}
	}
	if name == "log.flush.interval.ms" {
		return []string{name, "log.flush.scheduler.interval.ms"}
	}
	if base := baseName(name); base != name {
		return []string{name, base}
	}
	return []string{name}
}

// DescribeTopic answers DescribeConfigs for a topic with these CONFIG records.
func DescribeTopic(l Layers, topic map[string]string) []Entry {
	view := TopicView(l.View(), topic)
	out := make([]Entry, 0, len(topicRows))
	for i := range topicRows {
		row := &topicRows[i]
		var inherited []EntrySynonym
		if len(row.Synonyms) > 0 {
			inherited = l.synonyms(row.Synonyms[0].Name, false)
		}
		if e, ok := ownEntry(view, row, topic, SourceTopic, inherited); ok {
			out = append(out, e)
		}
	}
	return out
}

// DescribeGroup answers DescribeConfigs for a group with these CONFIG records.
func DescribeGroup(l Layers, group map[string]string) []Entry {
	view := &layered{l.View(), group, groupRows, SourceGroup}
	out := make([]Entry, 0, len(groupRows))
	for i := range groupRows {
		row := &groupRows[i]
		var inherited []EntrySynonym
		if len(row.Synonyms) > 0 {
			inherited = l.synonyms(row.Synonyms[0].Name, false)
		} else if !row.Null {
			inherited = []EntrySynonym{{row.Name, &row.Default, SourceDefault}}
		}
		e, ok := ownEntry(view, row, group, SourceGroup, inherited)
		if !ok && len(inherited) > 0 && inherited[0].Source != SourceDefault {
			shown := *row // an internal key that the broker sets is one of its groups
			shown.Internal = false
			e, ok = ownEntry(view, &shown, group, SourceGroup, inherited)
		}
		if ok {
			out = append(out, e)
		}
	}
	return out
}

// DescribeClientMetrics answers DescribeConfigs for a client-metrics subscription.
func DescribeClientMetrics(configs map[string]string) []Entry {
	view := &layered{Defaults(), configs, clientMetricsRows, SourceClientMetrics}
	var out []Entry
	for i := range clientMetricsRows {
		if e, ok := ownEntry(view, &clientMetricsRows[i], configs, SourceClientMetrics, nil); ok {
			out = append(out, e)
		}
	}
	return out
}

// ownEntry describes a key of a topic, group or subscription; internal keys only when set.
func ownEntry(view View, row *Row, own map[string]string, source Source, inherited []EntrySynonym) (Entry, bool) {
	_, set := own[row.Name]
	if row.Internal && !set {
		return Entry{}, false
	}
	e := Entry{Name: row.Name, Source: SourceDefault, Type: row.Type, Doc: row.Effect(), Synonyms: inherited}
	if s, _, ok := view.Lookup(row.Name); ok {
		s = canonical(row, s)
		e.Value = &s
	}
	if set {
		e.Synonyms = append([]EntrySynonym{{row.Name, e.Value, source}}, inherited...)
	}
	if len(e.Synonyms) > 0 {
		e.Source = e.Synonyms[0].Source
	}
	return e, true
}
