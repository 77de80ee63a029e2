package broker_test

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/dohle-io/dohle/broker"
	"github.com/dohle-io/dohle/broker/peer"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/memnet"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is a combined node with a client of its own.
type node struct {
	t      *testing.T
	b      *broker.Broker
	client *peer.Client
}

// fileOf is the configuration of a combined node with listeners on free ports of 127.0.0.1, overridden by set.
func fileOf(t *testing.T, fsys vfs.FS, set map[string]string) *config.File {
	t.Helper()
	base := map[string]string{
		"process.roles": "broker,controller", "node.id": "1", "log.dirs": "/data",
		"listeners":                 "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
		"controller.listener.names": "CONTROLLER", "controller.quorum.bootstrap.servers": "127.0.0.1:0",
	}
	maps.Copy(base, config.DevProfile(1))
	maps.Copy(base, set)
	file, _, err := config.LoadFrom(config.Sources{Base: base, FS: fsys})
	require.NoError(t, err)
	return file
}

// start starts a node that formats empty directories.
func start(t *testing.T, n memnet.Net, fsys vfs.FS, set map[string]string) (*node, error) {
	return startWith(t, broker.Options{Config: fileOf(t, fsys, set), FS: fsys, Net: n, Seed: 1, FormatEmpty: true})
}

func startWith(t *testing.T, o broker.Options) (*node, error) {
	t.Helper()
	o.Log = zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	b, err := broker.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	net := o.Net
	if net == nil {
		net = memnet.OS
	}
	n := &node{t: t, b: b, client: peer.New(peer.Options{Net: net, Clock: clock.Machine, Log: zerolog.Nop(), ClientID: "test"})}
	t.Cleanup(func() { _ = n.stop() })
	return n, nil
}

// stop gives what the node failed of, if it did; the test's end calls it too.
func (n *node) stop() error {
	n.client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := n.b.Stop(ctx)
	if failed := n.b.Err(); failed != nil {
		err = failed
	}
	return err
}

func (n *node) ask(req kmsg.Request) (kmsg.Response, error) {
	ctx, cancel := context.WithTimeout(n.t.Context(), 10*time.Second)
	defer cancel()
	return n.client.Send(ctx, n.b.Ready().Bootstrap, req)
}

func (n *node) createTopic(name string, partitions int32, configs ...string) (protocol.UUID, error) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 5000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, 1
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		topic.Configs = append(topic.Configs, c)
	}
	req.Topics = append(req.Topics, topic)
	resp, err := n.ask(req)
	if err != nil {
		return protocol.UUID{}, err
	}
	got := resp.(*kmsg.CreateTopicsResponse).Topics[0]
	if err = kerr.ErrorForCode(got.ErrorCode); err != nil && got.ErrorMessage != nil {
		err = fmt.Errorf("%w: %s", err, *got.ErrorMessage)
	}
	return got.TopicID, err
}

func (n *node) initProducer() (int64, error) {
	req := kmsg.NewPtrInitProducerIDRequest()
	resp, err := n.ask(req)
	if err != nil {
		return -1, err
	}
	got := resp.(*kmsg.InitProducerIDResponse)
	return got.ProducerID, kerr.ErrorForCode(got.ErrorCode)
}

// produce appends values as one batch and returns the offset it was acknowledged at.
func (n *node) produce(topic string, id protocol.UUID, partition int32, acks int16, producerID int64, sequence int32, values []string) (int64, error) {
	o := record.NewOptions()
	o.ProducerID, o.ProducerEpoch, o.BaseSequence = producerID, 0, sequence
	w := record.NewBuilder(o)
	for _, v := range values {
		w.Add(time.Now().UnixMilli(), nil, []byte(v))
	}
	batch, err := w.Build()
	if err != nil {
		return -1, err
	}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = acks, 5000
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic, rt.TopicID = topic, id
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Partition, rp.Records = partition, batch
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := n.ask(req)
	if err != nil {
		return -1, err
	}
	got := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	return got.BaseOffset, kerr.ErrorForCode(got.ErrorCode)
}

func (n *node) topicIDs() map[string]protocol.UUID {
	n.t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = nil
	resp, err := n.ask(req)
	require.NoError(n.t, err)
	ids := map[string]protocol.UUID{}
	for _, topic := range resp.(*kmsg.MetadataResponse).Topics {
		ids[*topic.Topic] = topic.TopicID
	}
	return ids
}

// batchValues are the values of a batch's records.
func batchValues(t *testing.T, b record.Batch) (values []string) {
	t.Helper()
	for r, err := range b.Records(compress.NewCodecs(), 1<<20) {
		require.NoError(t, err)
		values = append(values, string(r.Value))
	}
	return values
}
