package compat

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// oddTopic is a compacted topic with something out of the ordinary.
type oddTopic struct {
	name    string
	configs []string
	untimed bool // the times in it are those of the broker
}

var oddTopics = []oddTopic{
	{"odd-times", []string{"cleanup.policy", "compact"}, false},
	{"odd-keys", []string{"cleanup.policy", "delete"}, false}, // compacted later, when it has records without keys
	{"odd-stamped", []string{"cleanup.policy", "compact", "message.timestamp.type", "LogAppendTime"}, true},
	{"odd-short", []string{"cleanup.policy", "compact,delete", "retention.ms", "-1"}, false},
}

// TestOddCompactionAsKafka is TestCompactionAsKafka for records that go back in time or have none, without keys, stamped
// by the broker, and deleted in front. Besides what is left it compares what ListOffsets
// says of it, whatever time it is asked for, and the producers.
func TestOddCompactionAsKafka(t *testing.T) {
	seed := seeded(t, 1)
	root, now := t.TempDir(), time.Now().Add(-time.Hour).UnixMilli()
	var answers [2][]string
	for i, who := range bothBrokers {
		dir := filepath.Join(root, who.name)
		p := cleansOften(t, dir)
		n := who.start(t, dir, p, "-t", clusterID, "--standalone")
		r := newRPC(t, n, 1)
		for _, o := range oddTopics {
			r.create(o.name, append([]string{"min.cleanable.dirty.ratio", "1.0", "internal.segment.bytes", "4096", "index.interval.bytes", "512",
				"segment.ms", "9223372036854775807", "message.timestamp.before.max.ms", "9223372036854775807", "delete.retention.ms", "0"}, o.configs...)...)
		}
		for round := range 2 {
			r.fillOdd(rand.New(rand.NewPCG(seed, uint64(round))), round, now)
			r.truncateBefore("odd-short", int64(150+200*round))
			var names []string
			for _, o := range oddTopics {
				r.alter(o.name, "min.cleanable.dirty.ratio", "0.01")
				names = append(names, o.name)
			}
			r.alter("odd-keys", "cleanup.policy", "compact")
			awaitCleaned(t, p["log.dirs"], names...)
			for _, o := range oddTopics {
				r.alter(o.name, "min.cleanable.dirty.ratio", "1.0")
			}
			r.alter("odd-keys", "cleanup.policy", "delete")
			for _, o := range oddTopics {
				answers[i] = append(answers[i], r.oddAnswers(n, o, now))
			}
		}
		n.stop(shutdownPatience)
		n = who.start(t, dir, p)
		r = newRPC(t, n, 1)
		for _, o := range oddTopics {
			r.awaitLeader(o.name)
			answers[i] = append(answers[i], r.oddAnswers(n, o, now))
		}
		n.stop(shutdownPatience)
	}
	lines := 0
	for k := range answers[0] {
		lines += strings.Count(answers[0][k], "\n")
		if want, got := answers[0][k], foundByUsOnly(answers[0][k], answers[1][k]); want != got {
			t.Errorf("%s, moment %d:", oddTopics[k%len(oddTopics)].name, k/len(oddTopics)+1)
			same(t, []byte(want), got)
		}
	}
	t.Logf("%d answers compared", lines)
}

// foundByUsOnly puts what Apache Kafka says in place of what Dohle found for a time where Apache Kafka found nothing, since
// it gives up at a segment that compaction has emptied (divergence D10).
func foundByUsOnly(theirs, ours string) string {
	a, b := strings.Split(theirs, "\n"), strings.Split(ours, "\n")
	for i := range min(len(a), len(b)) {
		asked, answer, ok := strings.Cut(a[i], ": ")
		if ok && strings.HasPrefix(asked, "asked for") && answer == "error 0 offset -1 timestamp -1 epoch -1" && strings.HasPrefix(b[i], asked+": error 0 offset ") {
			b[i] = a[i]
		}
	}
	return strings.Join(b, "\n")
}

var timeOf = regexp.MustCompile(`(at|timestamp) \d+`)

// oddAnswers is what a client can find out about a topic.
func (r rpc) oddAnswers(n *node, o oddTopic, now int64) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Minute)
	defer cancel()
	var out []string
	times := []int64{-1, -2}
	for _, level := range []kgo.IsolationLevel{kgo.ReadUncommitted(), kgo.ReadCommitted()} {
		end, lines := recordsOf(r.t, ctx, n, o.name, level)
		out = append(out, fmt.Sprintf("end %d", end))
		out = append(out, lines...)
	}
	if !o.untimed {
		times = append(times, -3)
		for at := int64(0); at < 130; at++ {
			times = append(times, now-30_000+at*1000)
		}
	}
	for _, at := range times {
		for isolation := range int8(2) {
			out = append(out, fmt.Sprintf("asked for %d at isolation %d: %s", max(at, at-now), isolation, r.listed(o.name, at, isolation)))
		}
	}
	out = append(out, "producers "+r.producers(o.name))
	text := strings.Join(out, "\n") + "\n"
	if o.untimed {
		text = timeOf.ReplaceAllString(text, "$1 some time")
	}
	return text
}

// fillOdd writes to all of them.
func (r rpc) fillOdd(rng *rand.Rand, round int, now int64) {
	r.t.Helper()
	for _, o := range oddTopics {
		sequence := int32(round * 1000)
		for i := range 60 {
			n := 1 + rng.IntN(12)
			b := &batch{magic: 2, lastDelta: int32(n - 1), baseTime: now + int64(round*20_000+i*1000), pid: -1, pidEpoch: -1, sequence: -1, count: int32(n),
				attributes: int16(rng.IntN(5))}
			if rng.IntN(4) == 0 && o.name != "odd-stamped" {
				b.pid, b.pidEpoch, b.sequence = 7001, int16(round), sequence-int32(round*1000)
				sequence += int32(n)
			}
			spread := int64(20)
			if o.name == "odd-times" {
				b.baseTime += int64(rng.IntN(40_000)) - 20_000
				spread = 5000
				if rng.IntN(8) == 0 {
					b.baseTime, b.maxTime, spread = -1, -1, 0
				}
			}
			for j := range n {
				at := int64(0)
				if spread > 0 && j > 0 {
					at = int64(rng.IntN(int(spread))) - spread/2
				}
				b.maxTime = max(b.maxTime, b.baseTime+at)
				value := []byte(strings.Repeat(string(rune('a'+rng.IntN(26))), rng.IntN(150)))
				if rng.IntN(5) == 0 {
					value = nil
				}
				key := fmt.Appendf(nil, "key-%d", rng.IntN(40))
				if o.name == "odd-keys" && rng.IntN(3) == 0 {
					key = nil
				}
				b.records = append(b.records, wireRecord(at, int64(j), key, value))
			}
			if base, code := r.append(o.name, b.encode()); code != 0 {
				r.t.Fatalf("%s: error %d at %d", o.name, code, base)
			}
		}
	}
}
