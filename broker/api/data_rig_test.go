package api

import (
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
	"github.com/dohle-io/dohle/storage"
)

// dataRig is the data path of broker 1 on a real store, fed with images made of records.
type dataRig struct {
	t      testing.TB
	h      *Handlers
	m      *replica.Manager
	store  *storage.Store
	codecs *compress.Codecs
	img    *metadata.Image
	conn   *server.ConnState
	other  *server.ConnState
}

func newDataRig(t testing.TB, fs vfs.FS, dir string, props map[string]string) *dataRig {
	all := map[string]string{"node.id": "1", "process.roles": "broker", "controller.listener.names": "CONTROLLER",
		"controller.quorum.bootstrap.servers": "localhost:1", "listeners": "PLAINTEXT://localhost:9092", "log.dirs": dir}
	for k, v := range props {
		all[k] = v
	}
	file, err := config.NewStatic(all)
	require.NoError(t, err)
	codecs := compress.NewCodecs()
	clocks := clock.System()
	require.NoError(t, fs.MkdirAll(dir))
	require.NoError(t, storage.WriteMetaProperties(fs, dir, storage.MetaProperties{ClusterID: "c", NodeID: 1, DirectoryID: protocol.UUID{9}}, clocks.Broker.Now()))
	store, err := storage.Open(storage.Options{FS: fs, Clocks: clocks, Log: zerolog.Nop(), Codecs: codecs, Dirs: []string{dir}, NodeID: 1,
		Rand: rand.New(rand.NewPCG(1, 2))})
	require.NoError(t, err)
	m := replica.NewManager(replica.Options{NodeID: 1, Store: store, Clocks: clocks, Log: zerolog.Nop(), Config: file})
	ids := &countingIDs{next: 1000}
	r := &dataRig{t: t, m: m, store: store, codecs: codecs, img: metadata.Empty(), conn: &server.ConnState{ID: 1}, other: &server.ConnState{ID: 2}}
	r.h = &Handlers{NodeID: 1, Data: NewData(m, ids, file, clocks, rand.New(rand.NewPCG(3, 4)), zerolog.Nop())}
	r.apply(brokerRecord(1), brokerRecord(2), brokerRecord(3))
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return r
}

type countingIDs struct{ next int64 }

func (c *countingIDs) Next(context.Context) (int64, error) { c.next++; return c.next - 1, nil }

func memRig(t testing.TB) *dataRig { return newDataRig(t, vfs.NewMem(), "/data", nil) }

func brokerRecord(id int32) metadata.Record {
	return &metadata.RegisterBrokerRecord{BrokerId: id, BrokerEpoch: int64(id) * 100, IncarnationId: protocol.UUID{1, byte(id)},
		EndPoints: []metadata.RegisterBrokerRecordBrokerEndpoint{{Name: "PLAINTEXT", Host: "host", Port: uint16(9000 + id)}}}
}

func (r *dataRig) apply(records ...metadata.Record) {
	r.t.Helper()
	delta := metadata.NewDelta(r.img)
	for _, rec := range records {
		require.NoError(r.t, delta.Replay(r.img.Offset+1, 1, rec))
	}
	r.img = delta.Apply()
	r.m.Apply(r.img, delta)
}

func topicID(name string) (id protocol.UUID) {
	copy(id[1:], name)
	id[0] = 7
	return id
}

// topic creates a topic whose partitions all have the given replicas, led by the first.
func (r *dataRig) topic(name string, partitions int32, replicas ...int32) protocol.UUID {
	r.t.Helper()
	if len(replicas) == 0 {
		replicas = []int32{1}
	}
	id := topicID(name)
	records := []metadata.Record{&metadata.TopicRecord{Name: name, TopicId: id}}
	for i := range partitions {
		records = append(records, &metadata.PartitionRecord{PartitionId: i, TopicId: id, Replicas: replicas, Isr: replicas,
			Leader: replicas[0], Directories: make([]protocol.UUID, len(replicas))})
	}
	r.apply(records...)
	return id
}

func (r *dataRig) config(topic, name, value string) {
	r.apply(&metadata.ConfigRecord{ResourceType: metadata.ConfigTopic, ResourceName: topic, Name: name, Value: &value})
}

func (r *dataRig) partition(topic string, i int32) *replica.Partition {
	r.t.Helper()
	p, err := r.m.Partition(protocol.TopicPartition{Topic: topic, Partition: i})
	require.NoError(r.t, err)
	return p
}

func (r *dataRig) ctx() *server.Ctx {
	client := "tester"
	return &server.Ctx{Header: protocol.RequestHeader{CorrelationID: 42, ClientID: &client}, Listener: "PLAINTEXT", Principal: server.Anonymous,
		Client: &net.TCPAddr{}, Conn: r.conn, Now: time.Now(), Context: context.Background()}
}

// batch makes one batch of records with the given values.
func batchOf(values ...string) []byte {
	return batchWith(record.NewOptions(), time.Now().UnixMilli(), values...)
}

func batchWith(o record.Options, timestamp int64, values ...string) []byte {
	w := record.NewBuilder(o)
	for _, v := range values {
		w.Add(timestamp, []byte("key"), []byte(v))
	}
	b, err := w.Build()
	if err != nil {
		panic(err)
	}
	return append([]byte(nil), b...)
}

func idempotent(id int64, epoch int16, seq int32) record.Options {
	o := record.NewOptions()
	o.ProducerID, o.ProducerEpoch, o.BaseSequence = id, epoch, seq
	return o
}

// produceRequest asks to append to partitions of one topic; version 13 goes by id.
func produceRequest(version, acks int16, topic string, records map[int32][]byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = version, acks, 1000
	t := kmsg.NewProduceRequestTopic()
	if version >= 13 {
		t.TopicID = topicID(topic)
	} else {
		t.Topic = topic
	}
	for i := int32(0); len(t.Partitions) < len(records); i++ {
		if b, ok := records[i]; ok {
			p := kmsg.NewProduceRequestTopicPartition()
			p.Partition, p.Records = i, b
			t.Partitions = append(t.Partitions, p)
		}
	}
	req.Topics = append(req.Topics, t)
	return req
}

// produce appends to one partition and returns its answer.
func (r *dataRig) produce(version, acks int16, topic string, index int32, records []byte) kmsg.ProduceResponseTopicPartition {
	r.t.Helper()
	c := r.ctx()
	c.Conn = r.other // a fetch may be waiting on the first connection
	return r.produced(r.h.produce(c, produceRequest(version, acks, topic, map[int32][]byte{index: records})))
}

func (r *dataRig) produced(answer server.Answer) kmsg.ProduceResponseTopicPartition {
	r.t.Helper()
	resp, ok := answer.Resolve(context.Background()).Response().(*kmsg.ProduceResponse)
	require.True(r.t, ok)
	require.Len(r.t, resp.Topics, 1)
	require.Len(r.t, resp.Topics[0].Partitions, 1)
	return resp.Topics[0].Partitions[0]
}

func (r *dataRig) mustProduce(topic string, index int32, values ...string) int64 {
	r.t.Helper()
	out := r.produce(12, -1, topic, index, batchOf(values...))
	require.Zero(r.t, out.ErrorCode)
	return out.BaseOffset
}

// ask is one partition of a fetch.
type fetchAsk struct {
	topic  string
	index  int32
	offset int64
	max    int32 // 0 = 1 MiB
}

func fetchRequest(version int16, asks ...fetchAsk) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.MinBytes = version, 10<<20, 1
	for _, a := range asks {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes = a.index, a.offset, a.max
		if a.max == 0 {
			p.PartitionMaxBytes = 1 << 20
		}
		n := len(req.Topics)
		if n > 0 && (req.Topics[n-1].Topic == a.topic || req.Topics[n-1].TopicID == topicID(a.topic)) {
			req.Topics[n-1].Partitions = append(req.Topics[n-1].Partitions, p)
			continue
		}
		t := kmsg.NewFetchRequestTopic()
		if version >= 13 {
			t.TopicID = topicID(a.topic)
		} else {
			t.Topic = a.topic
		}
		t.Partitions = append(t.Partitions, p)
		req.Topics = append(req.Topics, t)
	}
	return req
}

func (r *dataRig) fetch(req *kmsg.FetchRequest) *kmsg.FetchResponse {
	r.t.Helper()
	return r.fetchAs(r.ctx(), req)
}

// fetchAs fetches, and puts the spliced answer together as a client would read it.
func (r *dataRig) fetchAs(c *server.Ctx, req *kmsg.FetchRequest) *kmsg.FetchResponse {
	r.t.Helper()
	return decodeFetch(r.t, r.h.fetch(c, req), req)
}

func decodeFetch(t testing.TB, answer server.Answer, req *kmsg.FetchRequest) *kmsg.FetchResponse {
	t.Helper()
	if resp, ok := answer.Response().(*kmsg.FetchResponse); ok {
		return resp
	}
	head, cuts, bodies := answer.Splice()
	require.Len(t, bodies, len(cuts))
	var frame []byte
	at := 0
	for i, cut := range cuts {
		frame = append(frame, head[at:cut]...)
		at = cut
		if b := bodies[i]; b != nil {
			buf := make([]byte, b.Len())
			n, err := b.ReadAt(buf, 0)
			if err != io.EOF {
				require.NoError(t, err)
			}
			require.Equal(t, len(buf), n)
			frame = append(frame, buf...)
			b.Release()
		}
	}
	frame = append(frame, head[at:]...)
	require.Equal(t, len(frame)-4, int(binary.BigEndian.Uint32(frame)))
	id, resp, err := protocol.DecodeResponse(req, frame[4:])
	require.NoError(t, err)
	require.EqualValues(t, 42, id)
	return resp.(*kmsg.FetchResponse)
}

// values are the records of one fetched partition.
func (r *dataRig) values(p kmsg.FetchResponseTopicPartition) (values []string) {
	r.t.Helper()
	rest := p.RecordBatches
	for len(rest) > 0 {
		b, after, err := record.Next(rest)
		require.NoError(r.t, err)
		require.True(r.t, b.VerifyCRC())
		for rec, err := range b.Records(r.codecs, 1<<20) {
			require.NoError(r.t, err)
			values = append(values, string(rec.Value))
		}
		rest = after
	}
	return values
}
