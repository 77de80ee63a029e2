package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/dohle-io/dohle/compat-tests/clients/go/steps"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
)

const sessionTimeout = 6 * time.Second

func franzMember(bootstrap, topic string, m *steps.Member) error {
	opts := []kgo.Opt{kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(m.ID), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { m.Has(p[topic], nil) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { m.Has(nil, p[topic]) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { m.Has(nil, p[topic]) })}
	if m.Consumer {
		opts = append(opts, kgo.ServerSideBalancer())
	} else {
		opts = append(opts, kgo.SessionTimeout(sessionTimeout), kgo.HeartbeatInterval(sessionTimeout/3))
	}
	c, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	for m.Open.Err() == nil {
		f := c.PollFetches(m.Open)
		f.EachError(func(_ string, _ int32, err error) { m.Met(err) })
		n := 0
		f.EachRecord(func(r *kgo.Record) { n++; m.Read(r.Value) })
		if n > 0 {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			if err := c.CommitUncommittedOffsets(ctx); err != nil {
				m.Met(err)
			}
			cancel()
		}
		c.AllowRebalance()
	}
	c.CloseAllowingRebalance()
	return nil
}

// claims are Sarama's sessions: each begins with all partitions and ends with none.
type claims struct {
	*steps.Member
	topic  string
	commit sync.Mutex
}

func (c *claims) Setup(s sarama.ConsumerGroupSession) error {
	c.HasOnly(s.Claims()[c.topic])
	return nil
}

func (c *claims) Cleanup(sarama.ConsumerGroupSession) error {
	c.HasOnly(nil)
	return nil
}

func (c *claims) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case <-s.Context().Done():
			return nil
		case r, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			c.Read(r.Value)
			s.MarkMessage(r, "")
			c.commit.Lock()
			s.Commit()
			c.commit.Unlock()
		}
	}
}

func saramaMember(bootstrap, topic string, m *steps.Member) error {
	k := (&saramaClient{}).config()
	k.Consumer.Group.Session.Timeout, k.Consumer.Group.Heartbeat.Interval = sessionTimeout, sessionTimeout/3
	g, err := sarama.NewConsumerGroup([]string{bootstrap}, m.ID, k)
	if err != nil {
		return err
	}
	for handler := (&claims{Member: m, topic: topic}); m.Open.Err() == nil; {
		if err := g.Consume(m.Open, []string{topic}, handler); err != nil && m.Open.Err() == nil {
			m.Met(err)
			time.Sleep(100 * time.Millisecond) // the broker is away
		}
	}
	return g.Close()
}

// segmentioMember uses ConsumerGroup: a Reader does not say which partitions it has.
func segmentioMember(bootstrap, topic string, m *steps.Member) error {
	g, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{ID: m.ID, Brokers: []string{bootstrap}, Topics: []string{topic}, StartOffset: kafka.FirstOffset,
		SessionTimeout: sessionTimeout, HeartbeatInterval: sessionTimeout / 3, JoinGroupBackoff: time.Second})
	if err != nil {
		return err
	}
	for m.Open.Err() == nil {
		generation, err := g.Next(m.Open)
		if err != nil {
			if m.Open.Err() == nil {
				m.Met(err)
			}
			continue
		}
		var has []int32
		for _, p := range generation.Assignments[topic] {
			has = append(has, int32(p.ID))
		}
		m.HasOnly(has)
		for _, p := range generation.Assignments[topic] {
			generation.Start(func(ctx context.Context) { segmentioPartition(ctx, bootstrap, topic, m, generation, p) })
		}
	}
	return g.Close()
}

func segmentioPartition(ctx context.Context, bootstrap, topic string, m *steps.Member, generation *kafka.Generation, p kafka.PartitionAssignment) {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{bootstrap}, Topic: topic, Partition: p.ID, MaxWait: 500 * time.Millisecond})
	defer r.Close()
	if err := r.SetOffset(p.Offset); err != nil {
		m.Met(err)
		return
	}
	for {
		record, err := r.FetchMessage(ctx)
		switch {
		case errors.Is(err, kafka.ErrGenerationEnded), ctx.Err() != nil:
			return
		case err != nil:
			m.Met(err) // what it met while the broker was away; it goes on
			continue
		}
		m.Read(record.Value)
		if err := generation.CommitOffsets(map[string]map[int]int64{topic: {p.ID: record.Offset + 1}}); err != nil {
			m.Met(err)
		}
	}
}
