package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const module = "../.."

// dohle is the binary that DOHLE_BIN names, else one built for the test; COMPAT_RACE=1 has a data race end it.
func dohle(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("DOHLE_BIN"); bin != "" {
		return bin
	}
	bin := filepath.Join(t.TempDir(), "dohle")
	build := exec.Command("go", "build", "-o", bin, "./cmd/dohle")
	if os.Getenv("COMPAT_RACE") != "" {
		build = exec.Command("go", "build", "-race", "-o", bin, "./cmd/dohle")
		t.Setenv("GORACE", "halt_on_error=1")
	}
	build.Dir = "../../.."
	t.Setenv("GORACE", "halt_on_error=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// What Apache Kafka answered is recorded: all of it is asked of a broker that has just started, without Java. What comes
// out, with the clients' results and the known differences, is COMPATIBILITY.md.
func TestDohleAnswersAsRecordedAndThePageSaysSo(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	if err := run([]string{"page", "-module", module, "-dohle", dohle(t), "-page", page}); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile("../../../COMPATIBILITY.md")
	if err != nil || string(have) != string(want) {
		t.Errorf("COMPATIBILITY.md is not what is asked and answered now: make compatibility writes it (%v)\n%s", err, firstChange(string(have), string(want)))
	}
}

func firstChange(have, want string) string {
	a, b := strings.Split(have, "\n"), strings.Split(want, "\n")
	for i := range b {
		if i >= len(a) || a[i] != b[i] {
			return "line " + strconv.Itoa(i+1) + " is to be " + b[i]
		}
	}
	return "it has lines too many"
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

// The masks are not too narrow: Apache Kafka answers as Apache Kafka.
func TestKafkaOnBothSidesIsEqual(t *testing.T) {
	requests := os.Getenv("COMPAT_PAIR")
	if requests == "" {
		t.Skip("COMPAT_PAIR=n asks two Apache Kafkas all scenarios and n random requests; make compat does")
	}
	if err := run([]string{"run", "-module", module, "-dohle", dohle(t), "-a", "kafka", "-b", "kafka", "-like", "dohle", "-generate", requests, "-seed", "7"}); err != nil {
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
		"say run, record, replay":                       {},
		`"dance" is no command`:                         {"dance"},
		`"kafka dance" is no command`:                   {"kafka dance"},
		"Metadata has no field Nope; it has Topics":     {"run", "-scenarios", bad},
		"there is no scenario in":                       {"run", "-scenarios", t.TempDir()},
		"no answers are recorded in":                    {"replay", "-golden", t.TempDir()},
		"does not speak Kafka's protocol":               {"run", "-a", l.Addr().String(), "-b", "kfake"},
		"cannot be reached":                             {"run", "-a", "127.0.0.1:1", "-b", "kfake"},
		"is neither kafka, kafka:VERSION, dohle, kfake": {"run", "-a", "kfka"},
		"-nodes 0: 1 to 9 can be started":               {"kafka start", "-nodes", "0"},
		"Dohle's binary is not at":                      {"run", "-a", "dohle", "-dohle", "/nowhere/dohle"},
		`has a name like "nothing/*"`:                   {"run", "-a", "kfake", "-b", "kfake", "-only", "nothing/*"},
		"say kafka install or kafka start":              {"kafka"},
		"start compat in the folder compat-tests":       {"run", "-scenarios", "/nowhere"},
		"side B: stat /nowhere/dohle: no such file":     {"run", "-a", "kfake", "-b", "/nowhere/dohle"},
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
			kafka := filepath.Join(java, "kafka") // resolved already: this test asks nothing of Maven
			for name, text := range map[string]string{"pom.xml": "<kafka.version>4.4.0</kafka.version>", "classpath.txt": java} {
				if err := errors.Join(os.MkdirAll(kafka, 0o700), os.WriteFile(filepath.Join(kafka, name), []byte(text), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chtimes(filepath.Join(kafka, "pom.xml"), time.Time{}, time.Unix(0, 0)); err != nil {
				t.Fatal(err)
			}
			here, err := filepath.Abs(module)
			if err != nil {
				t.Fatal(err)
			}
			args = append(args, "-module", java, "-scenarios", filepath.Join(here, "scenarios"), "-rows", filepath.Join(here, "../docs/divergence.md"))
		}
		if len(args) > 0 {
			args = slices.Concat(strings.Fields(args[0]), []string{"-module", module}, args[1:])
		}
		err := run(args)
		if err == nil || errors.Is(err, errDiffers) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v ends with %v, not %q", args, err, want)
		}
	}
}
