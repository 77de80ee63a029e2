package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dohle-io/dohle/compat-tests/clients/go/steps"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type franzClient struct {
	bootstrap, topic string
	client           *kgo.Client
	admin            *kadm.Client
	written          int
}

func (c *franzClient) context() context.Context {
	ctx, _ := context.WithTimeout(context.Background(), 40*time.Second) //nolint:govet // the process ends before
	return ctx
}

func (c *franzClient) write(codec string, partition, from, n int) (string, error) {
	choice := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}[codec]
	p, err := kgo.NewClient(kgo.SeedBrokers(c.bootstrap), kgo.ProducerBatchCompression(choice), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return "", err
	}
	defer p.Close()
	return c.writeWith(p, codec, partition, from, n)
}

func (c *franzClient) writeWith(p *kgo.Client, codec string, partition, from, n int) (string, error) {
	var list []*kgo.Record
	for i := from; i < from+n; i++ {
		list = append(list, &kgo.Record{Topic: c.topic, Partition: int32(partition), Key: steps.Key(i), Value: steps.Value(codec, i),
			Timestamp: steps.Time(i), Headers: []kgo.RecordHeader{{Key: "codec", Value: []byte(codec)}}})
	}
	res := p.ProduceSync(c.context(), list...)
	if err := res.FirstErr(); err != nil {
		return "", err
	}
	c.written += n
	return fmt.Sprintf("%d records at %d..%d", n, res[0].Record.Offset, res[n-1].Record.Offset), nil
}

func (c *franzClient) read(partition int) (string, error) {
	p, err := kgo.NewClient(kgo.SeedBrokers(c.bootstrap), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.topic: {int32(partition): kgo.NewOffset().AtStart()}}))
	if err != nil {
		return "", err
	}
	defer p.Close()
	d := steps.NewDigest()
	for ctx := c.context(); d.Len() < steps.Records; {
		f := p.PollFetches(ctx)
		if err := f.Err(); err != nil {
			return "", err
		}
		f.EachRecord(func(r *kgo.Record) { d.Add(r.Offset, r.Key, r.Value, r.Headers[0].Key, r.Headers[0].Value) })
	}
	return d.String(), nil
}

func (c *franzClient) timestamp() (string, error) {
	at := kgo.NewOffset().AfterMilli(steps.Time(10).UnixMilli())
	p, err := kgo.NewClient(kgo.SeedBrokers(c.bootstrap), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.topic: {0: at}}))
	if err != nil {
		return "", err
	}
	defer p.Close()
	f := p.PollFetches(c.context())
	if err := f.Err(); err != nil {
		return "", err
	}
	r := f.Records()[0]
	return fmt.Sprintf("offset %d, key %s", r.Offset, r.Key), nil
}

func (c *franzClient) member(name string, opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.bootstrap), kgo.ConsumerGroup(c.topic + "-" + name), kgo.ConsumeTopics(c.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit()}, opts...)...)
}

func (c *franzClient) group(name string, opts ...kgo.Opt) (string, error) {
	p, err := c.member(name, opts...)
	if err != nil {
		return "", err
	}
	ctx, commit, n := c.context(), map[int32]kgo.EpochOffset{}, 0
	for n < c.written {
		f := p.PollFetches(ctx)
		if err := f.Err(); err != nil {
			return "", err
		}
		f.EachRecord(func(r *kgo.Record) {
			n++
			commit[r.Partition] = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1}
		})
	}
	commit[0] = kgo.EpochOffset{Epoch: -1, Offset: steps.CommitAt}
	var failed error
	p.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{c.topic: commit}, franzCommitted(&failed))
	p.Close()
	if failed != nil {
		return "", failed
	}
	p, err = c.member(name, opts...)
	if err != nil {
		return "", err
	}
	defer p.Close()
	var got []steps.Place
	for len(got) < steps.Records-steps.CommitAt {
		f := p.PollFetches(ctx)
		if err := f.Err(); err != nil {
			return "", err
		}
		f.EachRecord(func(r *kgo.Record) { got = append(got, steps.Place{Partition: r.Partition, Offset: r.Offset}) })
	}
	more, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	p.PollFetches(more).EachRecord(func(r *kgo.Record) { got = append(got, steps.Place{Partition: r.Partition, Offset: r.Offset}) })
	return steps.Resumed(got), nil
}

func (c *franzClient) restart() (string, error) {
	p, err := kgo.NewClient(kgo.SeedBrokers(c.bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.topic: {0: kgo.NewOffset().At(steps.Records - 1)}}))
	if err != nil {
		return "", err
	}
	defer p.Close()
	if err := p.PollFetches(c.context()).Err(); err != nil {
		return "", err
	}
	if err := steps.Restart(); err != nil {
		return "", err
	}
	if _, err := c.writeWith(p, "none", 0, steps.Records, 5); err != nil {
		return "", err
	}
	var got []int64
	for ctx := c.context(); len(got) < 5; {
		f := p.PollFetches(ctx)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		f.EachRecord(func(r *kgo.Record) { got = append(got, r.Offset) })
	}
	return fmt.Sprintf("%d records written, read at %d..%d", len(got), got[0], got[len(got)-1]), nil
}

func franz(bootstrap, topic string) map[string]func() (string, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		panic(err)
	}
	c := &franzClient{bootstrap: bootstrap, topic: topic, client: client, admin: kadm.NewClient(client)}
	value := func(key string) (string, error) {
		list, err := c.admin.DescribeTopicConfigs(c.context(), topic)
		if err != nil {
			return "", err
		}
		for _, k := range list[0].Configs {
			if k.Key == key {
				return key + "=" + k.MaybeValue(), list[0].Err
			}
		}
		return "", errors.New("no " + key)
	}
	return merged(func(codec string, partition int) (string, error) { return c.write(codec, partition, 0, steps.Records) }, c.read, map[string]func() (string, error){
		"connect": func() (string, error) {
			m, err := c.admin.BrokerMetadata(c.context())
			return fmt.Sprintf("%d broker", len(m.Brokers)), err
		},
		"describe-cluster": func() (string, error) {
			m, err := c.admin.BrokerMetadata(c.context())
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("brokers %d, controller %d", m.Brokers[0].NodeID, m.Controller), nil
		},
		"create-topic": func() (string, error) {
			never := "-1"
			_, err := c.admin.CreateTopic(c.context(), 5, 1, map[string]*string{"retention.ms": &never}, topic)
			return "created", err
		},
		"list-topics": func() (string, error) {
			l, err := c.admin.ListTopics(c.context())
			if err == nil && !l.Has(topic) {
				return "not in the list", nil
			}
			return "in the list", err
		},
		"describe-topic": func() (string, error) {
			l, err := c.admin.ListTopics(c.context(), topic)
			if err != nil {
				return "", err
			}
			p := l[topic].Partitions
			return fmt.Sprintf("%d partitions, leader %d, replicas %v, isr %v", len(p), p[0].Leader, p[0].Replicas, p[0].ISR), l[topic].Err
		},
		"describe-config": func() (string, error) { return value("retention.ms") },
		"alter-config": func() (string, error) {
			v := "500000"
			_, err := c.admin.AlterTopicConfigs(c.context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &v}}, topic)
			if err != nil {
				return "", err
			}
			return value("max.message.bytes")
		},
		"timestamp":      c.timestamp,
		"group":          func() (string, error) { return c.group("group") },
		"group-consumer": func() (string, error) { return c.group("group-consumer", kgo.ServerSideBalancer()) },
		"delete-records": func() (string, error) {
			var o kadm.Offsets
			o.AddOffset(topic, 0, 5, -1)
			res, err := c.admin.DeleteRecords(c.context(), o)
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("partition 0 starts at %d", res[topic][0].LowWatermark), res.Error()
		},
		"create-partitions": func() (string, error) {
			if _, err := c.admin.UpdatePartitions(c.context(), 6, topic); err != nil {
				return "", err
			}
			l, err := c.admin.ListTopics(c.context(), topic)
			return fmt.Sprintf("%d partitions", len(l[topic].Partitions)), err
		},
		"restart": c.restart,
		"delete-topic": func() (string, error) {
			if _, err := c.admin.DeleteTopic(c.context(), topic); err != nil {
				return "", err
			}
			l, err := c.admin.ListTopics(c.context())
			if l.Has(topic) {
				return "still there", err
			}
			return "gone", err
		},
	})
}
