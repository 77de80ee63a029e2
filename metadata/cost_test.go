package metadata

import (
	"runtime"
	"testing"
)

// spend bounds what f allocates for a value of so many bytes: 16 times as much and 64 KiB (SC-17).
func spend(t *testing.T, input int, f func()) {
	t.Helper()
	limit := uint64(16*input + 64<<10)
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
