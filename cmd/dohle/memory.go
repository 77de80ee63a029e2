package main

import (
	"errors"
	"io"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/dohle-io/dohle/internal/vfs"
)

// limitMemory tells Go's collector how much memory there is: nine tenths of the control group's limit, the rest is
// for stacks, the runtime and the kernel's buffers. GOMEMLIMIT in the environment has the last word, and outside a
// limited group nothing changes. The broker sizes its request memory by the same limit.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit := groupLimit(readGroupFile); limit < math.MaxInt64 {
		debug.SetMemoryLimit(limit / 10 * 9)
	}
}

// readGroupFile reads a file of the kernel, whose size is not known before; "" when it cannot be read.
func readGroupFile(name string) string {
	f, err := vfs.OS.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	buf := make([]byte, maxGroupFile)
	n, err := f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	return string(buf[:n])
}

const maxGroupFile = 16 << 10 // bytes of /proc/self/cgroup and of a limit

// groupLimit is the smallest memory limit of the process's control group and of those above it, in bytes;
// math.MaxInt64 = none. read returns "" for a file that cannot be read.
func groupLimit(read func(name string) string) int64 {
	limit := int64(math.MaxInt64)
	for line := range strings.Lines(read("/proc/self/cgroup")) {
		// hierarchy:controllers:path; version 2 is hierarchy 0 without controllers
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		root, file := "/sys/fs/cgroup", "memory.max"
		if parts[0] != "0" || parts[1] != "" {
			if parts[1] != "memory" {
				continue
			}
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		}
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			// "max", and version 1's almost 2^63, mean no limit
			if n, err := strconv.ParseInt(strings.TrimSpace(read(path.Join(root, group, file))), 10, 64); err == nil && n > 0 && n < 1<<62 {
				limit = min(limit, n)
			}
			if group == "/" {
				break
			}
		}
	}
	return limit
}
