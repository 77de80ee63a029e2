package broker

import (
	"os"
	"runtime/debug"
	"strings"
)

// hostname is what a listener on every interface is advertised as, as in Apache Kafka.
func hostname() (string, error) { return os.Hostname() }

// requestMemory is the budget for requests in flight: a quarter of the process's memory limit (robustness 6), or of
// 1 GiB while there is none.
func requestMemory() int64 {
	const assumed = 1 << 30
	limit := debug.SetMemoryLimit(-1)
	if limit <= 0 || limit > 1<<50 {
		limit = assumed
	}
	return limit / 4
}

// splitPairs reads "key:value,key:value"; the last colon of an entry splits it.
func splitPairs(text string) [][2]string {
	var pairs [][2]string
	for _, entry := range strings.Split(text, ",") {
		if i := strings.LastIndexByte(entry, ':'); i > 0 {
			pairs = append(pairs, [2]string{strings.TrimSpace(entry[:i]), strings.TrimSpace(entry[i+1:])})
		}
	}
	return pairs
}
