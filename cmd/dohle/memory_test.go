package main

import (
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMemoryLimitIsTheSmallestOfAllGroups(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no groups", nil, math.MaxInt64},
		{"a container", map[string]string{"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "536870912\n"}, 512 << 20},
		{"a parent is smaller", map[string]string{"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/memory.max": "2000\n",
			"/sys/fs/cgroup/a/memory.max": "1000\n", "/sys/fs/cgroup/memory.max": "max\n"}, 1000},
		{"no limit", map[string]string{"/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": "max\n"}, math.MaxInt64},
		{"version 1", map[string]string{"/proc/self/cgroup": "5:cpu:/x\n4:memory:/docker/1\n",
			"/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": "1000\n", "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 1000},
		{"damaged", map[string]string{"/proc/self/cgroup": "nonsense\n0::\n", "/sys/fs/cgroup/memory.max": "-5\n"}, math.MaxInt64},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, groupLimit(func(name string) string { return c.files[name] }))
		})
	}
}

func TestKernelFilesAreReadThoughTheirSizeIsZero(t *testing.T) {
	if _, err := os.Stat("/proc/self/cgroup"); err != nil {
		t.Skip("no control groups here")
	}
	assert.NotEmpty(t, readGroupFile("/proc/self/cgroup"))
	assert.Empty(t, readGroupFile("/proc/self/no-such-file"))
}
