package protocol

import "runtime"

// allocSlack is what the runtime may allocate by itself while it is measured.
const allocSlack = 4096

// allocatedBy measures the bytes that f allocates. Other goroutines may disturb it, so the least of
// several runs counts.
func allocatedBy(f func()) int64 {
	least := int64(1) << 62
	var before, after runtime.MemStats
	for range 3 {
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, int64(after.TotalAlloc-before.TotalAlloc))
	}
	return least
}

// rounds cuts repetitions down under the race detector, where everything is slow.
func rounds(n int) int {
	if raceEnabled {
		return max(1, n/6)
	}
	return n
}
