package compat

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// franz-go's own tests of groups (range, sticky, cooperative, static, KIP-848, regular expressions), once on a sound
// network and once on one that fails on purpose.
func TestFranzGroupSuite(t *testing.T) {
	records := "20000"
	if long {
		records = "200000"
	}
	for _, chaos := range []string{"", "1"} {
		t.Run(fmt.Sprintf("chaos=%s", chaos), func(t *testing.T) {
			dir, ports := t.TempDir(), freePorts(t, 2)
			n := startDohle(t, dir, single(t, filepath.Join(dir, "data"), ports[0], ports[1]).with(props{"group.initial.rebalance.delay.ms": "0"}), "-t", clusterID, "--standalone")
			cmd := exec.Command("go", "test", "-count", "1", "-timeout", "20m", "-v", "-run", "^(TestGroupETL|TestGroupSimple|Test848RegexBrokerResolves|TestUnknownGroupOffsetFetchPinned)$", "github.com/twmb/franz-go/pkg/kgo")
			cmd.Env = append(os.Environ(), "KGO_SEEDS="+n.bootstrap, "KGO_TEST_RF=1", "KGO_TEST_RECORDS="+records, "KGO_TEST_CHAOS="+chaos)
			out, err := cmd.CombinedOutput()
			for line := range strings.Lines(string(out)) {
				if strings.Contains(line, "--- ") || strings.HasPrefix(line, "ok ") {
					t.Log(strings.TrimRight(line, "\n"))
				}
			}
			if err != nil {
				t.Errorf("%v\n%s", err, lastLines(string(out), 80))
			}
			if strings.Contains(string(out), "--- SKIP") {
				t.Error("a test was skipped")
			}
		})
	}
}

func lastLines(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
