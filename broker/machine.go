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
	if limit := memoryLimit(); limit > 0 {
		return limit / 4
	}
	return 1 << 30 / 4
}

// cacheWindow is how much of each log stays in the page cache behind its end: the page cache counts against the
// limit of a container too. 0 is storage's default.
func cacheWindow() int64 {
	const step = 8 << 20
	if limit := memoryLimit(); limit > 0 {
		return min(1<<30, max(limit/8, step))
	}
	return 0
}

// memoryLimit is the process's memory limit in bytes, 0 = none.
func memoryLimit() int64 {
	if limit := debug.SetMemoryLimit(-1); limit <= 1<<50 {
		return max(limit, 0)
	}
	return 0
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
