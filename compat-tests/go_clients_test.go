package compat

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
)

// franz-go, whose producer is idempotent by default.
func TestFranzGoRoundTrip(t *testing.T) {
	n := startDev(t)
	_, text := corpus(t)
	for _, codec := range codecs {
		t.Run(codec, func(t *testing.T) {
			topic := "franz-" + codec
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			choice := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
				"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}[codec]
			producer, err := kgo.NewClient(kgo.SeedBrokers(n.bootstrap), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(-1), kgo.ProducerBatchCompression(choice))
			must(t, err)
			defer producer.Close()
			failed := make(chan error, 1)
			for line := range bytes.Lines(text) {
				producer.Produce(ctx, &kgo.Record{Topic: topic, Value: bytes.TrimSuffix(line, []byte("\n"))}, func(_ *kgo.Record, err error) {
					if err != nil {
						select {
						case failed <- err:
						default:
						}
					}
				})
			}
			must(t, producer.Flush(ctx))
			select {
			case err := <-failed:
				t.Fatal(err)
			default:
			}
			consumer, err := kgo.NewClient(kgo.SeedBrokers(n.bootstrap), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			must(t, err)
			defer consumer.Close()
			var got bytes.Buffer
			for got.Len() < len(text) {
				fetches := consumer.PollFetches(ctx)
				must(t, fetches.Err())
				fetches.EachRecord(func(r *kgo.Record) {
					got.Write(r.Value)
					got.WriteByte('\n')
				})
			}
			same(t, text, got.String())
		})
	}
}

// Sarama, whose defaults ask for old versions and write partition leader epoch 0.
func TestSaramaRoundTrip(t *testing.T) {
	n := startDev(t)
	_, text := corpus(t)
	for _, codec := range codecs {
		t.Run(codec, func(t *testing.T) {
			topic := "sarama-" + codec
			c := sarama.NewConfig()
			c.Producer.Return.Successes = true
			c.Producer.Idempotent, c.Producer.RequiredAcks, c.Net.MaxOpenRequests = true, sarama.WaitForAll, 1
			must(t, c.Producer.Compression.UnmarshalText([]byte(codec)))
			c.Producer.Partitioner = sarama.NewManualPartitioner
			c.Metadata.Retry.Max, c.Producer.Retry.Max = 100, 100 // of a quarter second: the topic is created by the first question
			producer, err := sarama.NewAsyncProducer([]string{n.bootstrap}, c)
			must(t, err)
			lines := strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
			go func() {
				for _, line := range lines {
					producer.Input() <- &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(strings.TrimSuffix(line, "\n"))}
				}
			}()
			for range lines {
				select {
				case <-producer.Successes():
				case err := <-producer.Errors():
					t.Fatal(err)
				}
			}
			must(t, producer.Close())
			consumer, err := sarama.NewConsumer([]string{n.bootstrap}, c)
			must(t, err)
			defer consumer.Close()
			p, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
			must(t, err)
			defer p.Close()
			var got bytes.Buffer
			for deadline := time.After(patience); got.Len() < len(text); {
				select {
				case m := <-p.Messages():
					got.Write(m.Value)
					got.WriteByte('\n')
				case <-deadline:
					t.Fatalf("read %d of %d bytes within %v", got.Len(), len(text), patience)
				}
			}
			same(t, text, got.String())
		})
	}
}
