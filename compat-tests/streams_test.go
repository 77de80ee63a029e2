package compat

import (
	"context"
	big "encoding/binary"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A word count of Kafka Streams, at least once, with the changelog and repartition topics that it makes itself, counts what was
// written: also when its broker is killed half-way, and when another instance takes over with an empty state directory.
func TestStreamsCountWords(t *testing.T) {
	dir, ports := t.TempDir(), freePorts(t, 2)
	p := single(t, filepath.Join(dir, "data"), ports[0], ports[1]).with(props{"num.partitions": "4", "group.initial.rebalance.delay.ms": "200"})
	n := startDohle(t, dir, p, "-t", clusterID, "--standalone")
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(n.bootstrap), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("lines"), kgo.UnknownTopicRetries(-1))
	must(t, err)
	defer client.Close()
	createTopics(t, ctx, client, "lines", "counts")

	want := map[string]int64{}
	write := func(from, to int) {
		words := strings.Fields("the quick brown fox jumps over a lazy dog while seven other words look on")
		for i := from; i < to; i++ {
			line := make([]string, 5)
			for k := range line {
				line[k] = words[(i*7+k*k*3)%len(words)]
				want[line[k]]++
			}
			client.Produce(ctx, &kgo.Record{Key: fmt.Append(nil, i), Value: []byte(strings.Join(line, " "))}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Errorf("line %d: %v", i, err)
				}
			})
		}
		must(t, client.Flush(ctx))
	}

	first := startStreams(t, n.bootstrap, filepath.Join(dir, "state-1"))
	write(0, 2000)
	awaitCounts(t, ctx, n.bootstrap, want)
	write(2000, 3000)
	n.kill()
	n = startDohle(t, dir, p)
	write(3000, 4000)
	awaitCounts(t, ctx, n.bootstrap, want)
	first.end(t)

	write(4000, 5000) // while nobody counts
	second := startStreams(t, n.bootstrap, filepath.Join(dir, "state-2"))
	awaitCounts(t, ctx, n.bootstrap, want)
	second.end(t)

	topics := topicNames(t, ctx, client)
	for _, name := range []string{"words-by-word-repartition", "words-counted-changelog", "__consumer_offsets"} {
		if !slices.Contains(topics, name) {
			t.Errorf("no topic %s in %v", name, topics)
		}
	}
}

type streamsApp struct {
	cmd   *exec.Cmd
	stdin io.Closer
	log   *logFile
	done  chan struct{}
}

func startStreams(t *testing.T, bootstrap, state string) *streamsApp {
	t.Helper()
	a := &streamsApp{log: newLogFile("state RUNNING"), done: make(chan struct{})}
	logging, err := filepath.Abs("kafka/log4j2.xml")
	must(t, err)
	a.cmd = exec.Command("java", append(append([]string{"-Dlog4j2.configurationFile=" + logging}, jvm(t)...), "streams/WordCount.java", bootstrap, "words", state)...)
	a.cmd.Stdout, a.cmd.Stderr = a.log, a.log
	stdin, err := a.cmd.StdinPipe()
	must(t, err)
	a.stdin = stdin
	must(t, a.cmd.Start())
	go func() {
		a.cmd.Wait()
		close(a.done)
	}()
	t.Cleanup(func() {
		a.cmd.Process.Kill()
		<-a.done
		if t.Failed() {
			t.Logf("the application said:\n%s", a.log.tail(60))
		}
	})
	select {
	case <-a.log.seen:
	case <-a.done:
		t.Fatal("the application ended before it ran")
	case <-time.After(patience):
		t.Fatal("the application does not run")
	}
	return a
}

// end closes the application, which must have committed and left when it does.
func (a *streamsApp) end(t *testing.T) {
	t.Helper()
	a.stdin.Close()
	select {
	case <-a.done:
	case <-time.After(patience):
		t.Fatal("the application does not end")
	}
	if !strings.Contains(a.log.String(), "closed true") || strings.Contains(a.log.String(), "state ERROR") {
		t.Errorf("the application did not end well:\n%s", a.log.tail(30))
	}
}

// awaitCounts reads the topic of counts until the last count of each word is the wanted one.
func awaitCounts(t *testing.T, ctx context.Context, bootstrap string, want map[string]int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics("counts"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	must(t, err)
	defer client.Close()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	got := map[string]int64{}
	for !maps.Equal(got, want) {
		fetches := client.PollFetches(limited)
		if limited.Err() != nil {
			t.Fatalf("counted %v, want %v", got, want)
		}
		fetches.EachRecord(func(r *kgo.Record) { got[string(r.Key)] = int64(big.BigEndian.Uint64(r.Value)) })
	}
}

func createTopics(t *testing.T, ctx context.Context, client *kgo.Client, names ...string) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 10_000
	for _, name := range names {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, -1, 1
		req.Topics = append(req.Topics, topic)
	}
	resp, err := req.RequestWith(ctx, client)
	must(t, err)
	for _, topic := range resp.Topics {
		if topic.ErrorCode != 0 {
			t.Fatalf("topic %s is refused with %d", topic.Topic, topic.ErrorCode)
		}
	}
}

func topicNames(t *testing.T, ctx context.Context, client *kgo.Client) (names []string) {
	t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	resp, err := req.RequestWith(ctx, client)
	must(t, err)
	for _, topic := range resp.Topics {
		names = append(names, *topic.Topic)
	}
	return names
}
