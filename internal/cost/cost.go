// Package cost is the oracle of the fuzz targets: a parser of foreign bytes may allocate 16 times its input and a
// fixed part, whatever the bytes claim (SC-17 of the robustness list).
//
// Tests only. No state; a measurement that another goroutine disturbed is repeated.
package cost

import (
	"runtime"
	"testing"
)

// Bounded fails t when f allocates more than 16 times input bytes plus fixed bytes, three times in a row.
func Bounded(t testing.TB, input, fixed int, f func()) {
	t.Helper()
	limit := uint64(16*input + fixed)
	var before, after runtime.MemStats
	for range 3 {
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if after.TotalAlloc-before.TotalAlloc <= limit {
			return
		}
	}
	t.Fatalf("%d bytes allocated for %d", after.TotalAlloc-before.TotalAlloc, input)
}
