package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "../.."

// dohle is the binary that DOHLE_BIN names, else one built for the test.
func dohle(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("DOHLE_BIN"); bin != "" {
		return bin
	}
	bin := filepath.Join(t.TempDir(), "dohle")
	build := exec.Command("go", "build", "-o", bin, "./cmd/dohle")
	build.Dir, build.Env = "../../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// What Apache Kafka answered is recorded: all of it is asked of a broker that has just started, without Java.
func TestDohleAnswersAsRecorded(t *testing.T) {
	if err := run([]string{"replay", "-module", module, "-dohle", dohle(t)}); err != nil {
		t.Fatal(err)
	}
}

// The masks are not so wide that another broker would pass for Kafka.
func TestAnotherBrokerIsNotTakenForKafka(t *testing.T) {
	for _, only := range []string{"connect/ApiVersions*", "topics/Metadata by id*", "producers/sequences*", "configs/some keys*"} {
		err := run([]string{"replay", "-module", module, "-b", "kfake", "-only", only})
		if !errors.Is(err, errDiffers) {
			t.Errorf("%s: %v", only, err)
		}
	}
}

// The masks are not too narrow: Apache Kafka answers as it did when it was recorded. It needs Java and minutes.
func TestKafkaAnswersAsRecorded(t *testing.T) {
	if os.Getenv("COMPAT_SELF") == "" {
		t.Skip("COMPAT_SELF=1 asks Apache Kafka itself")
	}
	if err := run([]string{"replay", "-module", module, "-b", "kafka"}); err != nil {
		t.Fatal(err)
	}
}

func TestWhatCannotBeAskedIsOneSentence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			c.Close()
		}
	}()
	bad := t.TempDir()
	if err := os.WriteFile(filepath.Join(bad, "x.txt"), []byte("scenario a\n> Metadata {\"Nope\": 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"say run, record or replay":                     {},
		`"dance" is none of run`:                        {"dance"},
		"Metadata has no field Nope; it has Topics":     {"run", "-scenarios", bad},
		"there is no scenario in":                       {"run", "-scenarios", t.TempDir()},
		"no answers are recorded in":                    {"replay", "-golden", t.TempDir()},
		"does not speak Kafka's protocol":               {"run", "-a", l.Addr().String(), "-b", "kfake"},
		"cannot be reached":                             {"run", "-a", "127.0.0.1:1", "-b", "kfake"},
		"is neither kafka, dohle, kfake nor an address": {"run", "-a", "kfka"},
		"Dohle's binary is not at":                      {"run", "-a", "dohle", "-dohle", "/nowhere/dohle"},
		"no scenario was run":                           {"run", "-a", "kfake", "-b", "kfake", "-only", "nothing/*"},
		"Apache Kafka does not format":                  {"record", "-a", "kafka", "-dohle", "x"},
		`"x" is not understood`:                         {"run", "x"},
		"-help lists what can be said":                  {"run", "-nope"},
		"no such file or directory":                     {"run", "-rows", "/nowhere/rows.md"},
	} {
		if want == "Apache Kafka does not format" { // a reference that does not start: its Java ends at once
			java := t.TempDir()
			if err := os.WriteFile(filepath.Join(java, "java"), []byte("#!/bin/sh\necho broken >&2\nexit 3\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", java+":"+os.Getenv("PATH"))
		}
		if len(args) > 0 {
			args = append([]string{args[0], "-module", module}, args[1:]...)
		}
		err := run(args)
		if err == nil || errors.Is(err, errDiffers) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v ends with %v, not %q", args, err, want)
		}
	}
}
