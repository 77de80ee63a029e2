package quorum

import (
	"runtime"
	"testing"
)

// spend bounds what f allocates for a file of so many bytes: 16 times as much and fixed bytes (SC-17).
func spend(t *testing.T, input, fixed int, f func()) {
	t.Helper()
	limit := uint64(16*input + fixed)
	var before, after runtime.MemStats
	for range 3 { // other goroutines may disturb it
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if after.TotalAlloc-before.TotalAlloc <= limit {
			return
		}
	}
	t.Fatalf("%d bytes allocated for %d", after.TotalAlloc-before.TotalAlloc, input)
}
