package compat

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestCompactionAsKafka fills the same topics in Apache Kafka and in Dohle with the same batches, lets both clean them,
// twice, and compares what is left: each record, its place, its codec and its producer. Where no time of a cleaning is in
// the files, their bytes are equal too. Then Apache Kafka's tools and a broker of it read what Dohle has written.
func TestCompactionAsKafka(t *testing.T) {
	topics := 24
	if long {
		topics = 200
	}
	seed := seeded(t, 1)
	root, now := t.TempDir(), time.Now().Add(-time.Hour).UnixMilli()
	var left [2][]string
	var settings props
	for i, who := range bothBrokers {
		dir := filepath.Join(root, who.name)
		p := cleansOften(t, dir)
		n := who.start(t, dir, p, "-t", clusterID, "--standalone")
		r := newRPC(t, n, 1)
		for k := range topics {
			r.create(compactedTopic(k), compactedConfigs(k)...)
		}
		for round := range 2 {
			for k := range topics {
				r.fillCompacted(k, round, rand.New(rand.NewPCG(seed, uint64(k*2+round))), now)
			}
			for k := range topics {
				r.alter(compactedTopic(k), "min.cleanable.dirty.ratio", "0.01")
			}
			var names []string
			for k := range topics {
				names = append(names, compactedTopic(k))
			}
			awaitCleaned(t, p["log.dirs"], names...)
			for k := range topics {
				r.alter(compactedTopic(k), "min.cleanable.dirty.ratio", "1.0")
			}
			left[i] = append(left[i], leftover(t, n, topics)...)
		}
		n.stop(shutdownPatience)
		if who.name == "dohle" {
			settings = p
		}
	}
	records := 0
	for k := range left[0] {
		records += strings.Count(left[0][k], "\n")
		if left[0][k] != left[1][k] {
			t.Errorf("topic %d, round %d:", k%topics, k/topics+1)
			same(t, []byte(left[0][k]), left[1][k])
		}
	}
	t.Logf("%d topics, %d records left in two rounds", topics, records)
	sameFiles(t, root, topics)
	dumpCleaned(t, settings["log.dirs"], topics)

	back := startKafka(t, filepath.Join(root, "dohle"), settings)
	for k, lines := range leftover(t, back, topics) {
		if want := left[1][topics+k]; lines != want {
			t.Errorf("Apache Kafka reads topic %d otherwise:", k)
			same(t, []byte(want), lines)
		}
	}
	back.stop(shutdownPatience)
}

// cleansOften is a node in dir whose cleaner looks for work all the time.
func cleansOften(t *testing.T, dir string) props {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	ports := freePorts(t, 2)
	return single(t, filepath.Join(dir, "data"), ports[0], ports[1]).with(props{
		"log.cleaner.backoff.ms": "200", "log.initial.task.delay.ms": "100", "log.segment.delete.delay.ms": "100",
		"log.cleaner.dedupe.buffer.size": "4194304", "offsets.topic.num.partitions": "1"})
}

func compactedTopic(k int) string { return fmt.Sprintf("compacted-%d", k) }

// plainTopic: no tombstones, so nothing in its files depends on when it was cleaned, and no codec.
func plainTopic(k int) bool { return k%6 == 0 }

func compactedConfigs(k int) []string {
	retention := "86400000"
	if k%2 == 1 {
		retention = "0" // tombstones go with the second cleaning
	}
	return []string{"cleanup.policy", "compact", "min.cleanable.dirty.ratio", "1.0", "delete.retention.ms", retention,
		"internal.segment.bytes", strconv.Itoa(4096 << (k % 3)), "index.interval.bytes", "512", "segment.ms", "9223372036854775807",
		"message.timestamp.before.max.ms", "9223372036854775807"}
}

// fillCompacted writes batches of random keys, tombstones, codecs and producers.
func (r rpc) fillCompacted(k, round int, rng *rand.Rand, now int64) {
	r.t.Helper()
	sequence := [3]int32{}
	keys := 5 + rng.IntN(200)
	for i := range 60 {
		n := 1 + rng.IntN(12)
		b := &batch{magic: 2, lastDelta: int32(n - 1), baseTime: now + int64(round*1_000_000+i*1000), pid: -1, pidEpoch: -1, sequence: -1, count: int32(n)}
		if p := rng.IntN(4); p > 0 && round == 0 {
			b.pid, b.pidEpoch, b.sequence = int64(7000+p), 0, sequence[p-1]
			sequence[p-1] += int32(n)
		}
		if !plainTopic(k) {
			b.attributes = int16(rng.IntN(5))
		}
		for j := range n {
			at := int64(rng.IntN(20))
			if j == 0 {
				at = 0
			}
			b.maxTime = max(b.maxTime, b.baseTime+at)
			value := bytes.Repeat([]byte{byte('a' + rng.IntN(26))}, rng.IntN(150))
			if rng.IntN(5) == 0 && !plainTopic(k) {
				value = nil
			}
			var headers [][]byte
			if rng.IntN(3) == 0 {
				headers = [][]byte{[]byte("h"), value}
			}
			b.records = append(b.records, wireRecord(at, int64(j), fmt.Appendf(nil, "key-%d", rng.IntN(keys)), value, headers...))
		}
		if base, code := r.append(compactedTopic(k), b.encode()); code != 0 {
			r.t.Fatalf("%s: error %d at %d", compactedTopic(k), code, base)
		}
	}
}

// awaitCleaned waits until the cleaner's checkpoint names the active segment of every topic.
func awaitCleaned(t *testing.T, logDir string, topics ...string) {
	t.Helper()
	var late string
	within := time.Now().Add(patience)
	for late = "nothing"; late != "" && time.Now().Before(within); time.Sleep(100 * time.Millisecond) {
		late = ""
		text, err := os.ReadFile(filepath.Join(logDir, "cleaner-offset-checkpoint"))
		if err != nil {
			late = err.Error()
			continue
		}
		for _, topic := range topics {
			logs, err := filepath.Glob(filepath.Join(logDir, topic+"-0", "*.log"))
			must(t, err)
			base, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(slices.Max(logs)), ".log"))
			must(t, err)
			if base == 0 {
				continue // all of it is in the active segment
			}
			if line := fmt.Sprintf("\n%s 0 %d\n", topic, base); !bytes.Contains(text, []byte(line)) {
				late = strings.TrimSpace(line)
				break
			}
		}
	}
	if late != "" {
		t.Fatalf("not cleaned within %v: %s", patience, late)
	}
}

func leftover(t *testing.T, n *node, topics int) (all []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for k := range topics {
		newRPC(t, n, 1).awaitLeader(compactedTopic(k))
		_, lines := recordsOf(t, ctx, n, compactedTopic(k), kgo.ReadCommitted())
		all = append(all, strings.Join(lines, "\n")+"\n")
	}
	return all
}

// sameFiles compares the segments of the plain topics byte by byte.
func sameFiles(t *testing.T, root string, topics int) {
	t.Helper()
	files := 0
	for k := range topics {
		if !plainTopic(k) {
			continue
		}
		at := func(who string) string { return filepath.Join(root, who, "data", compactedTopic(k)+"-0") }
		for _, pattern := range []string{"*.log", "*.index", "*.timeindex"} {
			ours, err := filepath.Glob(filepath.Join(at("dohle"), pattern))
			must(t, err)
			theirs, err := filepath.Glob(filepath.Join(at("kafka"), pattern))
			must(t, err)
			if len(ours) != len(theirs) || len(ours) < 2 && pattern == "*.log" {
				t.Errorf("%s: %d files, Apache Kafka has %d", pattern, len(ours), len(theirs))
				continue
			}
			for i := range ours {
				a, err := os.ReadFile(ours[i])
				must(t, err)
				b, err := os.ReadFile(theirs[i])
				must(t, err)
				if filepath.Base(ours[i]) != filepath.Base(theirs[i]) || !bytes.Equal(a, b) {
					t.Errorf("%s has %d bytes, %s %d, and they are not equal", ours[i], len(a), theirs[i], len(b))
				}
				files++
			}
		}
	}
	t.Logf("%d files are equal to Apache Kafka's", files)
}

// dumpCleaned lets kafka-dump-log look at segments that Dohle has cleaned.
func dumpCleaned(t *testing.T, logDir string, topics int) {
	t.Helper()
	var files []string
	for k := range min(topics, 12) {
		for _, pattern := range []string{"*.log", "*.index", "*.timeindex"} {
			some, err := filepath.Glob(filepath.Join(logDir, compactedTopic(k)+"-0", pattern))
			must(t, err)
			files = append(files, some...)
		}
	}
	out := kafkaTool(t, tools+"DumpLogSegments", "--deep-iteration", "--files", strings.Join(files, ","))
	for _, complaint := range []string{"isvalid: false", "Found timestamp mismatch", "Mismatches in", "Found out of order", "Could not", "Exception", "corrupt", "Index mismatch"} {
		if at := strings.Index(out, complaint); at >= 0 {
			t.Errorf("kafka-dump-log says %q:\n%.3000s", complaint, out[max(0, at-1500):])
		}
	}
	if strings.Count(out, "deleteHorizonMs: ") == strings.Count(out, "deleteHorizonMs: OptionalLong.empty") {
		t.Error("no batch has a delete horizon")
	}
}
