package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// planted are the deviations of a Dohle that is built with the tag planted, each with scenarios that catch it.
var planted = map[string]string{
	"an answer where Kafka closes":       "frames/a version outside*",
	"any acks":                           "produce/acks*",
	"any leader epoch":                   "fetch/leader epochs*",
	"base offset of the last record":     "producers/sequences*",
	"changes though only asked to check": "topics/checking only*",
	"checksum not looked at":             "produce/wrong checksum*",
	"missing element":                    "configs/all keys*",
	"missing field":                      "topics/Metadata of*",
	"more replicas than brokers":         "topics/numbers of*",
	"no fetch sessions":                  "fetch/a session is opened*",
	"no isolation":                       "fetch/isolation*",
	"offset too high by one":             "offsets/special*",
	"partitions in another order":        "fetch/byte limits*",
	"sequence not looked at":             "producers/sequences*",
	"throttled":                          "connect/*",
	"topics nobody asked for":            "topics/checking only*",
	"wrong default":                      "topics/numbers of*",
	"wrong error code":                   "topics/creating*",
}

// A broker that deviates in one thing is caught, whatever the thing.
func TestEveryPlantedDeviationIsCaught(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "dohle")
	build := exec.Command("go", "build", "-tags", "planted", "-o", bin, "./cmd/dohle")
	build.Dir, build.Env = "../../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("DOHLE_PLANTED", "?")
	out, _ := exec.Command(bin, "version").CombinedOutput()
	names := strings.Split(strings.TrimPrefix(strings.TrimSpace(string(out)), "planted: "), "; ")
	if len(names) < 10 {
		t.Fatalf("the deviations are not listed: %s", out)
	}
	for _, name := range names {
		only, ok := planted[name]
		if !ok {
			t.Errorf("no scenarios are said to catch %q", name)
			continue
		}
		t.Setenv("DOHLE_PLANTED", name)
		if err := run([]string{"replay", "-module", module, "-dohle", bin, "-only", only}); !errors.Is(err, errDiffers) {
			t.Errorf("NOT CAUGHT: %s: %v", name, err)
			continue
		}
		t.Logf("caught by %s: %s", only, name)
	}
	t.Setenv("DOHLE_PLANTED", "any acks") // random requests find it as well
	if err := run([]string{"run", "-module", module, "-dohle", dohle(t), "-a", "dohle", "-b", bin, "-only", "connect/a null*", "-generate", "300", "-seed", "1"}); err == nil || !strings.Contains(err.Error(), "not explained") {
		t.Errorf("random requests: %v", err)
	}
	t.Setenv("DOHLE_PLANTED", "")
	if err := run([]string{"replay", "-module", module, "-dohle", bin, "-only", "connect/*"}); err != nil {
		t.Errorf("without a deviation: %v", err)
	}
}
