package compat

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A whole log.dir changes hands: the metadata log with its snapshots, topics with ids and configs, records of every
// codec. The second broker serves what the first wrote, goes on writing, and the first takes it back.
func TestLogDirChangesHands(t *testing.T) {
	for _, way := range []struct {
		name          string
		first, second func(*testing.T, string, props, ...string) *node
	}{{"kafka then dohle then kafka", startKafka, startDohle}, {"dohle then kafka then dohle", startDohle, startKafka}} {
		t.Run(way.name, func(t *testing.T) {
			dir, ports := t.TempDir(), freePorts(t, 2)
			path, text := corpus(t)
			p := single(t, filepath.Join(dir, "data"), ports[0], ports[1])

			n := way.first(t, dir, p, "-t", clusterID, "--standalone")
			kafkaTool(t, tools+"TopicCommand", "--bootstrap-server", n.bootstrap, "--create", "--topic", "settings", "--partitions", "3",
				"--config", "retention.ms=3600000", "--config", "segment.bytes=2097152", "--config", "cleanup.policy=compact,delete")
			for _, codec := range codecs {
				output(t, "kcat", "-m", "60", "-b", n.bootstrap, "-P", "-t", "text-"+codec, "-p", "0", "-z", codec, "-l", path)
			}
			before := described(t, n)
			n.stop(shutdownPatience)

			n = way.second(t, dir, p)
			if after := described(t, n); after != before {
				t.Errorf("topics differ.\nbefore:\n%s\nafter:\n%s", before, after)
			}
			for _, codec := range codecs {
				readsBack(t, n, "text-"+codec, text)
				output(t, "kcat", "-m", "60", "-b", n.bootstrap, "-P", "-t", "text-"+codec, "-p", "0", "-z", codec, "-l", path)
			}
			kafkaTool(t, tools+"TopicCommand", "--bootstrap-server", n.bootstrap, "--create", "--topic", "second")
			before = described(t, n)
			n.stop(shutdownPatience)

			n = way.first(t, dir, p)
			if after := described(t, n); after != before {
				t.Errorf("topics differ after the way back.\nbefore:\n%s\nafter:\n%s", before, after)
			}
			for _, codec := range codecs {
				readsBack(t, n, "text-"+codec, append(bytes.Clone(text), text...))
			}
		})
	}
}

// shutdownPatience is for a JVM on a busy machine; ours stops in moments, which TestStopIsQuick measures.
const shutdownPatience = patience

// described are the lines of all topics. The order of the lines, and that of the configs in one, is that of a hash map
// in Apache Kafka.
func described(t *testing.T, n *node) string {
	t.Helper()
	lines := strings.Split(kafkaTool(t, tools+"TopicCommand", "--bootstrap-server", n.bootstrap, "--describe"), "\n")
	for i, line := range lines {
		if head, configs, ok := strings.Cut(line, "Configs: "); ok {
			lines[i] = head + "Configs: " + sortedConfigs(configs)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// sortedConfigs sorts a=1,b=2; a value may hold commas, as in cleanup.policy=compact,delete.
func sortedConfigs(text string) string {
	var pairs []string
	for part := range strings.SplitSeq(text, ",") {
		if strings.Contains(part, "=") || len(pairs) == 0 {
			pairs = append(pairs, part)
		} else {
			pairs[len(pairs)-1] += "," + part
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, ",")
}

func readsBack(t *testing.T, n *node, topic string, text []byte) {
	t.Helper()
	same(t, text, output(t, "kcat", "-m", "60", "-b", n.bootstrap, "-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q"))
}

// kafka-dump-log reads every kind of file that Dohle writes, without a complaint.
func TestKafkaDumpLogReadsOurFiles(t *testing.T) {
	dir, ports := t.TempDir(), freePorts(t, 2)
	path, _ := corpus(t)
	p := single(t, filepath.Join(dir, "data"), ports[0], ports[1]).with(props{"log.segment.bytes": "1048576", "log.index.interval.bytes": "4096"})
	n := startDohle(t, dir, p, "-t", clusterID, "--standalone")
	for _, codec := range codecs {
		output(t, "kcat", "-m", "60", "-b", n.bootstrap, "-P", "-t", "dump-"+codec, "-p", "0", "-z", codec, "-X", "enable.idempotence=true", "-l", path)
	}
	n.stop(shutdownPatience)

	kinds := map[string]int{}
	err := filepath.WalkDir(filepath.Join(dir, "data"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		kind := filepath.Ext(path)
		metadata := strings.Contains(path, "__cluster_metadata-0")
		args := []string{"--files", path}
		switch {
		case kind == ".log" && metadata, kind == ".checkpoint":
			args = append(args, "--cluster-metadata-decoder")
		case kind == ".log", kind == ".index", kind == ".timeindex", kind == ".txnindex":
			args = append(args, "--deep-iteration")
		case kind == ".snapshot":
		default:
			return nil
		}
		if kinds[kind] > 3 && !metadata {
			return nil // a JVM each: some of every kind
		}
		kinds[kind]++
		out := kafkaTool(t, tools+"DumpLogSegments", args...)
		for _, complaint := range []string{"isvalid: false", "Found timestamp mismatch", "Mismatches in", "Found out of order", "non-consecutive", "Could not", "Exception", "corrupt", "Index mismatch"} {
			if strings.Contains(out, complaint) {
				t.Errorf("%s: kafka-dump-log says %q:\n%.3000s", path, complaint, out)
			}
		}
		return nil
	})
	must(t, err)
	for _, kind := range []string{".log", ".index", ".timeindex", ".snapshot", ".checkpoint"} {
		if kinds[kind] == 0 {
			t.Errorf("no %s file was dumped", kind)
		}
	}
	t.Log("dumped", fmt.Sprint(kinds))
}
