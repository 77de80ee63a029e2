package compat

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// kafka-metadata-shell opens the metadata log and a snapshot that Dohle wrote, and shows the same tree as for those of
// Apache Kafka. The shell's last release knows metadata.version up to 30, so both are formatted for 4.3.
func TestMetadataShellShowsTheSame(t *testing.T) {
	cp, err := shellClasspath()
	must(t, err)
	tree := map[string]map[string]string{}
	for _, who := range bothBrokers {
		dir, ports := t.TempDir(), freePorts(t, 2)
		p := single(t, filepath.Join(dir, "data"), ports[0], ports[1]).with(props{"metadata.log.max.record.bytes.between.snapshots": "1500"})
		n := who.start(t, dir, p, "-t", clusterID, "--standalone", "--release-version", "4.3")
		r := newRPC(t, n, 1)
		metadata := filepath.Join(dir, "data", "__cluster_metadata-0")
		for i := range 20 {
			r.create(fmt.Sprintf("topic-%02d", i))
		}
		r.alter("topic-00", "retention.ms", "3600000", "cleanup.policy", "compact,delete")
		r.remove("topic-19")
		r.producerID()
		var snapshots []string
		eventually(t, patience, "a snapshot is written", func() bool {
			snapshots, _ = filepath.Glob(filepath.Join(metadata, "*.checkpoint"))
			return len(snapshots) > 1
		})
		n.stop(shutdownPatience)
		slices.Sort(snapshots)
		tree[who.name] = map[string]string{
			"log":      shellTree(t, cp, filepath.Join(metadata, "00000000000000000000.log"), "topic-18"),
			"snapshot": shellTree(t, cp, snapshots[1], "topic-00"),
		}
	}
	// The snapshots are of different moments: what stood from the start must be in both.
	kafka, dohle := tree["kafka"]["snapshot"], tree["dohle"]["snapshot"]
	for _, part := range []string{"features:", "finalized_group.version:", "cluster:", "brokers:", "controllers:", "topic-00:"} {
		for who, text := range map[string]string{"Apache Kafka": kafka, "Dohle": dohle} {
			if !strings.Contains(text, part) {
				t.Errorf("the snapshot of %s has no %s\n%s", who, part, text)
			}
		}
	}
	same(t, []byte(tree["kafka"]["log"]), tree["dohle"]["log"])
	t.Logf("the trees of the logs are the same in %d lines", strings.Count(tree["dohle"]["log"], "\n"))
}

var shellMasks = []*regexp.Regexp{uuids, ports, endpoint, regexp.MustCompile(`(port|epoch|[eE]poch|offset)[=: ]-?\d+`), regexp.MustCompile(`time [^ ]*`)}

var topicsByID = regexp.MustCompile(`(?s)topics:\n  byId:.*  byName:`)

// shellTree prints the whole image. The shell runs its command beside its loading: it is asked again until it shows what
// was written late, and the same twice.
func shellTree(t *testing.T, cp, file, last string) string {
	t.Helper()
	seen := map[string]bool{}
	for range 30 {
		cmd := exec.Command("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", cp, "org.apache.kafka.shell.MetadataShell", "--snapshot", file, "tree", "image")
		out, err := cmd.Output()
		must(t, err)
		text := topicsByID.ReplaceAllString(string(out), "") // the same again in the order of random ids
		if !strings.Contains(text, last) {
			continue
		}
		for _, m := range shellMasks {
			text = m.ReplaceAllString(text, "#")
		}
		lines := strings.Split(text, "\n")
		for i, line := range lines { // maps print in hash order
			if open, end := strings.Index(line, "{"), strings.LastIndex(line, "}"); open >= 0 && end > open {
				parts := strings.Split(line[open+1:end], ", ")
				slices.Sort(parts)
				lines[i] = line[:open+1] + strings.Join(parts, ", ") + line[end:]
			}
		}
		if text = strings.Join(lines, "\n"); seen[text] {
			return text
		}
		seen[text] = true
	}
	t.Fatalf("kafka-metadata-shell does not show %s of %s", last, file)
	return ""
}
