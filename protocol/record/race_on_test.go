//go:build race

package record

// In race builds sync.Pool drops items at random, so allocations are not counted.
const countAllocs = false
