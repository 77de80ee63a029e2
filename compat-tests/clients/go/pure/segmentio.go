package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dohle-io/dohle/compat-tests/clients/go/steps"
	"github.com/segmentio/kafka-go"
)

type segmentioClient struct {
	bootstrap, topic string
	client           *kafka.Client
	written          int
}

func deadline() context.Context {
	ctx, _ := context.WithTimeout(context.Background(), patience) //nolint:govet // the process ends before
	return ctx
}

func (c *segmentioClient) messages(codec string, from, n int) (list []kafka.Message) {
	for i := from; i < from+n; i++ {
		list = append(list, kafka.Message{Key: steps.Key(i), Value: steps.Value(codec, i), Time: steps.Time(i),
			Headers: []kafka.Header{{Key: "codec", Value: []byte(codec)}}})
	}
	return list
}

// writer is bound to a partition by its balancer; the first and last offset come from its completion.
func (c *segmentioClient) writer(codec string, partition int, done func([]kafka.Message)) *kafka.Writer {
	choice := map[string]kafka.Compression{"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd}[codec]
	return &kafka.Writer{Addr: kafka.TCP(c.bootstrap), Topic: c.topic, Compression: choice, BatchTimeout: 10 * time.Millisecond, RequiredAcks: kafka.RequireAll,
		MaxAttempts: 30, Balancer: kafka.BalancerFunc(func(kafka.Message, ...int) int { return partition }),
		Completion: func(list []kafka.Message, err error) {
			if err == nil {
				done(list)
			}
		}}
}

func (c *segmentioClient) write(codec string, partition int) (string, error) {
	var all []kafka.Message
	w := c.writer(codec, partition, func(list []kafka.Message) { all = append(all, list...) })
	if err := w.WriteMessages(deadline(), c.messages(codec, 0, steps.Records)...); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	c.written += len(all)
	return fmt.Sprintf("%d records at %d..%d", len(all), all[0].Offset, all[len(all)-1].Offset), nil
}

func (c *segmentioClient) reader(partition int) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{Brokers: []string{c.bootstrap}, Topic: c.topic, Partition: partition, MaxWait: 500 * time.Millisecond})
}

func (c *segmentioClient) read(partition int) (string, error) {
	r := c.reader(partition)
	defer r.Close()
	d := steps.NewDigest()
	for ctx := deadline(); d.Len() < steps.Records; {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			return "", err
		}
		d.Add(m.Offset, m.Key, m.Value, m.Headers[0].Key, m.Headers[0].Value)
	}
	return d.String(), nil
}

func (c *segmentioClient) timestamp() (string, error) {
	r := c.reader(0)
	defer r.Close()
	if err := r.SetOffsetAt(deadline(), steps.Time(10)); err != nil {
		return "", err
	}
	m, err := r.ReadMessage(deadline())
	return fmt.Sprintf("offset %d, key %s", m.Offset, m.Key), err
}

func (c *segmentioClient) member() *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{Brokers: []string{c.bootstrap}, GroupID: c.topic + "-group", Topic: c.topic, StartOffset: kafka.FirstOffset, MaxWait: 500 * time.Millisecond})
}

func (c *segmentioClient) group() (string, error) {
	r, ctx, last := c.member(), deadline(), map[int]kafka.Message{}
	for range c.written {
		m, err := r.FetchMessage(ctx)
		if err != nil {
			return "", err
		}
		if m.Partition != 0 || m.Offset < steps.CommitAt {
			last[m.Partition] = m
		}
	}
	for _, m := range last {
		if err := r.CommitMessages(ctx, m); err != nil {
			return "", err
		}
	}
	if err := r.Close(); err != nil {
		return "", err
	}
	r = c.member()
	defer r.Close()
	var got []steps.Place
	for len(got) < steps.Records-steps.CommitAt {
		m, err := r.FetchMessage(ctx)
		if err != nil {
			return "", err
		}
		got = append(got, steps.Place{Partition: int32(m.Partition), Offset: m.Offset})
	}
	more, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if m, err := r.FetchMessage(more); err == nil {
		got = append(got, steps.Place{Partition: int32(m.Partition), Offset: m.Offset})
	}
	return steps.Resumed(got), nil
}

func (c *segmentioClient) restart() (string, error) {
	w := c.writer("none", 0, func([]kafka.Message) {})
	defer w.Close()
	r := c.reader(0)
	defer r.Close()
	if err := r.SetOffset(steps.Records - 1); err != nil {
		return "", err
	}
	if _, err := r.ReadMessage(deadline()); err != nil {
		return "", err
	}
	if err := steps.Restart(); err != nil {
		return "", err
	}
	c.client.Transport.(*kafka.Transport).CloseIdleConnections() // a Client does not try again on another connection
	if err := w.WriteMessages(deadline(), c.messages("none", steps.Records, 5)...); err != nil {
		return "", err
	}
	var got []int64
	for ctx := deadline(); len(got) < 5; {
		m, err := r.ReadMessage(ctx)
		if ctx.Err() != nil {
			return "", err
		}
		if err != nil {
			continue // what it met while the broker was away; it goes on
		}
		got = append(got, m.Offset)
	}
	return fmt.Sprintf("%d records written, read at %d..%d", len(got), got[0], got[len(got)-1]), nil
}

func (c *segmentioClient) metadata(topics ...string) (*kafka.MetadataResponse, error) {
	return c.client.Metadata(deadline(), &kafka.MetadataRequest{Topics: topics})
}

func (c *segmentioClient) listed() (bool, error) {
	m, err := c.metadata()
	if err != nil {
		return false, err
	}
	for _, t := range m.Topics {
		if t.Name == c.topic {
			return true, nil
		}
	}
	return false, nil
}

func (c *segmentioClient) value(key string) (string, error) {
	res, err := c.client.DescribeConfigs(deadline(), &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: c.topic, ConfigNames: []string{key}}}})
	if err != nil {
		return "", err
	}
	if len(res.Resources[0].ConfigEntries) != 1 {
		return "", errors.New("no " + key)
	}
	e := res.Resources[0].ConfigEntries[0]
	return e.ConfigName + "=" + e.ConfigValue, res.Resources[0].Error
}

func segmentio(bootstrap, topic string) map[string]func() (string, error) {
	c := &segmentioClient{bootstrap: bootstrap, topic: topic, client: &kafka.Client{Addr: kafka.TCP(bootstrap), Timeout: patience, Transport: &kafka.Transport{MetadataTTL: 200 * time.Millisecond}}}
	return merged(c.write, c.read, map[string]func() (string, error){
		"connect": func() (string, error) {
			m, err := c.metadata()
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%d broker", len(m.Brokers)), nil
		},
		"describe-cluster": func() (string, error) {
			m, err := c.metadata()
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("brokers %d, controller %d", m.Brokers[0].ID, m.Controller.ID), nil
		},
		"create-topic": func() (string, error) {
			res, err := c.client.CreateTopics(deadline(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 5, ReplicationFactor: 1,
				ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "-1"}}}}})
			if err != nil {
				return "", err
			}
			return "created", res.Errors[topic]
		},
		"list-topics": func() (string, error) {
			ok, err := c.listed()
			if err == nil && !ok {
				return "not in the list", nil
			}
			return "in the list", err
		},
		"describe-topic": func() (string, error) {
			m, err := c.metadata(topic)
			if err != nil {
				return "", err
			}
			p := m.Topics[0].Partitions
			if len(p) == 0 {
				return "0 partitions", nil // the broker learns of the topic a moment later
			}
			return fmt.Sprintf("%d partitions, leader %d, replicas [%d], isr [%d]", len(p), p[0].Leader.ID, p[0].Replicas[0].ID, p[0].Isr[0].ID), nil
		},
		"describe-config": func() (string, error) { return c.value("retention.ms") },
		"alter-config": func() (string, error) {
			res, err := c.client.IncrementalAlterConfigs(deadline(), &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{
				{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: "max.message.bytes", Value: "500000"}}}}})
			if err != nil {
				return "", err
			}
			if err := res.Resources[0].Error; err != nil {
				return "", err
			}
			return c.value("max.message.bytes")
		},
		"timestamp": c.timestamp,
		"group":     c.group,
		"create-partitions": func() (string, error) {
			res, err := c.client.CreatePartitions(deadline(), &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: 6}}})
			if err != nil {
				return "", err
			}
			if err := res.Errors[topic]; err != nil {
				return "", err
			}
			m, err := c.fresh(func(m *kafka.MetadataResponse) bool { return len(m.Topics) == 1 && len(m.Topics[0].Partitions) == 6 }, topic)
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%d partitions", len(m.Topics[0].Partitions)), nil
		},
		"restart": c.restart,
		"delete-topic": func() (string, error) {
			res, err := c.client.DeleteTopics(deadline(), &kafka.DeleteTopicsRequest{Topics: []string{topic}})
			if err != nil {
				return "", err
			}
			if err := res.Errors[topic]; err != nil {
				return "", err
			}
			for ctx := deadline(); ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
				if there, err := c.listed(); err == nil && !there {
					return "gone", nil
				}
			}
			return "still there", nil
		},
	})
}

// fresh asks until the transport's cached metadata shows what it should.
func (c *segmentioClient) fresh(ok func(*kafka.MetadataResponse) bool, topics ...string) (*kafka.MetadataResponse, error) {
	for ctx := deadline(); ; time.Sleep(100 * time.Millisecond) {
		m, err := c.metadata(topics...)
		if err != nil || ok(m) || ctx.Err() != nil {
			return m, err
		}
	}
}
