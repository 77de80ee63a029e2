package compat

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// format, info and random-uuid print the same on stdout and end with the same code as kafka-storage; ids are masked,
// and so is the list of bootstrap records, which Apache Kafka prints as Java objects.
func TestFormatAsKafkaStorage(t *testing.T) {
	const usage = "the command line is wrong: exit code 2 and a text of our own"
	base := t.TempDir()
	for _, c := range []struct {
		name  string
		setup []string // arguments of a format before
		args  string
		props props
		only  string // compare only the exit code, for this reason
	}{
		{name: "standalone", args: "format -t c1 --standalone"},
		{name: "two directories", args: "format -t c1 --standalone", props: props{"log.dirs": "{D}/data,{D}/more"}},
		{name: "release", args: "format -t c1 --standalone --release-version 4.3"},
		{name: "release of old", args: "format -t c1 --standalone --release-version 3.9"},
		{name: "bad release", args: "format -t c1 --standalone --release-version 17.4"},
		{name: "feature", args: "format -t c1 --standalone --feature transaction.version=1"},
		{name: "bad feature level", args: "format -t c1 --standalone --feature transaction.version=99"},
		{name: "unknown feature", args: "format -t c1 --standalone --feature no.such.feature=1"},
		{name: "malformed feature", args: "format -t c1 --standalone --feature kraft.version"},
		{name: "formatted already", setup: []string{"format", "-t", "c1", "--standalone"}, args: "format -t c1 --standalone"},
		{name: "ignore formatted", setup: []string{"format", "-t", "c1", "--standalone"}, args: "format -t c1 --standalone --ignore-formatted"},
		{name: "other cluster", setup: []string{"format", "-t", "c1", "--standalone"}, args: "format -t c2 --standalone --ignore-formatted"},
		{name: "no quorum flag", args: "format -t c1"},
		{name: "no initial controllers", args: "format -t c1 --no-initial-controllers"},
		{name: "initial controllers", args: "format -t c1 --initial-controllers 1@127.0.0.1:9093:AAAAAAAAAAAAAAAAAAAABA"},
		{name: "bad initial controllers", args: "format -t c1 --initial-controllers 1@127.0.0.1"},
		{name: "two quorum flags", args: "format -t c1 --standalone --no-initial-controllers", only: usage},
		{name: "standalone with voters", args: "format -t c1 --standalone", props: props{"controller.quorum.voters": "1@127.0.0.1:9093"}},
		{name: "voters", args: "format -t c1", props: props{"controller.quorum.voters": "1@127.0.0.1:9093"}},
		{name: "broker only", args: "format -t c1", props: props{"process.roles": "broker", "node.id": "2", "listeners": "PLAINTEXT://127.0.0.1:9092"}},
		{name: "standalone broker", args: "format -t c1 --standalone", props: props{"process.roles": "broker", "node.id": "2", "listeners": "PLAINTEXT://127.0.0.1:9092"}},
		{name: "no cluster id", args: "format --standalone", only: usage},
		{name: "unknown flag", args: "format -t c1 --standalone --clustre 7", only: usage},
		{name: "scram", args: "format -t c1 --standalone --add-scram SCRAM-SHA-256=[name=alice,password=secret]"},
		{name: "info", setup: []string{"format", "-t", "c1", "--standalone"}, args: "info"},
		{name: "info, unformatted", args: "info", props: props{"log.dirs": "{D}"}},
		{name: "info, missing", args: "info"},
		{name: "random-uuid", args: "random-uuid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			result := map[string]string{}
			for _, who := range []string{"kafka", "dohle"} {
				dir := filepath.Join(base, who+strings.Map(func(r rune) rune {
					if r == ' ' || r == ',' {
						return '-'
					}
					return r
				}, c.name))
				must(t, os.MkdirAll(dir, 0o700))
				p := single(t, filepath.Join(dir, "data"), 9092, 9093).with(c.props)
				if c.props["controller.quorum.voters"] != "" {
					delete(p, "controller.quorum.bootstrap.servers")
				}
				p["log.dirs"] = strings.ReplaceAll(p["log.dirs"], "{D}", dir)
				file := p.write(t, dir)
				run := func(args []string) string {
					if args[0] != "random-uuid" {
						args = append([]string{args[0], "-c", file}, args[1:]...)
					}
					cmd := exec.Command(binary, args...)
					if who == "kafka" {
						cmd = exec.Command("java", append(append(jvm(t), "kafka.tools.StorageTool"), args...)...)
					}
					var stdout, stderr bytes.Buffer
					cmd.Stdout, cmd.Stderr = &stdout, &stderr
					code := 0
					var exit *exec.ExitError
					if err := cmd.Run(); errors.As(err, &exit) {
						code = exit.ExitCode()
					} else if err != nil {
						t.Fatal(err)
					}
					if c.only != "" {
						if want := map[string]int{"kafka": 1, "dohle": 2}[who]; code != want {
							t.Errorf("%s ends with %d, want %d", who, code, want)
						}
						return ""
					}
					text := fmt.Sprintf("exit code %d\n%s%s", code, stdout.String(), failure(stderr.String()))
					text = strings.ReplaceAll(text, dir, "#")
					for _, m := range []*regexp.Regexp{uuids, bootstrapLine} {
						text = m.ReplaceAllString(text, "#")
					}
					lines := strings.Split(text, "\n") // directories come in hash order
					slices.Sort(lines)
					return strings.Join(lines, "\n")
				}
				if c.setup != nil {
					run(c.setup)
				}
				result[who] = run(strings.Fields(c.args))
			}
			if result["kafka"] != result["dohle"] {
				t.Errorf("differs.\nkafka-storage:\n%s\ndohle:\n%s", result["kafka"], result["dohle"])
			}
		})
	}
}

var (
	bootstrapLine = regexp.MustCompile(`Bootstrap metadata: .*`)
	thrown        = regexp.MustCompile(`^(dohle: |Exception in thread "main" [\w.]+: )`)
)

// failure is the first line of stderr, without the name of the program or of a Java exception.
func failure(stderr string) string {
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSpace(line); line != "" {
			return thrown.ReplaceAllString(line, "")
		}
	}
	return ""
}
