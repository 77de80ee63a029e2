package config

import (
	"slices"
	"sort"
)

// Type is the type of a value, with the codes that DescribeConfigs puts on the wire.
type Type int8

const (
	Unknown  Type = 0
	Bool     Type = 1
	String   Type = 2
	Int      Type = 3
	Short    Type = 4
	Long     Type = 5
	Double   Type = 6
	List     Type = 7
	Class    Type = 8
	Password Type = 9
)

// String is Kafka's upper-case name of the type.
func (t Type) String() string {
	return [...]string{"UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"}[t]
}

// Mode says how a broker key may change while the broker runs.
type Mode int8

const (
	ReadOnly    Mode = iota // only by a restart
	PerBroker               // IncrementalAlterConfigs on one broker's id
	ClusterWide             // on one broker's id, or on the empty name for all brokers
)

// String is the mode as Kafka's documentation words it.
func (m Mode) String() string { return [...]string{"read-only", "per-broker", "cluster-wide"}[m] }

// Check is the kind of rule that a single value must meet.
type Check int8

const (
	CheckNone            Check = iota
	CheckRange                 // Min and Max, inclusive; null is refused
	CheckIn                    // one of Valid
	CheckInFold                // one of Valid, in any case
	CheckList                  // no duplicates, no empty entry, each in Valid if there are any
	CheckNonEmpty              // not the empty text; null is fine
	CheckNonNull               // not null
	CheckVoters                // id@host:port entries
	CheckBootstrap             // host:port entries
	CheckThrottled             // partition:broker entries, or a lone *
	CheckGzipLevel             // 1 to 9, or -1
	CheckAutoOffsetReset       // earliest, latest, by_duration:<ISO 8601>
)

// Row declares one key: everything else about configuration is derived from it.
// The tables of rows are generated from Kafka's own definitions (see internal/gen/configs).
type Row struct {
	Name     string
	Ident    string // the Go name of its typed Key
	Type     Type
	Default  string // its text; unused when Null
	Null     bool   // the default is null: no value
	Required bool   // there is no default, the key must be set
	Internal bool   // hidden from DescribeConfigs until it is set
	Mode     Mode   // broker keys only; topic and group keys may always change
	Check    Check
	Min, Max string    // bounds as Kafka prints them; "" = none
	Valid    []string  // allowed values, in the order in which Kafka prints them
	NoEmpty  bool      // CheckList: the empty list is refused
	NullOK   bool      // CheckList: null is allowed
	Synonyms []Synonym // topic and group keys: the broker keys that give the default, first configured wins
}

// Synonym is a broker key behind a topic or group key.
type Synonym struct {
	Name   string
	Factor int64 // the broker key's unit in milliseconds (hours, minutes); 1 otherwise
}

// Sensitive says that the value must never be shown.
func (r *Row) Sensitive() bool { return r.Type == Password }

// Effect says in one sentence what the key does in Dohle, or "" if it is accepted, checked and shown only.
// A broker key that gives topics or groups their default has the effect of their key.
func (r *Row) Effect() string {
	if used[r.Ident] {
		return effects[r.Ident]
	}
	if text, own := ownEffects[r.Name]; own {
		return text
	}
	for _, rows := range [][]Row{topicRows, groupRows} {
		for i := range rows {
			row := &rows[i]
			if used[row.Ident] && row != r && slices.ContainsFunc(row.Synonyms, func(s Synonym) bool { return s.Name == r.Name }) {
				return "Default of " + row.Name + ": " + effects[row.Ident]
			}
		}
	}
	return ""
}

// BrokerRow finds a broker key, internal ones and our own included. Nil if there is no such key.
func BrokerRow(name string) *Row {
	if row := find(brokerRows, name); row != nil {
		return row
	}
	return find(ownRows, name)
}

// DynamicRow finds a key that only dynamic broker configuration knows (the replication throttles).
func DynamicRow(name string) *Row { return find(dynamicRows, name) }

// TopicRow finds a topic key.
func TopicRow(name string) *Row { return find(topicRows, name) }

// GroupRow finds a group key.
func GroupRow(name string) *Row { return find(groupRows, name) }

// ClientMetricsRow finds a key of a client-metrics subscription.
func ClientMetricsRow(name string) *Row { return find(clientMetricsRows, name) }

// find is a binary search: the tables are constant data, so nothing is built at start.
func find(rows []Row, name string) *Row {
	i := sort.Search(len(rows), func(i int) bool { return rows[i].Name >= name })
	if i < len(rows) && rows[i].Name == name {
		return &rows[i]
	}
	return nil
}
