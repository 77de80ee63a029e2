package main

import (
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/dohle-io/dohle/compat-tests/clients/go/steps"
)

func numbers(list []kafka.TopicPartition) (p []int32) {
	for _, tp := range list {
		p = append(p, tp.Partition)
	}
	return p
}

func member(bootstrap, topic string, m *steps.Member) error {
	config := kafka.ConfigMap{"bootstrap.servers": bootstrap, "group.id": m.ID, "group.protocol": "consumer",
		"enable.auto.commit": false, "auto.offset.reset": "earliest"}
	if !m.Consumer {
		config["group.protocol"], config["session.timeout.ms"], config["heartbeat.interval.ms"] = "classic", 6000, 2000
	}
	k, err := kafka.NewConsumer(&config)
	if err != nil {
		return err
	}
	err = k.Subscribe(topic, func(_ *kafka.Consumer, e kafka.Event) error {
		switch e := e.(type) {
		case kafka.AssignedPartitions:
			m.Has(numbers(e.Partitions), nil)
		case kafka.RevokedPartitions:
			m.Has(nil, numbers(e.Partitions))
		}
		return nil // the client itself assigns what it was told, in either protocol
	})
	if err != nil {
		return err
	}
	for m.Open.Err() == nil {
		switch e := k.Poll(200).(type) {
		case *kafka.Message:
			if e.TopicPartition.Error != nil {
				m.Met(e.TopicPartition.Error)
				continue
			}
			m.Read(e.Value)
			if _, err := k.CommitMessage(e); err != nil {
				m.Met(err)
			}
		case kafka.Error:
			m.Met(e)
		}
	}
	return k.Close()
}
