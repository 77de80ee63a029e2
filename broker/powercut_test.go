package broker_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/dump"
	"github.com/dohle-io/dohle/internal/memnet"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/record"
)

// TestAnyMomentMayBeTheLast runs a node through a fixed story and ends it after the n-th change of its disks: once as
// a kill, which leaves everything written, once as a power cut, which leaves what was synced and a random part of the
// rest, and once as a power cut with another during the recovery from the first. A node started on what is left must
// have kept every promise that was made to the client.
//
// By default a sample of n is tried. DOHLE_SWEEP=all tries every n, DOHLE_SWEEP=120,121 these, DOHLE_SEED=s draws
// otherwise. A failure names both.
func TestAnyMomentMayBeTheLast(t *testing.T) {
	seed := uint64(1)
	if s := os.Getenv("DOHLE_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	var total int
	synctest.Test(t, func(t *testing.T) {
		run := newStory(t, 1<<30)
		run.tell()
		require.NoError(t, run.err)
		total = run.fault.Count()
		run.checkSnapshotWritten()
	})
	var moments []int
	switch sweep := os.Getenv("DOHLE_SWEEP"); sweep {
	case "all":
		for n := range total + 1 {
			moments = append(moments, n)
		}
	case "":
		want := 60
		if testing.Short() {
			want = 15
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		for i := range want { // one out of each stretch
			from, to := i*total/want, (i+1)*total/want
			moments = append(moments, from+rng.IntN(max(1, to-from)))
		}
	default:
		for _, n := range strings.Split(sweep, ",") {
			at, err := strconv.Atoi(n)
			require.NoError(t, err)
			moments = append(moments, at)
		}
	}
	t.Logf("%d changes of the disks, %d moments, DOHLE_SEED=%d", total, len(moments), seed)
	for _, n := range moments {
		for _, end := range []ending{killed, powerCut, powerCutTwice} {
			t.Run(fmt.Sprintf("after=%d/%s", n, end), func(t *testing.T) {
				defer func() {
					if t.Failed() {
						t.Logf("again: DOHLE_SEED=%d DOHLE_SWEEP=%d", seed, n)
					}
				}()
				synctest.Test(t, func(t *testing.T) {
					rng := rand.New(rand.NewPCG(seed, uint64(n)))
					run := newStory(t, n)
					run.tell()
					left := run.mem.Clone()
					if end != killed {
						left = run.mem.CrashClone(rng)
					}
					if end == powerCutTwice {
						left = run.interrupt(left, rng)
					}
					run.verify(left, end)
				})
			})
		}
	}
}

// ending is how a story ends before its time.
type ending string

const (
	killed        ending = "killed"
	powerCut      ending = "power cut"
	powerCutTwice ending = "power cut twice"
)

// interrupt starts a node on what is left and cuts the power again while it recovers, or soon after.
func (s *story) interrupt(left *vfs.Mem, rng *rand.Rand) *vfs.Mem {
	fault := vfs.NewFault(left)
	fault.CrashAfter(rng.IntN(80))
	if n, err := start(s.t, memnet.New(), fault, sweepConfig); err == nil {
		time.Sleep(70 * time.Second)
		_ = n.stop()
	}
	return left.CrashClone(rng)
}

// promise is how far something asked of the node has come.
type promise int

const (
	notAsked promise = iota
	asked
	kept // the node said so
)

// partition is what the client knows of one. Its only producer numbers its records from 0, so a record's sequence is
// its offset and its value says both.
type partition struct {
	topic string
	index int32
	acks  int16

	batches []int32 // first offsets of the batches sent
	sent    int64   // end of what was sent
	acked   int64   // end of what was acknowledged
	durable int64   // end of what must survive a power cut
	eager   bool    // flush.messages=1: acknowledged is durable

	deleteAsked, deleteKept int64 // DeleteRecords up to here
}

type story struct {
	t     *testing.T
	mem   *vfs.Mem
	fault *vfs.Fault
	err   error // what ended it; nil: told to its end

	started    promise // the first start
	clusterID  string
	topicAsked map[string]promise
	dropAsked  map[string]promise
	ids        map[string]protocol.UUID
	retention  map[string]promise // value -> promise, of retention.ms of topic a
	producerID int64
	partitions []*partition
}

func newStory(t *testing.T, crashAfter int) *story {
	mem := vfs.NewMem()
	s := &story{t: t, mem: mem, fault: vfs.NewFault(mem), topicAsked: map[string]promise{}, dropAsked: map[string]promise{},
		ids: map[string]protocol.UUID{}, retention: map[string]promise{}, producerID: -1}
	s.fault.CrashAfter(crashAfter)
	s.partitions = []*partition{
		{topic: "a", index: 0, acks: -1}, {topic: "a", index: 1, acks: 1}, {topic: "b", index: 0, acks: -1, eager: true}, {topic: "c", index: 0, acks: -1},
	}
	return s
}

// tell runs the story until it ends or the disks do.
func (s *story) tell() {
	n, err := start(s.t, memnet.New(), s.fault, sweepConfig)
	if s.err = err; err != nil {
		return
	}
	s.started, s.clusterID = kept, n.b.Ready().ClusterID
	s.err = s.firstLife(n)
	if err := n.stop(); s.err == nil {
		s.err = err
	}
	if s.err != nil {
		return
	}
	s.settled() // a clean stop flushes
	if n, s.err = start(s.t, memnet.New(), s.fault, sweepConfig); s.err != nil {
		return
	}
	s.err = s.secondLife(n)
	if err := n.stop(); s.err == nil {
		s.err = err
	}
}

var sweepConfig = map[string]string{
	"log.dirs": "/d1,/d2", "metadata.log.max.snapshot.interval.ms": "15000", "metadata.log.max.record.bytes.between.snapshots": "2000",
	"metadata.max.idle.interval.ms": "20000",
}

func (s *story) firstLife(n *node) error {
	a, a1, b, c := s.partitions[0], s.partitions[1], s.partitions[2], s.partitions[3]
	return inTurn(
		func() error { return s.create(n, "a", 2, "segment.ms", "5000") },
		func() error { return s.create(n, "b", 1, "flush.messages", "1") },
		func() error { return s.initProducer(n) },
		func() error { return s.produce(n, a, 3) },
		func() error { return s.produce(n, a, 2) },
		func() error { return s.produce(n, b, 1) },
		func() error { return s.produce(n, a1, 4) },
		func() error { return s.produce(n, b, 2) },
		func() error { return s.pass(7 * time.Second) },
		func() error { return s.produce(n, a, 1) }, // rolls
		func() error { return s.produce(n, a, 2) },
		func() error { return s.produce(n, a1, 1) }, // rolls
		func() error { return s.configure(n, "1000000") },
		func() error { return s.create(n, "c", 1) },
		func() error { return s.produce(n, c, 2) },
		func() error { return s.deleteRecords(n, a, 6) }, // all of the first segment, and more
		func() error { return s.pass(7 * time.Second) },
		func() error { return s.produce(n, a, 2) }, // rolls
		func() error { return s.produce(n, b, 1) },
		func() error { return s.drop(n, "c") },
		func() error { return s.produce(n, a1, 2) },
		func() error { return s.pass(75 * time.Second) }, // file.delete.delay.ms, snapshots, checkpoints
		func() error { return s.configure(n, "2000000") },
		func() error { return s.produce(n, a, 2) },
	)
}

func (s *story) secondLife(n *node) error {
	a, a1, b := s.partitions[0], s.partitions[1], s.partitions[2]
	return inTurn(
		func() error { return s.produce(n, a, 2) },
		func() error { return s.produce(n, b, 2) },
		func() error { return s.create(n, "d", 1) },
		func() error { return s.deleteRecords(n, a, 9) },
		func() error { return s.produce(n, a1, 1) },
		func() error { return s.pass(20 * time.Second) },
		func() error { return s.produce(n, a1, 1) },
	)
}

func inTurn(steps ...func() error) error {
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

// pass lets time pass, more than the interval of flushes.
func (s *story) pass(d time.Duration) error {
	time.Sleep(d)
	if s.fault.Crashed() {
		return vfs.ErrCrashed
	}
	s.settled()
	return nil
}

func (s *story) settled() {
	for _, p := range s.partitions {
		p.durable = p.acked
	}
}

func (s *story) create(n *node, name string, partitions int32, configs ...string) error {
	s.topicAsked[name] = asked
	id, err := n.createTopic(name, partitions, configs...)
	if err == nil {
		s.topicAsked[name], s.ids[name] = kept, id
	}
	return err
}

func (s *story) drop(n *node, name string) error {
	s.dropAsked[name] = asked
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = 5000
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.TopicID = s.ids[name]
	req.Topics, req.TopicNames = append(req.Topics, topic), []string{name}
	resp, err := n.ask(req)
	if err == nil {
		err = kerr.ErrorForCode(resp.(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode)
	}
	if err == nil {
		s.dropAsked[name] = kept
	}
	return err
}

func (s *story) configure(n *node, retention string) error {
	s.retention[retention] = asked
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, "a"
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Value = "retention.ms", &retention
	res.Configs = append(res.Configs, c)
	req.Resources = append(req.Resources, res)
	resp, err := n.ask(req)
	if err == nil {
		err = kerr.ErrorForCode(resp.(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode)
	}
	if err == nil {
		clear(s.retention)
		s.retention[retention] = kept
	}
	return err
}

func (s *story) initProducer(n *node) (err error) {
	s.producerID, err = n.initProducer()
	return err
}

func (s *story) produce(n *node, p *partition, records int) error {
	base := int32(p.sent)
	p.batches = append(p.batches, base)
	p.sent += int64(records)
	if err := s.send(n, p, base, int32(p.sent)); err != nil {
		return err
	}
	p.acked = p.sent
	if p.eager {
		p.durable = p.acked
	}
	return nil
}

// send sends the records [base, end) of p as one batch and checks where they went.
func (s *story) send(n *node, p *partition, base, end int32) error {
	at, err := n.produce(p.topic, s.ids[p.topic], p.index, p.acks, s.producerID, base, p.values(base, end))
	if err == nil && at != int64(base) {
		s.t.Errorf("%s-%d: batch %d was acknowledged at offset %d", p.topic, p.index, base, at)
	}
	return err
}

func (p *partition) values(base, end int32) (values []string) {
	for i := base; i < end; i++ {
		values = append(values, fmt.Sprintf("%s-%d#%d", p.topic, p.index, i))
	}
	return values
}

func (s *story) deleteRecords(n *node, p *partition, before int64) error {
	p.deleteAsked = before
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 5000
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic = p.topic
	part := kmsg.NewDeleteRecordsRequestTopicPartition()
	part.Partition, part.Offset = p.index, before
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	resp, err := n.ask(req)
	if err == nil {
		err = kerr.ErrorForCode(resp.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0].ErrorCode)
	}
	if err == nil {
		p.deleteKept = before
	}
	return err
}

func (s *story) checkSnapshotWritten() {
	entries, err := s.mem.ReadDir("/d1/__cluster_metadata-0")
	require.NoError(s.t, err)
	snapshots := 0
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".checkpoint") && !strings.HasPrefix(e.Name(), "00000000000000000000-") {
			snapshots++
		}
	}
	require.Positive(s.t, snapshots, "the story is to include a snapshot of the metadata log")
}

// verify starts a node on what is left and holds it to what was promised.
func (s *story) verify(left *vfs.Mem, end ending) {
	t := s.t
	n, err := start(t, memnet.New(), left, sweepConfig)
	require.NoError(t, err, "a node starts on what is left")
	if s.started == kept {
		require.Equal(t, s.clusterID, n.b.Ready().ClusterID)
	}
	ids := n.topicIDs()
	s.verifyTopics(n, ids)
	for _, p := range s.partitions {
		if _, there := ids[p.topic]; there {
			s.ids[p.topic] = ids[p.topic] // of a topic whose creation was under way
			s.verifyPartition(n, p, end)
		}
	}
	if s.producerID >= 0 {
		id, err := n.initProducer()
		require.NoError(t, err)
		require.Greater(t, id, s.producerID, "a producer id is given once")
	}
	_, err = n.createTopic("new", 3)
	require.NoError(t, err)
	time.Sleep(2 * time.Minute) // longer than deleted directories stay
	s.verifyDirectories(left, n)
	require.NoError(t, n.stop())
	verifyFiles(t, left)

	n, err = start(t, memnet.New(), left, sweepConfig)
	require.NoError(t, err)
	again := n.topicIDs()
	require.Contains(t, again, "new")
	delete(again, "new")
	require.Equal(t, ids, again)
	require.NoError(t, n.stop())
}

func (s *story) verifyTopics(n *node, ids map[string]protocol.UUID) {
	for name, created := range s.topicAsked {
		id, there := ids[name]
		switch dropped := s.dropAsked[name]; {
		case dropped == kept:
			require.False(s.t, there, "topic %s was deleted", name)
		case created == kept && dropped == notAsked:
			require.True(s.t, there, "topic %s was created", name)
		}
		if there && created == kept {
			require.Equal(s.t, s.ids[name], id, "topic %s keeps its id", name)
		}
	}
	for name := range ids {
		require.Contains(s.t, s.topicAsked, name)
	}
	if len(s.retention) > 0 && s.topicAsked["a"] == kept {
		value, set := n.b.Image().Configs.Topic("a")["retention.ms"]
		if slices.Contains(values(s.retention), kept) {
			require.True(s.t, set, "retention.ms of topic a was set")
		}
		if set {
			require.Contains(s.t, s.retention, value)
		}
	}
}

func values(m map[string]promise) (list []promise) {
	for _, p := range m {
		list = append(list, p)
	}
	return list
}

// verifyPartition reads the whole log, then sends again what a producer without an answer would.
func (s *story) verifyPartition(n *node, p *partition, how ending) {
	t, tp := s.t, protocol.TopicPartition{Topic: p.topic, Partition: p.index}
	var startOffset, end int64
	if log, ok := n.b.Store().Log(tp); ok {
		startOffset, end = log.LogStartOffset(), log.LogEndOffset()
		at := startOffset
		for at < end {
			raw, err := log.ReadBytes(at, 1<<20, end)
			require.NoError(t, err)
			require.NotEmpty(t, raw, "%v: a hole at %d", tp, at)
			for len(raw) > 0 {
				var b record.Batch
				b, raw, err = record.Next(raw)
				require.NoError(t, err)
				require.EqualValues(t, b.BaseOffset(), b.BaseSequence(), "%v: each record once, in order", tp)
				want := p.values(b.BaseSequence(), int32(b.NextOffset()))
				require.Equal(t, want, batchValues(t, b), "%v at %d", tp, b.BaseOffset())
				if b.NextOffset() <= startOffset {
					continue
				}
				require.LessOrEqual(t, b.BaseOffset(), at, "%v: a hole at %d", tp, at)
				at = b.NextOffset()
			}
		}
		require.Equal(t, end, at)
	}
	kept := p.acked
	if how != killed {
		kept = p.durable
	}
	require.GreaterOrEqual(t, end, kept, "%v: what was promised is there", tp)
	require.LessOrEqual(t, end, p.sent, "%v", tp)
	require.GreaterOrEqual(t, startOffset, p.deleteKept, "%v: what was deleted stays deleted", tp)
	require.LessOrEqual(t, startOffset, p.deleteAsked, "%v: nothing else is", tp)
	if s.producerID < 0 {
		return
	}
	for i, base := range p.batches {
		next := int32(p.sent)
		if i+1 < len(p.batches) {
			next = p.batches[i+1]
		}
		if last := int64(next) == end; int64(next) > end || last && int64(base) >= startOffset {
			require.NoError(t, s.send(n, p, base, next), "%v: batch %d again", tp, base)
			if log, _ := n.b.Store().Log(tp); last {
				require.Equal(t, end, log.LogEndOffset(), "%v: batch %d was stored twice", tp, base)
			}
		}
	}
	require.NoError(t, s.send(n, p, int32(p.sent), int32(p.sent)+2), "%v goes on", tp)
}

// verifyDirectories looks for directories of partitions that do not exist, but for those that were set aside: a power cut
// may take the metadata of a topic and leave its log.
func (s *story) verifyDirectories(left vfs.FS, n *node) {
	ids := n.topicIDs()
	for _, dir := range []string{"/d1", "/d2"} {
		entries, err := left.ReadDir(dir)
		require.NoError(s.t, err)
		for _, e := range entries {
			if i := strings.LastIndexByte(e.Name(), '-'); e.IsDir() && e.Name() != "__cluster_metadata-0" && !strings.HasSuffix(e.Name(), "-stray") {
				require.Contains(s.t, ids, e.Name()[:i], "%s/%s", dir, e.Name())
			}
		}
	}
}

// verifyFiles lets dump read every file: it compares indexes with logs and finds damage anywhere.
func verifyFiles(t *testing.T, fsys vfs.FS) {
	for _, root := range []string{"/d1", "/d2"} {
		dirs := []string{root}
		entries, err := fsys.ReadDir(root)
		require.NoError(t, err)
		for _, e := range entries {
			if e.IsDir() {
				dirs = append(dirs, path.Join(root, e.Name()))
			}
		}
		require.NoError(t, dump.Files(io.Discard, fsys, dirs, dump.Options{}))
	}
}
