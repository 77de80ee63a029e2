// Confluent runs the steps with confluent-kafka-go, which needs cgo: confluent --steps LIST BOOTSTRAP TOPIC.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/dohle-io/dohle/compat-tests/clients/go/steps"
)

const patience = 40 * time.Second

type client struct {
	bootstrap, topic string
	admin            *kafka.AdminClient
	written          int
}

func deadline() context.Context {
	ctx, _ := context.WithTimeout(context.Background(), patience) //nolint:govet // the process ends before
	return ctx
}

func (c *client) producer(codec string) (*kafka.Producer, error) {
	return kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": c.bootstrap, "compression.type": codec, "enable.idempotence": true})
}

func (c *client) send(p *kafka.Producer, codec string, partition, from, n int) (string, error) {
	done := make(chan kafka.Event, n)
	for i := from; i < from+n; i++ {
		err := p.Produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &c.topic, Partition: int32(partition)}, Key: steps.Key(i), Value: steps.Value(codec, i),
			Timestamp: steps.Time(i), Headers: []kafka.Header{{Key: "codec", Value: []byte(codec)}}}, done)
		if err != nil {
			return "", err
		}
	}
	var first, last kafka.Offset
	for i := range n {
		m := (<-done).(*kafka.Message)
		if m.TopicPartition.Error != nil {
			return "", m.TopicPartition.Error
		}
		if last = m.TopicPartition.Offset; i == 0 {
			first = last
		}
	}
	c.written += n
	return fmt.Sprintf("%d records at %d..%d", n, first, last), nil
}

func (c *client) write(codec string, partition int) (string, error) {
	p, err := c.producer(codec)
	if err != nil {
		return "", err
	}
	defer p.Close()
	return c.send(p, codec, partition, 0, steps.Records)
}

func (c *client) consumer(group, protocol string) (*kafka.Consumer, error) {
	return kafka.NewConsumer(&kafka.ConfigMap{"bootstrap.servers": c.bootstrap, "group.id": group, "group.protocol": protocol,
		"enable.auto.commit": false, "auto.offset.reset": "earliest"})
}

func (c *client) at(partition int, offset kafka.Offset) (*kafka.Consumer, error) {
	k, err := c.consumer("none", "classic")
	if err != nil {
		return nil, err
	}
	return k, k.Assign([]kafka.TopicPartition{{Topic: &c.topic, Partition: int32(partition), Offset: offset}})
}

func (c *client) read(partition int) (string, error) {
	k, err := c.at(partition, kafka.OffsetBeginning)
	if err != nil {
		return "", err
	}
	defer k.Close()
	d := steps.NewDigest()
	for d.Len() < steps.Records {
		m, err := k.ReadMessage(patience)
		if err != nil {
			return "", err
		}
		d.Add(int64(m.TopicPartition.Offset), m.Key, m.Value, m.Headers[0].Key, m.Headers[0].Value)
	}
	return d.String(), nil
}

func (c *client) timestamp() (string, error) {
	k, err := c.consumer("none", "classic")
	if err != nil {
		return "", err
	}
	defer k.Close()
	found, err := k.OffsetsForTimes([]kafka.TopicPartition{{Topic: &c.topic, Offset: kafka.Offset(steps.Time(10).UnixMilli())}}, 30000)
	if err != nil {
		return "", err
	}
	if err := k.Assign(found); err != nil {
		return "", err
	}
	m, err := k.ReadMessage(patience)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("offset %d, key %s", m.TopicPartition.Offset, m.Key), nil
}

func (c *client) group(name, protocol string) (string, error) {
	k, err := c.consumer(c.topic+"-"+name, protocol)
	if err != nil {
		return "", err
	}
	if err := k.Subscribe(c.topic, nil); err != nil {
		return "", err
	}
	commit := map[int32]kafka.TopicPartition{}
	for range c.written {
		m, err := k.ReadMessage(patience)
		if err != nil {
			return "", err
		}
		commit[m.TopicPartition.Partition] = kafka.TopicPartition{Topic: &c.topic, Partition: m.TopicPartition.Partition, Offset: m.TopicPartition.Offset + 1}
	}
	commit[0] = kafka.TopicPartition{Topic: &c.topic, Offset: steps.CommitAt}
	var list []kafka.TopicPartition
	for _, p := range commit {
		list = append(list, p)
	}
	if _, err := k.CommitOffsets(list); err != nil {
		return "", err
	}
	if err := k.Close(); err != nil {
		return "", err
	}
	if k, err = c.consumer(c.topic+"-"+name, protocol); err != nil {
		return "", err
	}
	defer k.Close()
	if err := k.Subscribe(c.topic, nil); err != nil {
		return "", err
	}
	var got []steps.Place
	for wait := patience; ; {
		m, err := k.ReadMessage(wait)
		if err != nil {
			return steps.Resumed(got), nil
		}
		if got = append(got, steps.Place{Partition: m.TopicPartition.Partition, Offset: int64(m.TopicPartition.Offset)}); len(got) >= steps.Records-steps.CommitAt {
			wait = time.Second
		}
	}
}

func (c *client) restart() (string, error) {
	p, err := c.producer("none")
	if err != nil {
		return "", err
	}
	defer p.Close()
	k, err := c.at(0, steps.Records-1)
	if err != nil {
		return "", err
	}
	defer k.Close()
	if _, err := k.ReadMessage(patience); err != nil {
		return "", err
	}
	if _, err := p.GetMetadata(&c.topic, false, 30000); err != nil {
		return "", err
	}
	if err := steps.Restart(); err != nil {
		return "", err
	}
	if _, err := c.send(p, "none", 0, steps.Records, 5); err != nil {
		return "", err
	}
	var got []kafka.Offset
	for ctx := deadline(); len(got) < 5; {
		m, err := k.ReadMessage(time.Second)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err == nil {
			got = append(got, m.TopicPartition.Offset)
		}
	}
	return fmt.Sprintf("%d records written, read at %d..%d", len(got), got[0], got[len(got)-1]), nil
}

func (c *client) value(key string) (string, error) {
	res, err := c.admin.DescribeConfigs(deadline(), []kafka.ConfigResource{{Type: kafka.ResourceTopic, Name: c.topic}})
	if err != nil {
		return "", err
	}
	if res[0].Error.Code() != kafka.ErrNoError {
		return "", res[0].Error
	}
	return key + "=" + res[0].Config[key].Value, nil
}

func (c *client) describe() (*kafka.TopicDescription, error) {
	res, err := c.admin.DescribeTopics(deadline(), kafka.NewTopicCollectionOfTopicNames([]string{c.topic}))
	if err != nil {
		return nil, err
	}
	return &res.TopicDescriptions[0], nil
}

func topicError(list []kafka.TopicResult, err error) error {
	if err == nil && list[0].Error.Code() != kafka.ErrNoError {
		err = list[0].Error
	}
	return err
}

func main() {
	list, bootstrap, topic := steps.Args(os.Args[1:])
	steps.AsMember(list, func(m *steps.Member) error { return member(bootstrap, topic, m) })
	admin, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": bootstrap})
	if err != nil {
		panic(err)
	}
	c := &client{bootstrap: bootstrap, topic: topic, admin: admin}
	do := map[string]func() (string, error){
		"connect": func() (string, error) {
			m, err := admin.GetMetadata(nil, true, 30000)
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%d broker", len(m.Brokers)), nil
		},
		"describe-cluster": func() (string, error) {
			d, err := admin.DescribeCluster(deadline())
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("brokers %d, controller %d", d.Nodes[0].ID, d.Controller.ID), nil
		},
		"create-topic": func() (string, error) {
			return "created", topicError(admin.CreateTopics(deadline(), []kafka.TopicSpecification{{Topic: topic, NumPartitions: 5, ReplicationFactor: 1, Config: map[string]string{"retention.ms": "-1"}}}))
		},
		"list-topics": func() (string, error) {
			m, err := admin.GetMetadata(nil, true, 30000)
			if err != nil {
				return "", err
			}
			if _, ok := m.Topics[topic]; !ok {
				return "not in the list", nil
			}
			return "in the list", nil
		},
		"describe-topic": func() (string, error) {
			d, err := c.describe()
			if err != nil {
				return "", err
			}
			p := d.Partitions
			if len(p) == 0 {
				return "0 partitions", nil // the broker learns of the topic a moment later
			}
			return fmt.Sprintf("%d partitions, leader %d, replicas [%d], isr [%d]", len(p), p[0].Leader.ID, p[0].Replicas[0].ID, p[0].Isr[0].ID), nil
		},
		"describe-config": func() (string, error) { return c.value("retention.ms") },
		"alter-config": func() (string, error) {
			res, err := admin.IncrementalAlterConfigs(deadline(), []kafka.ConfigResource{{Type: kafka.ResourceTopic, Name: topic,
				Config: []kafka.ConfigEntry{{Name: "max.message.bytes", Value: "500000", IncrementalOperation: kafka.AlterConfigOpTypeSet}}}})
			if err != nil {
				return "", err
			}
			if res[0].Error.Code() != kafka.ErrNoError {
				return "", res[0].Error
			}
			return c.value("max.message.bytes")
		},
		"timestamp":      c.timestamp,
		"group":          func() (string, error) { return c.group("group", "classic") },
		"group-consumer": func() (string, error) { return c.group("group-consumer", "consumer") },
		"delete-records": func() (string, error) {
			res, err := admin.DeleteRecords(deadline(), []kafka.TopicPartition{{Topic: &topic, Partition: 0, Offset: 5}})
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("partition 0 starts at %d", res.DeleteRecordsResults[0].DeletedRecords.LowWatermark), res.DeleteRecordsResults[0].TopicPartition.Error
		},
		"create-partitions": func() (string, error) {
			if err := topicError(admin.CreatePartitions(deadline(), []kafka.PartitionsSpecification{{Topic: topic, IncreaseTo: 6}})); err != nil {
				return "", err
			}
			d, err := c.describe()
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%d partitions", len(d.Partitions)), nil
		},
		"restart": c.restart,
		"delete-topic": func() (string, error) {
			if err := topicError(admin.DeleteTopics(deadline(), []string{topic})); err != nil {
				return "", err
			}
			m, err := admin.GetMetadata(nil, true, 30000)
			if err != nil {
				return "", err
			}
			if _, ok := m.Topics[topic]; ok {
				return "still there", nil
			}
			return "gone", nil
		},
	}
	for i, name := range steps.Codecs {
		do["produce-"+name] = func() (string, error) { return c.write(name, i) }
		do["consume-"+name] = func() (string, error) { return c.read(i) }
	}
	steps.Run(list, do)
}
