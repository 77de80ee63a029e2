//go:build race

package protocol

// Under the race detector the compiler does not merge append(a, make(...)...), so kmsg allocates twice.
const raceEnabled = true
