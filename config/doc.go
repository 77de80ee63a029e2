// Package config owns every configuration key of a Kafka broker, topic and group: declared once, in rows generated from
// Kafka's own definitions (internal/gen/configs), and everything else is derived from the rows: typed keys, parsing,
// validation with Kafka's words, the layers of dynamic configuration, DescribeConfigs, docs/configs.md.
//
// Everyone calls it. cmd and dohletest make a File (Load, NewStatic: server.properties, KAFKA_* variables, overrides). The
// broker lays the CONFIG records of the committed image over it (BrokerView, TopicView, GroupView), and code asks a typed
// key at the moment of use: config.SegmentBytes.Get(view). Nobody subscribes to a key. Hot paths keep a resolved struct
// (ResolveTopic) that the metadata publisher refreshes. The controller asks ValidateTopicConfigs, ValidateGroupConfigs and
// ValidateBrokerChange before it writes CONFIG records; api turns DescribeBroker, DescribeTopic and DescribeGroup into answers.
//
// Invariants. Rows are sorted by name. A File has passed validation. A view never answers a text that its row can't parse,
// provided that the maps below it were validated. Values keep the text that was written; only Kafka's canonical print of
// it leaves through DescribeConfigs. Password values are never printed. A setting that asks for protection which is not
// there (TLS, SASL, an authorizer) is an error, never silently plaintext.
//
// Goroutines and locks: none. Files and rows are immutable; views are as immutable as the maps they stand on.
//
// What it does not do: resolve host names, create directories, load classes (a class name outside Kafka's own is refused),
// run config providers, decide what happens when a key changes.
//
// KIPs: 226 (dynamic broker configuration), 412 and 569 (types and synonyms in DescribeConfigs), 714 (client metrics),
// 848, 932 and 1071 (group keys), 950 (tiered storage per topic), 1161 (list values).
package config
