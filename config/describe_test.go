package config

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// golden is the configuration of the Apache Kafka 4.4.0 node whose answers are in testdata/describe_*.txt.
var golden = map[string]string{
	"process.roles": "broker,controller", "node.id": "1", "listeners": "PLAINTEXT://127.0.0.1:19240,CONTROLLER://127.0.0.1:19241",
	"controller.listener.names": "CONTROLLER", "controller.quorum.bootstrap.servers": "127.0.0.1:19241", "log.dirs": "/tmp/config/k/data",
	"offsets.topic.replication.factor": "1", "transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1",
	"share.coordinator.state.topic.replication.factor": "1", "share.coordinator.state.topic.min.isr": "1",
}

var goldenTopic = map[string]string{
	"retention.ms": " 1000 ", "cleanup.policy": "compact , delete,compact", "min.cleanable.dirty.ratio": "0.25", "segment.bytes": "1048576",
	"compression.type": "zstd", "unclean.leader.election.enable": "TRUE", "internal.segment.bytes": "2000", "follower.replication.throttled.replicas": "0:1,0:2",
}

// TestDescribeAnswersAreKafkas: a fresh node, as Kafka describes it. min.insync.replicas is set for the cluster because ELR is on.
func TestDescribeAnswersAreKafkas(t *testing.T) {
	file, err := NewStatic(golden)
	require.NoError(t, err)
	l := Layers{Static: file, Default: map[string]string{"min.insync.replicas": "1"}}
	compare(t, "testdata/describe_fresh.txt", l, nil, nil, nil)
}

// TestDescribeShowsWhatWasSet: the same node after changes on every layer.
func TestDescribeShowsWhatWasSet(t *testing.T) {
	file, err := NewStatic(golden)
	require.NoError(t, err)
	l := Layers{
		Static:  file,
		Default: map[string]string{"min.insync.replicas": "2", "message.max.bytes": "2000000", "leader.replication.throttled.rate": "100"},
		Broker:  map[string]string{"log.retention.ms": "5000", "my.plugin.key": "abc", "listener.name.plaintext.ssl.keystore.password": "secret"},
	}
	compare(t, "testdata/describe_altered.txt", l,
		map[string]string{"cleanup.policy": "", "min.compaction.lag.ms": "9223372036854775807"},
		map[string]string{"consumer.session.timeout.ms": "50000", "streams.num.warmup.replicas": "3", "share.auto.offset.reset": "by_duration:PT1H",
			"errors.deadletterqueue.topic.name": "a b"},
		map[string]string{"match": "client_id=a.*"})
}

func compare(t *testing.T, name string, l Layers, plain, group, metrics map[string]string) {
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	var b strings.Builder
	section := func(title string, entries []Entry) {
		fmt.Fprintf(&b, "describe %s: 0 \"\"\n", title)
		for _, e := range entries {
			var syn []string
			for _, s := range e.Synonyms {
				syn = append(syn, fmt.Sprintf("%s=%s@%d", s.Name, shown(s.Value), s.Source))
			}
			fmt.Fprintf(&b, "%s = %s source=%d readonly=%v sensitive=%v type=%d [%s]\n", e.Name, shown(e.Value), e.Source, e.ReadOnly, e.Sensitive, e.Type, strings.Join(syn, " "))
		}
		b.WriteString("\n")
	}
	section(`4 "1"`, DescribeBroker(l))
	section(`4 ""`, DescribeBrokerDefaults(l))
	section(`2 "plain"`, DescribeTopic(l, plain))
	section(`2 "tuned"`, DescribeTopic(l, goldenTopic))
	section(`32 "g"`, DescribeGroup(l, group))
	section(`16 "m"`, DescribeClientMetrics(metrics))
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Fatal(diff)
	}
}

func shown(s *string) string {
	if s == nil {
		return "null"
	}
	return fmt.Sprintf("%q", *s)
}
