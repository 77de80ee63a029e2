package compat

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Groups of both kinds that one broker leaves in a log.dir go on with the next one exactly where they were: members, static
// members, simple consumers with their metadata. Stopped, and killed.
func TestGroupsChangeHands(t *testing.T) {
	type start = func(*testing.T, string, props, ...string) *node
	for _, way := range []struct {
		name  string
		hands []start
	}{{"kafka dohle kafka", []start{startKafka, startDohle, startKafka}}, {"dohle kafka dohle", []start{startDohle, startKafka, startDohle}}} {
		for _, end := range []string{"killed", "stopped"} {
			if end == "stopped" && !long {
				continue
			}
			t.Run(way.name+" "+end, func(t *testing.T) {
				dir, ports := t.TempDir(), freePorts(t, 2)
				p := single(t, filepath.Join(dir, "data"), ports[0], ports[1]).with(props{"group.initial.rebalance.delay.ms": "100", "num.partitions": "3",
					"group.consumer.min.session.timeout.ms": "6000", "group.consumer.session.timeout.ms": "6000", // the successor of a static member waits so long
					"group.consumer.min.heartbeat.interval.ms": "500", "group.consumer.heartbeat.interval.ms": "500"})
				format := []string{"-t", clusterID, "--standalone"}
				var before string
				for i, hand := range way.hands {
					n := hand(t, dir, p, format...)
					format = nil
					g := &groupHand{t: t, n: n, round: i}
					g.connect()
					if now := g.offsets(); i > 0 && now != before {
						t.Errorf("offsets before the hand-over:\n%s\nand after it:\n%s", before, now)
					}
					g.produce()
					for _, protocol := range []string{"range", "cooperative", "consumer", "static", "static-consumer"} {
						g.consume(protocol)
					}
					g.commitSimple()
					before = g.offsets()
					g.client.Close()
					if end == "killed" {
						n.kill()
					} else {
						n.stop(shutdownPatience)
					}
				}
			})
		}
	}
}

type groupHand struct {
	t      *testing.T
	n      *node
	round  int
	client *kgo.Client
	ctx    context.Context
}

func (g *groupHand) connect() {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 2*patience)
	g.t.Cleanup(cancel)
	g.ctx = ctx
	names := kversion.Stable()
	names.SetMaxKeyVersion(8, 9) // topics by name
	names.SetMaxKeyVersion(9, 9)
	client, err := kgo.NewClient(kgo.SeedBrokers(g.n.bootstrap), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("handed"), kgo.UnknownTopicRetries(-1), kgo.MaxVersions(names))
	must(g.t, err)
	g.client = client
}

// expected are the values that this round's consumers must see, and nothing else.
func (g *groupHand) expected() (values []string) {
	for i := range 50 {
		values = append(values, fmt.Sprintf("%d-%02d", g.round, i))
	}
	return values
}

func (g *groupHand) produce() {
	g.t.Helper()
	for i, v := range g.expected() {
		g.client.Produce(g.ctx, kgo.KeyStringRecord(fmt.Sprint(i), v), func(_ *kgo.Record, err error) {
			if err != nil {
				g.t.Errorf("%s: %v", v, err)
			}
		})
	}
	must(g.t, g.client.Flush(g.ctx))
}

// consume joins a group, reads what is new, commits and leaves; a static member goes without leaving.
func (g *groupHand) consume(protocol string) {
	g.t.Helper()
	opts := []kgo.Opt{kgo.SeedBrokers(g.n.bootstrap), kgo.ConsumerGroup("handed-" + protocol), kgo.ConsumeTopics("handed"), kgo.DisableAutoCommit(), kgo.HeartbeatInterval(500 * time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200 * time.Millisecond)}
	if strings.Contains(protocol, "static") {
		opts = append(opts, kgo.InstanceID("the-one"))
	}
	switch {
	case strings.Contains(protocol, "consumer"):
		opts = append(opts, kgo.Balancers(kgo.StickyBalancer()), kgo.ServerSideBalancer())
	case protocol == "cooperative":
		opts = append(opts, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	default:
		opts = append(opts, kgo.Balancers(kgo.RangeBalancer()))
	}
	client, err := kgo.NewClient(opts...)
	must(g.t, err)
	defer client.Close()
	want := g.expected()
	var got []string
	for len(got) < len(want) {
		fetches := client.PollFetches(g.ctx)
		if g.ctx.Err() != nil {
			g.t.Fatalf("%s: read %d of %d records: %v", protocol, len(got), len(want), fetches.Errors())
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		g.t.Errorf("%s in round %d: read %v, want %v", protocol, g.round, got, want)
	}
	must(g.t, client.CommitUncommittedOffsets(g.ctx))
}

// commitSimple commits as a consumer that is in no group.
func (g *groupHand) commitSimple() {
	g.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = "handed-simple", -1
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = "handed"
	for p := range int32(3) {
		part := kmsg.NewOffsetCommitRequestTopicPartition()
		part.Partition, part.Offset, part.LeaderEpoch = p, int64(10*g.round)+int64(p), 0
		part.Metadata = kmsg.StringPtr(fmt.Sprintf("round %d größer", g.round))
		topic.Partitions = append(topic.Partitions, part)
	}
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(g.ctx, g.client)
	must(g.t, err)
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				g.t.Errorf("commit of partition %d: error %d", p.Partition, p.ErrorCode)
			}
		}
	}
}

// offsets is all that is committed, as text.
func (g *groupHand) offsets() string {
	g.t.Helper()
	var b strings.Builder
	for _, name := range []string{"range", "cooperative", "consumer", "static", "static-consumer", "simple"} {
		var resp *kmsg.OffsetFetchResponse
		eventually(g.t, patience, "offsets of "+name, func() bool {
			req := kmsg.NewPtrOffsetFetchRequest()
			group := kmsg.NewOffsetFetchRequestGroup()
			group.Group = "handed-" + name
			req.Groups = append(req.Groups, group)
			var err error
			resp, err = req.RequestWith(g.ctx, g.client)
			return err == nil && len(resp.Groups) == 1 && resp.Groups[0].ErrorCode == 0
		})
		var lines []string
		for _, t := range resp.Groups[0].Topics {
			for _, p := range t.Partitions {
				metadata := "null"
				if p.Metadata != nil {
					metadata = *p.Metadata
				}
				lines = append(lines, fmt.Sprintf("%s %s-%d at %d epoch %d %q error %d", name, t.Topic, p.Partition, p.Offset, p.LeaderEpoch, metadata, p.ErrorCode))
			}
		}
		slices.Sort(lines)
		b.WriteString(strings.Join(lines, "\n") + "\n")
	}
	return b.String()
}
