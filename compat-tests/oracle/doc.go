// Package oracle asks brokers the conversations of package scenario and compares what they say.
//
// Side.Run gives a Transcript: every step's effect and answer, in which whatever differs between any two clusters has
// been given a name in the order in which it appeared (ids, sessions, ports, times, directories). Two transcripts are
// compared field by field; a transcript that is kept is a golden answer. Differences are explained by a row of
// docs/divergence.md that the scenario or scenarios/rules.txt names, or they fail the run.
//
// run.go has the goroutines: one per side while both are asked. A Side belongs to one of them.
package oracle
