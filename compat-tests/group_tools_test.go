package compat

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Kafka's tools for groups print the same for both: groups with members of both protocols, without members, with offsets
// alone, and none at all.
func TestKafkaGroupToolsPrintTheSame(t *testing.T) {
	dir, ports := t.TempDir(), freePorts(t, 4)
	kafkaDir, dohleDir := filepath.Join(dir, "kafka"), filepath.Join(dir, "dohle")
	must(t, os.MkdirAll(kafkaDir, 0o700))
	must(t, os.MkdirAll(dohleDir, 0o700))
	quick := props{"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "3"}
	pair := toolPair{dir: dir, controllers: [2]int{ports[1], ports[3]},
		kafka: startKafka(t, kafkaDir, single(t, filepath.Join(kafkaDir, "data"), ports[0], ports[1]).with(quick), "-t", clusterID, "--standalone"),
		dohle: startDohle(t, dohleDir, single(t, filepath.Join(dohleDir, "data"), ports[2], ports[3]).with(quick), "-t", clusterID, "--standalone")}
	for _, n := range []*node{pair.kafka, pair.dohle} {
		prepareGroups(t, n)
	}
	must(t, os.WriteFile(filepath.Join(dir, "reset.csv"), []byte("lines,0,3\nlines,1,4\n"), 0o600))

	members := []*regexp.Regexp{regexp.MustCompile(`/127\.0\.0\.1`), regexp.MustCompile(`-{3,}`)}
	const groups, offsets = "consumer.group.ConsumerGroupCommand", "consumer.ConsoleConsumer"
	for _, a := range []asked{
		{tool: groups, args: "--bootstrap-server {B} --list", any: true},
		{tool: groups, args: "--bootstrap-server {B} --list --state", any: true},
		{tool: groups, args: "--bootstrap-server {B} --list --state Empty", any: true},
		{tool: groups, args: "--bootstrap-server {B} --list --type", any: true},
		{tool: groups, args: "--bootstrap-server {B} --list --type consumer --state stable", any: true},
		{tool: groups, args: "--bootstrap-server {B} --list --type nonsense", fail: true},
		{tool: groups, args: "--bootstrap-server {B} --describe --group classic-live", any: true, mask: members},
		{tool: groups, args: "--bootstrap-server {B} --describe --group classic-live --members --verbose", any: true, mask: members},
		{tool: groups, args: "--bootstrap-server {B} --describe --group classic-live --state --verbose", mask: members},
		{tool: groups, args: "--bootstrap-server {B} --describe --group consumer-live --offsets --verbose", any: true, mask: members},
		{tool: groups, args: "--bootstrap-server {B} --describe --group consumer-live --members", any: true, mask: members},
		{tool: groups, args: "--bootstrap-server {B} --describe --group consumer-live --members --verbose", any: true, mask: members},
		{tool: groups, args: "--bootstrap-server {B} --describe --group consumer-live --state --verbose", mask: members},
		{tool: groups, args: "--bootstrap-server {B} --describe --group classic-gone", any: true, mask: members},
		{tool: groups, args: "--bootstrap-server {B} --describe --group consumer-gone --state", mask: members},
		{tool: groups, args: "--bootstrap-server {B} --describe --group missing"},
		{tool: groups, args: "--bootstrap-server {B} --describe --all-groups --state", any: true, mask: members},
		{tool: "GroupsCommand", args: "--bootstrap-server {B} --list", any: true},
		{tool: "GroupsCommand", args: "--bootstrap-server {B} --list --group-type classic", any: true},
		{tool: "GroupsCommand", args: "--bootstrap-server {B} --list --consumer", any: true},
		{tool: "GroupsCommand", args: "--bootstrap-server {B} --list --protocol consumer", any: true},
		{tool: groups, args: "--bootstrap-server {B} --reset-offsets --group classic-live --topic lines --to-earliest --execute"},
		{tool: groups, args: "--bootstrap-server {B} --reset-offsets --group classic-gone --topic lines --to-earliest --dry-run", any: true},
		{tool: groups, args: "--bootstrap-server {B} --reset-offsets --group classic-gone --topic lines --to-earliest --execute", any: true},
		{tool: groups, args: "--bootstrap-server {B} --reset-offsets --group classic-gone --topic lines --to-latest --execute", any: true},
		{tool: groups, args: "--bootstrap-server {B} --reset-offsets --group classic-gone --topic lines:0 --shift-by -2 --execute", any: true},
		{tool: groups, args: "--bootstrap-server {B} --reset-offsets --group classic-gone --topic lines:1 --to-offset 1 --execute", any: true},
		{tool: groups, args: "--bootstrap-server {B} --reset-offsets --group classic-gone --topic lines --to-offset 999 --execute", any: true},
		{tool: groups, args: "--bootstrap-server {B} --reset-offsets --group classic-gone --topic lines --to-datetime 2020-01-01T00:00:00.000 --execute", any: true},
		{tool: groups, args: "--bootstrap-server {B} --reset-offsets --group classic-gone --topic lines --by-duration PT0S --execute", any: true},
		{tool: groups, args: "--bootstrap-server {B} --reset-offsets --group classic-gone --topic lines --to-current --execute", any: true},
		{tool: groups, args: "--bootstrap-server {B} --reset-offsets --group consumer-gone --from-file {D}/reset.csv --execute", any: true},
		{tool: groups, args: "--bootstrap-server {B} --reset-offsets --group consumer-gone --all-topics --to-current --export --dry-run", any: true},
		{tool: groups, args: "--bootstrap-server {B} --reset-offsets --group never-was --topic lines --to-earliest --execute", any: true},
		{tool: groups, args: "--bootstrap-server {B} --describe --group never-was", any: true, mask: members},
		{tool: groups, args: "--bootstrap-server {B} --delete-offsets --group classic-gone --topic lines:0"},
		{tool: groups, args: "--bootstrap-server {B} --delete-offsets --group classic-live --topic lines", any: true},
		{tool: groups, args: "--bootstrap-server {B} --delete-offsets --group classic-gone --topic missing", any: true},
		{tool: groups, args: "--bootstrap-server {B} --describe --group classic-gone --offsets", any: true, mask: members},
		{tool: groups, args: "--bootstrap-server {B} --delete --group classic-live"},
		{tool: groups, args: "--bootstrap-server {B} --delete --group missing"},
		{tool: groups, args: "--bootstrap-server {B} --delete --group classic-gone --group consumer-gone"},
		{tool: groups, args: "--bootstrap-server {B} --list", any: true},
		{tool: "VerifiableConsumer", args: "--bootstrap-server {B} --topic lines --group-id verified --max-messages 20 --reset-policy earliest", any: true, mask: []*regexp.Regexp{regexp.MustCompile(`"timestamp":\d+`),
			regexp.MustCompile(`(?m)^.*"name":"(records_consumed|offsets_committed)".*\n`)}}, // how many at a time is chance
		{tool: "VerifiableConsumer", args: "--bootstrap-server {B} --topic lines --group-id verified-848 --group-protocol consumer --max-messages 20 --reset-policy earliest", any: true, mask: []*regexp.Regexp{regexp.MustCompile(`"timestamp":\d+`),
			regexp.MustCompile(`(?m)^.*"name":"(records_consumed|offsets_committed|partitions_assigned|partitions_revoked)".*\n`)}},
		{tool: offsets, args: "--bootstrap-server {B} --topic lines --group console --consumer-property auto.commit.interval.ms=600000 --from-beginning --max-messages 20", any: true},
		{tool: offsets, args: "--bootstrap-server {B} --topic lines --group console-848 --consumer-property group.protocol=consumer --consumer-property auto.commit.interval.ms=600000 --from-beginning --max-messages 20", any: true},
		{tool: groups, args: "--bootstrap-server {B} --describe --group console --offsets", any: true, mask: members},
		{tool: "ConfigCommand", args: "--bootstrap-server {B} --entity-type groups --entity-name consumer-live --alter --add-config consumer.session.timeout.ms=50000"},
		{tool: "ConfigCommand", args: "--bootstrap-server {B} --entity-type groups --entity-name consumer-live --describe"},
		{tool: "ConfigCommand", args: "--bootstrap-server {B} --entity-type groups --entity-name consumer-live --alter --add-config consumer.session.timeout.ms=1", fail: true},
		{tool: offsets, args: "--bootstrap-server {B} --topic __consumer_offsets --from-beginning --formatter org.apache.kafka.tools.consumer.OffsetsMessageFormatter --timeout-ms 15000", each: regexp.MustCompile(`\{"key":\{.*?\}\},"value":(null|\{.*?\}\})\}`),
			mask: []*regexp.Regexp{regexp.MustCompile(`"(commitTimestamp|expireTimestamp)":\d+`)}}, // tombstones of a group come in any order, and who commits at its leave may commit twice
		{tool: "EndToEndLatency", args: "--bootstrap-server {B} --topic latency --num-records 100 --producer-acks all --record-size 50", mask: []*regexp.Regexp{numbers}},
	} {
		pair.ask(t, a)
	}
}

// prepareGroups writes records, and makes a live group and an abandoned one of each protocol.
func prepareGroups(t *testing.T, n *node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(n.bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(t, err)
	defer client.Close()
	createTopics(t, ctx, client, "lines")
	kafkaTool(t, tools+"TopicCommand", "--bootstrap-server", n.bootstrap, "--alter", "--topic", "lines", "--partitions", "2")
	client.ForceMetadataRefresh()
	eventually(t, patience, "both partitions take records", func() bool {
		return client.ProduceSync(ctx, &kgo.Record{Topic: "lines", Partition: 1, Value: []byte("line 0")}).FirstErr() == nil
	})
	for i := range 19 {
		must(t, client.ProduceSync(ctx, &kgo.Record{Topic: "lines", Partition: int32(i) % 2, Value: fmt.Appendf(nil, "line %d", i+1)}).FirstErr())
	}
	for _, protocol := range []string{"classic", "consumer"} {
		for _, fate := range []string{"gone", "live"} {
			opts := []kgo.Opt{kgo.SeedBrokers(n.bootstrap), kgo.ConsumerGroup(protocol + "-" + fate), kgo.ConsumeTopics("lines"), kgo.ClientID("a-client"), kgo.DisableAutoCommit(),
				kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.Balancers(kgo.RangeBalancer())}
			if protocol == "consumer" {
				opts = append(opts, kgo.ServerSideBalancer())
			}
			c, err := kgo.NewClient(opts...)
			must(t, err)
			for read := 0; read < 20; {
				read += c.PollFetches(ctx).NumRecords()
				must(t, ctx.Err())
			}
			must(t, c.CommitUncommittedOffsets(ctx))
			if fate == "gone" {
				c.Close()
			} else {
				t.Cleanup(c.Close)
			}
		}
	}
}
