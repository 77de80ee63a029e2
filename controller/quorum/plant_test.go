//go:build !plant

package quorum

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// TestEveryPlantedBugIsCaught builds the package with the tag plant and runs scripts and simulation once per bug of
// plant.go. Each run must fail; the run without a bug must pass.
func TestEveryPlantedBugIsCaught(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the tests a second time")
	}
	binary := filepath.Join(t.TempDir(), "planted.test")
	if out, err := exec.Command("go", "test", "-tags", "plant", "-c", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	run := func(b bug, tests string) error {
		return exec.Command(binary, "-test.run", tests, "-test.timeout", "60s", "-plant", strconv.Itoa(int(b)), "-seeds", "100").Run()
	}
	if err := run(bugNone, "Scripts|Simulated"); err != nil {
		t.Fatalf("the run without a bug fails: %v", err)
	}
	for b := bugNone + 1; b < lastBug; b++ {
		scripts, simulation := run(b, "Scripts") != nil, run(b, "Simulated") != nil
		t.Logf("bug %d: caught by the scripts %t, by the simulation %t", b, scripts, simulation)
		if !scripts {
			t.Errorf("bug %d passes the scripts", b)
		}
	}
}
