// Package regex is the regular expressions by which members of consumer groups (KIP-848) subscribe to topics.
//
// Apache Kafka compiles them with RE2J; Go's regexp is of the same family and means the same by what both accept. Where
// they differ in what they accept, dialect.go brings Go to RE2J's side: names of Unicode classes, group names that come
// twice, a repeated "{", escapes beyond ASCII, texts of errors. What is left is in docs/divergence.md: Go multiplies nested
// repetitions and allows 1,000 in all, and there are bounds on size, so that no pattern costs more than a moment and a few
// megabytes to compile.
//
// A topic matches when the pattern matches the whole of its name.
//
// Who calls it: coordinator/group (consumer_regex.go). Compile when a heartbeat brings a new pattern; Match later, topic by
// topic in turns of bounded Cost, because many topics and a bad pattern take their time.
//
// Pure: no state, goroutines or locks. A Pattern may be used by many goroutines. It does not know authorizers: the caller
// takes out topics that the member may not describe.
package regex
