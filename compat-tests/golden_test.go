package compat

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Apache Kafka fills a log.dir with everything a log can hold: all codecs, headers, null keys and values, idempotent
// and transactional batches with both markers, a transaction left open, deleted records, gaps of compaction, both kinds
// of timestamps. Stopped or killed, the directory is copied, and what Dohle serves from it is what Apache Kafka serves:
// records, offsets, times, headers, aborted transactions, the answers to every special timestamp, producers.
func TestLogDirOfKafkaIsServedAlike(t *testing.T) {
	dir, ports := t.TempDir(), freePorts(t, 2)
	at := func(name string) (string, props) {
		d := filepath.Join(dir, name)
		must(t, os.MkdirAll(d, 0o700))
		return d, single(t, filepath.Join(d, "data"), ports[0], ports[1]).with(props{
			"log.cleaner.backoff.ms": "300", "log.initial.task.delay.ms": "100", "log.segment.delete.delay.ms": "100",
			"offsets.topic.num.partitions": "1", "transaction.state.log.num.partitions": "1",
			"group.coordinator.rebalance.protocols": "classic",
		})
	}
	origin, p := at("origin")
	n := startKafka(t, origin, p, "-t", clusterID, "--standalone")
	fillGolden(t, n)
	for _, end := range []string{"stopped", "killed"} {
		if end == "stopped" {
			n.stop(shutdownPatience)
		} else {
			n = startKafka(t, origin, p)
			r := newRPC(t, n, 1)
			r.awaitLeader("codec-none")
			for range 5 {
				r.append("codec-none", batchOf(-1, -1, -1, "before", "the", "kill"))
			}
			n.kill()
		}
		t.Run(end, func(t *testing.T) {
			served := map[string]string{}
			for _, who := range bothBrokers {
				d, p := at(end + "-" + who.name)
				must(t, os.CopyFS(filepath.Join(d, "data"), os.DirFS(filepath.Join(origin, "data"))))
				n := who.start(t, d, p)
				served[who.name] = goldenView(t, n)
				if who.name == "dohle" {
					findsFirstCompacted(t, n)
				}
				n.stop(shutdownPatience)
			}
			if long { // and back: what Dohle has had in its hands is served by Apache Kafka as before
				d, p := at(end + "-dohle")
				n := startKafka(t, d, p)
				back := goldenView(t, n)
				n.stop(shutdownPatience)
				same(t, []byte(restarts.ReplaceAllString(served["kafka"], "$1")), restarts.ReplaceAllString(back, "$1"))
			}
			t.Logf("%d lines compared", strings.Count(served["kafka"], "\n"))
			same(t, []byte(served["kafka"]), served["dohle"])
		})
	}
}

// restarts finds the leader epoch at the end of a log, which every start raises.
var restarts = regexp.MustCompile(`((?:offset at -1|empty: offset at -[0-9]), .*) epoch \d+`)

var goldenTopics = []string{"codec-none", "codec-gzip", "codec-snappy", "codec-lz4", "codec-zstd", "mixed", "appendtime", "txn", "trimmed", "compacted", "empty"}

// goldenTime is recent: producers are forgotten by the time in their last batch.
var goldenTime = time.Now().Add(-time.Hour).UnixMilli()

func fillGolden(t *testing.T, n *node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	r := newRPC(t, n, 1)
	for _, name := range goldenTopics {
		configs := []string{"message.timestamp.before.max.ms", "9223372036854775807", "retention.ms", "-1", "internal.segment.bytes", "16384", "index.interval.bytes", "512"}
		switch name {
		case "appendtime":
			configs = append(configs, "message.timestamp.type", "LogAppendTime")
		case "compacted":
			configs = append(configs, "cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.01", "max.compaction.lag.ms", "1")
		}
		r.create(name, configs...)
	}
	choice := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	for _, codec := range codecs {
		c := producerFor(t, n, kgo.ProducerBatchCompression(choice[codec]))
		send(t, ctx, c, "codec-"+codec, 0, 400)
		send(t, ctx, c, "mixed", 0, 37)
		send(t, ctx, c, "appendtime", 0, 50)
		send(t, ctx, c, "trimmed", 0, 200)
		send(t, ctx, c, "compacted", 0, 300)
	}
	plain := producerFor(t, n, kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck()))
	send(t, ctx, plain, "mixed", 100, 37)
	r.truncateBefore("trimmed", 123)

	a, b := producerFor(t, n, kgo.TransactionalID("a")), producerFor(t, n, kgo.TransactionalID("b"))
	for round := range 12 {
		must(t, a.BeginTransaction())
		must(t, b.BeginTransaction())
		send(t, ctx, a, "txn", round, 5)
		send(t, ctx, b, "txn", round+100, 7)
		send(t, ctx, plain, "txn", round+200, 2)
		send(t, ctx, a, "mixed", round, 3)
		must(t, a.EndTransaction(ctx, kgo.TransactionEndTry(round%3 != 0)))
		must(t, b.EndTransaction(ctx, kgo.TransactionEndTry(round%4 != 1)))
	}
	send(t, ctx, plain, "txn", 300, 1)
	open := producerFor(t, n, kgo.TransactionalID("open"), kgo.TransactionTimeout(15*time.Minute))
	must(t, open.BeginTransaction())
	send(t, ctx, open, "txn", 400, 4)
	send(t, ctx, plain, "txn", 500, 3)

	awaitCleaned(t, filepath.Join(n.dir, "data"), "compacted") // to its end: nothing is left to clean for those who get a copy
	if _, lines := recordsOf(t, ctx, n, "compacted", kgo.ReadUncommitted()); len(lines) >= 800 {
		t.Fatalf("the cleaner has left %d records", len(lines))
	}
}

func producerFor(t *testing.T, n *node, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(n.bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(20 * time.Millisecond), kgo.MaxBufferedRecords(25), kgo.ProducerBatchMaxBytes(20_000)}, opts...)...)
	must(t, err)
	t.Cleanup(c.CloseAllowingRebalance)
	return c
}

// send writes records whose times wander; some have no key, no value, or headers.
func send(t *testing.T, ctx context.Context, c *kgo.Client, topic string, from, count int) {
	t.Helper()
	for i := range count {
		k := from + i
		r := &kgo.Record{Topic: topic, Timestamp: time.UnixMilli(goldenTime + int64(k*10-k%7*25)), Key: fmt.Appendf(nil, "key-%d", k%60),
			Value: []byte(strings.Repeat(fmt.Sprintf("value %d of %s, ", k, topic), 1+k%5))}
		compacted := topic == "compacted"
		if k%9 == 4 && !compacted {
			r.Key = nil
		}
		if k%11 == 5 {
			r.Value = nil
		}
		for h := range k % 4 {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: fmt.Sprintf("h%d", h), Value: bytes.Repeat([]byte{byte(k)}, h)})
		}
		c.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Errorf("%s: %v", topic, err)
			}
		})
	}
	must(t, c.Flush(ctx))
}

// goldenView is everything that a client can learn about the golden topics, as text.
func goldenView(t *testing.T, n *node) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	r := newRPC(t, n, 1)
	var b strings.Builder
	for _, topic := range goldenTopics {
		r.awaitLeader(topic)
		for _, level := range []kgo.IsolationLevel{kgo.ReadUncommitted(), kgo.ReadCommitted()} {
			end, lines := recordsOf(t, ctx, n, topic, level)
			fmt.Fprintf(&b, "%s: %d records before %d\n", topic, len(lines), end)
			for _, line := range lines {
				b.WriteString(line + "\n")
			}
		}
		for isolation := range int8(2) {
			for _, ts := range []int64{-1, -2, -3, -4, -5, -6, 0, goldenTime, goldenTime + 1234, goldenTime + 3999, 4_102_444_800_000} {
				if topic == "compacted" && ts >= 0 {
					continue // Apache Kafka stops at a segment that compaction left empty: docs/divergence.md, D10
				}
				fmt.Fprintf(&b, "%s: offset at %d, isolation %d: %s\n", topic, ts, isolation, r.listed(topic, ts, isolation))
			}
		}
		fmt.Fprintf(&b, "%s: producers %s\n", topic, r.producers(topic))
		for _, level := range []string{"read_committed", "read_uncommitted"} {
			got := output(t, "kcat", "-m", "60", "-b", n.bootstrap, "-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q", "-X", "isolation.level="+level,
				"-Z", "-f", "kcat %o %T %k|%h|%s\n")
			b.WriteString(got)
		}
	}
	return b.String()
}

// findsFirstCompacted: a search by time passes the segments that compaction has emptied, where Apache Kafka's ends.
func findsFirstCompacted(t *testing.T, n *node) {
	t.Helper()
	r := newRPC(t, n, 1)
	_, lines := recordsOf(t, t.Context(), n, "compacted", kgo.ReadUncommitted())
	if at, code := r.offset("compacted", 0); code != 0 || !strings.HasPrefix(lines[0], fmt.Sprintf("%d at ", at)) {
		t.Errorf("the first record since 1970: offset %d (error %d), want that of %.40s…", at, code, lines[0])
	}
}

// recordsOf reads partition 0 to its end, control records too.
func recordsOf(t *testing.T, ctx context.Context, n *node, topic string, level kgo.IsolationLevel) (end int64, lines []string) {
	t.Helper()
	r := newRPC(t, n, 1)
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	if level == kgo.ReadCommitted() {
		req.IsolationLevel = 1
	}
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = -1
	req.Topics = append(req.Topics, kmsg.ListOffsetsRequestTopic{Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}})
	got := call[*kmsg.ListOffsetsResponse](r, req).Topics[0].Partitions[0]
	must(t, kerr.ErrorForCode(got.ErrorCode))
	if end = got.Offset; end == 0 {
		return 0, nil
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(n.bootstrap), kgo.FetchIsolationLevel(level), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	must(t, err)
	defer c.Close()
	for last := int64(-1); last < end-1; {
		fetches := c.PollFetches(ctx)
		must(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			last = r.Offset
			lines = append(lines, fmt.Sprintf("%d at %d type %d codec %d control %v txn %v by %d/%d epoch %d key %q value %q null %v headers %q", r.Offset, r.Timestamp.UnixMilli(),
				r.Attrs.TimestampType(), r.Attrs.CompressionType(), r.Attrs.IsControl(), r.Attrs.IsTransactional(), r.ProducerID, r.ProducerEpoch,
				r.LeaderEpoch, r.Key, r.Value, r.Value == nil, r.Headers))
		})
	}
	return end, lines
}

// listed is the answer of ListOffsets in its newest version.
func (r rpc) listed(topic string, timestamp int64, isolation int8) string {
	r.t.Helper()
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = timestamp
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, isolation
	req.Topics = append(req.Topics, kmsg.ListOffsetsRequestTopic{Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}})
	newest, err := kgo.NewClient(kgo.SeedBrokers(r.client.OptValue(kgo.SeedBrokers).([]string)...))
	must(r.t, err)
	defer newest.Close()
	got := call[*kmsg.ListOffsetsResponse](rpc{r.t, newest, r.node}, req).Topics[0].Partitions[0]
	return fmt.Sprintf("error %d offset %d timestamp %d epoch %d", got.ErrorCode, got.Offset, got.Timestamp, got.LeaderEpoch)
}

func (r rpc) producers(topic string) string {
	r.t.Helper()
	req := kmsg.NewPtrDescribeProducersRequest()
	req.Topics = append(req.Topics, kmsg.DescribeProducersRequestTopic{Topic: topic, Partitions: []int32{0}})
	var lines []string
	for _, p := range call[*kmsg.DescribeProducersResponse](r, req).Topics[0].Partitions[0].ActiveProducers {
		lines = append(lines, fmt.Sprintf("%d/%d sequence %d at %d coordinator %d open from %d", p.ProducerID, p.ProducerEpoch, p.LastSequence, p.LastTimestamp, p.CoordinatorEpoch, p.CurrentTxnStartOffset))
	}
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}
