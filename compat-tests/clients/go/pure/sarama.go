package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/dohle-io/dohle/compat-tests/clients/go/steps"
)

var patience = 40 * time.Second

type saramaClient struct {
	bootstrap, topic string
	admin            sarama.ClusterAdmin
	written          int
}

func (c *saramaClient) config() *sarama.Config {
	k := sarama.NewConfig()
	k.Producer.Return.Successes = true
	k.Producer.Partitioner = sarama.NewManualPartitioner
	k.Producer.Retry.Max = 50
	k.Consumer.Offsets.Initial = sarama.OffsetOldest
	k.Consumer.Offsets.AutoCommit.Enable = false
	return k
}

func (c *saramaClient) messages(codec string, partition, from, n int) (list []*sarama.ProducerMessage) {
	for i := from; i < from+n; i++ {
		list = append(list, &sarama.ProducerMessage{Topic: c.topic, Partition: int32(partition), Key: sarama.ByteEncoder(steps.Key(i)),
			Value: sarama.ByteEncoder(steps.Value(codec, i)), Timestamp: steps.Time(i),
			Headers: []sarama.RecordHeader{{Key: []byte("codec"), Value: []byte(codec)}}})
	}
	return list
}

func (c *saramaClient) write(codec string, partition int) (string, error) {
	k := c.config()
	if err := k.Producer.Compression.UnmarshalText([]byte(codec)); err != nil {
		return "", err
	}
	p, err := sarama.NewSyncProducer([]string{c.bootstrap}, k)
	if err != nil {
		return "", err
	}
	defer p.Close()
	list := c.messages(codec, partition, 0, steps.Records)
	if err := p.SendMessages(list); err != nil {
		return "", err
	}
	c.written += len(list)
	return fmt.Sprintf("%d records at %d..%d", len(list), list[0].Offset, list[len(list)-1].Offset), nil
}

func next(p sarama.PartitionConsumer) (*sarama.ConsumerMessage, error) {
	select {
	case m := <-p.Messages():
		return m, nil
	case <-time.After(patience):
		return nil, errors.New("no message in time")
	}
}

func (c *saramaClient) read(partition int) (string, error) {
	consumer, err := sarama.NewConsumer([]string{c.bootstrap}, c.config())
	if err != nil {
		return "", err
	}
	defer consumer.Close()
	p, err := consumer.ConsumePartition(c.topic, int32(partition), sarama.OffsetOldest)
	if err != nil {
		return "", err
	}
	defer p.Close()
	d := steps.NewDigest()
	for d.Len() < steps.Records {
		m, err := next(p)
		if err != nil {
			return "", err
		}
		d.Add(m.Offset, m.Key, m.Value, string(m.Headers[0].Key), m.Headers[0].Value)
	}
	return d.String(), nil
}

func (c *saramaClient) timestamp() (string, error) {
	client, err := sarama.NewClient([]string{c.bootstrap}, c.config())
	if err != nil {
		return "", err
	}
	offset, err := client.GetOffset(c.topic, 0, steps.Time(10).UnixMilli())
	if err != nil {
		return "", err
	}
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return "", err
	}
	p, err := consumer.ConsumePartition(c.topic, 0, offset)
	if err != nil {
		return "", err
	}
	defer client.Close()
	defer p.Close()
	m, err := next(p)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("offset %d, key %s", m.Offset, m.Key), nil
}

// member takes want messages, then waits a second for more; end is called with the session before it ends.
type member struct {
	mu   sync.Mutex
	want int
	got  []*sarama.ConsumerMessage
	full func()
	end  func(sarama.ConsumerGroupSession)
}

func (*member) Setup(sarama.ConsumerGroupSession) error { return nil }
func (m *member) Cleanup(s sarama.ConsumerGroupSession) error {
	m.end(s)
	return nil
}

func (m *member) ConsumeClaim(_ sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		m.mu.Lock()
		m.got = append(m.got, message)
		if len(m.got) == m.want {
			time.AfterFunc(time.Second, m.full)
		}
		m.mu.Unlock()
	}
	return nil
}

func (c *saramaClient) consume(want int, end func(sarama.ConsumerGroupSession)) (*member, error) {
	g, err := sarama.NewConsumerGroup([]string{c.bootstrap}, c.topic+"-group", c.config())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m := &member{want: want, full: cancel, end: end}
	for ctx.Err() == nil {
		if err := g.Consume(ctx, []string{c.topic}, m); err != nil && ctx.Err() == nil {
			return nil, err
		}
	}
	return m, g.Close()
}

func (c *saramaClient) group() (string, error) {
	m, err := c.consume(c.written, func(s sarama.ConsumerGroupSession) {
		for p := range int32(5) {
			s.MarkOffset(c.topic, p, steps.Records, "")
		}
		s.ResetOffset(c.topic, 0, steps.CommitAt, "")
		s.Commit()
	})
	if err != nil {
		return "", err
	}
	if len(m.got) != c.written {
		return fmt.Sprintf("read %d of %d", len(m.got), c.written), nil
	}
	m, err = c.consume(steps.Records-steps.CommitAt, func(sarama.ConsumerGroupSession) {})
	if err != nil {
		return "", err
	}
	var got []steps.Place
	for _, r := range m.got {
		got = append(got, steps.Place{Partition: r.Partition, Offset: r.Offset})
	}
	return steps.Resumed(got), nil
}

func (c *saramaClient) restart() (string, error) {
	producer, err := sarama.NewSyncProducer([]string{c.bootstrap}, c.config())
	if err != nil {
		return "", err
	}
	defer producer.Close()
	consumer, err := sarama.NewConsumer([]string{c.bootstrap}, c.config())
	if err != nil {
		return "", err
	}
	defer consumer.Close()
	p, err := consumer.ConsumePartition(c.topic, 0, steps.Records-1)
	if err != nil {
		return "", err
	}
	defer p.Close()
	if _, err := next(p); err != nil {
		return "", err
	}
	if err := steps.Restart(); err != nil {
		return "", err
	}
	if err := producer.SendMessages(c.messages("none", 0, steps.Records, 5)); err != nil {
		return "", err
	}
	var got []int64
	for len(got) < 5 {
		m, err := next(p)
		if err != nil {
			return "", err
		}
		got = append(got, m.Offset)
	}
	return fmt.Sprintf("%d records written, read at %d..%d", len(got), got[0], got[len(got)-1]), nil
}

func saramaSteps(bootstrap, topic string) map[string]func() (string, error) {
	c := &saramaClient{bootstrap: bootstrap, topic: topic}
	value := func(key string) (string, error) {
		list, err := c.admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{key}})
		if err != nil || len(list) == 0 {
			return "", errors.Join(err, errors.New("no "+key))
		}
		return list[0].Name + "=" + list[0].Value, nil
	}
	partitions := func() ([]*sarama.PartitionMetadata, error) {
		list, err := c.admin.DescribeTopics([]string{topic})
		if err != nil {
			return nil, err
		}
		return list[0].Partitions, nil
	}
	return merged(c.write, c.read, map[string]func() (string, error){
		"connect": func() (string, error) {
			var err error
			if c.admin, err = sarama.NewClusterAdmin([]string{bootstrap}, c.config()); err != nil {
				return "", err
			}
			brokers, _, err := c.admin.DescribeCluster()
			return fmt.Sprintf("%d broker", len(brokers)), err
		},
		"describe-cluster": func() (string, error) {
			brokers, controller, err := c.admin.DescribeCluster()
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("brokers %d, controller %d", brokers[0].ID(), controller), nil
		},
		"create-topic": func() (string, error) {
			never := "-1"
			return "created", c.admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 5, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &never}}, false)
		},
		"list-topics": func() (string, error) {
			l, err := c.admin.ListTopics()
			if _, ok := l[topic]; err == nil && !ok {
				return "not in the list", nil
			}
			return "in the list", err
		},
		"describe-topic": func() (string, error) {
			p, err := partitions()
			if err != nil {
				return "", err
			}
			if len(p) == 0 {
				return "0 partitions", nil // the broker learns of the topic a moment later
			}
			return fmt.Sprintf("%d partitions, leader %d, replicas %v, isr %v", len(p), p[0].Leader, p[0].Replicas, p[0].Isr), nil
		},
		"describe-config": func() (string, error) { return value("retention.ms") },
		"alter-config": func() (string, error) {
			v := "500000"
			err := c.admin.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
				"max.message.bytes": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &v}}, false)
			if err != nil {
				return "", err
			}
			return value("max.message.bytes")
		},
		"timestamp": c.timestamp,
		"group":     c.group,
		"delete-records": func() (string, error) {
			if err := c.admin.DeleteRecords(topic, map[int32]int64{0: 5}); err != nil {
				return "", err
			}
			client, err := sarama.NewClient([]string{bootstrap}, c.config())
			if err != nil {
				return "", err
			}
			defer client.Close()
			first, err := client.GetOffset(topic, 0, sarama.OffsetOldest)
			return fmt.Sprintf("partition 0 starts at %d", first), err
		},
		"create-partitions": func() (string, error) {
			if err := c.admin.CreatePartitions(topic, 6, nil, false); err != nil {
				return "", err
			}
			p, err := partitions()
			return fmt.Sprintf("%d partitions", len(p)), err
		},
		"restart": c.restart,
		"delete-topic": func() (string, error) {
			if err := c.admin.DeleteTopic(topic); err != nil {
				return "", err
			}
			l, err := c.admin.ListTopics()
			if _, ok := l[topic]; ok {
				return "still there", err
			}
			return "gone", err
		},
	})
}
