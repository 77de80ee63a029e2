//go:build race

package compress

// In race builds sync.Pool drops items at random, so allocations are not counted.
const countAllocs = false
