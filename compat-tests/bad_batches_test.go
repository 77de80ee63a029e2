package compat

import (
	"bytes"
	bigendian "encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A batchCase is sent to both brokers at each Produce version; they must answer alike, field by field, and their
// logs must end alike.
type batchCase struct {
	name    string
	config  map[string]string // of its topic
	before  []func(*batch)    // good batches that come first
	change  func(*batch)
	null    bool   // null records instead of a batch
	differs string // "ROW: what Dohle answers", with the row of docs/divergence.md; every version
}

func TestBadBatchesAreRefusedAsByKafka(t *testing.T) {
	limits := props{"message.max.bytes": "20000000"}
	start := func(run func(*testing.T, string, props, ...string) *node) *node {
		dir, ports := t.TempDir(), freePorts(t, 2)
		return run(t, dir, single(t, filepath.Join(dir, "data"), ports[0], ports[1]).with(limits), "-t", clusterID, "--standalone")
	}
	ours, theirs := &producerConn{node: start(startDohle)}, &producerConn{node: start(startKafka)}
	cases, now := batchCases(), time.Now().UnixMilli()
	for _, side := range []*producerConn{ours, theirs} {
		side.dial(t)
		side.create(t, cases)
	}
	asked := 0
	for i, c := range cases {
		for _, version := range []int16{3, 7, 8, 11, 13} {
			var answers [2]string
			for s, side := range []*producerConn{ours, theirs} {
				wait := patience
				if side == theirs && c.differs != "" {
					wait = 4 * time.Second // Apache Kafka never answers some of them
				}
				answers[s] = side.try(t, fmt.Sprintf("case-%d", i), c, version, now, wait)
			}
			asked++
			got, want := answers[0], answers[1]
			if c.differs != "" {
				_, differs, _ := strings.Cut(c.differs, ": ")
				if got == want { // zstd before version 7 is refused for what it is
					if version >= 7 {
						t.Errorf("%s at version %d: no difference any more: %s", c.name, version, got)
					}
					continue
				}
				if want = differs; !strings.HasPrefix(got, want) {
					t.Errorf("%s at version %d:\n dohle %s\n wants %s", c.name, version, got, want)
				}
				continue
			}
			if got != want {
				t.Errorf("%s at version %d:\n dohle %s\n kafka %s", c.name, version, got, want)
			}
		}
	}
	t.Logf("%d cases, %d answers compared", len(cases), asked)
}

// producerConn asks one broker over one connection, which it opens again when the broker closes it.
type producerConn struct {
	node *node
	conn net.Conn
	ids  map[string][16]byte
}

func (p *producerConn) dial(t *testing.T) {
	t.Helper()
	conn, err := net.Dial("tcp", p.node.bootstrap)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	p.conn = conn
}

// ask sends r and decodes the answer into resp; the error is what the sender saw instead.
func (p *producerConn) ask(t *testing.T, r kmsg.Request, wait time.Duration) (kmsg.Response, error) {
	t.Helper()
	p.conn.SetDeadline(time.Now().Add(wait))
	head := make([]byte, 8)
	_, err := p.conn.Write(request(r))
	if err == nil {
		_, err = io.ReadFull(p.conn, head)
	}
	if err != nil {
		p.conn.Close()
		p.dial(t)
		if cut(err) {
			return nil, fmt.Errorf("closed")
		}
		return nil, fmt.Errorf("no answer")
	}
	body := make([]byte, int(bigendian.BigEndian.Uint32(head))-4)
	_, err = io.ReadFull(p.conn, body)
	must(t, err)
	resp := r.ResponseKind()
	if r.IsFlexible() && r.Key() != 18 {
		body = body[1:] // no tags in the header
	}
	must(t, resp.ReadFrom(body))
	return resp, nil
}

func (p *producerConn) create(t *testing.T, cases []batchCase) {
	t.Helper()
	r := kmsg.NewPtrCreateTopicsRequest()
	r.Version, r.TimeoutMillis = 7, 30000
	for i, c := range cases {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = fmt.Sprintf("case-%d", i), 1, 1
		for k, v := range c.config {
			config := kmsg.NewCreateTopicsRequestTopicConfig()
			config.Name, config.Value = k, &v
			topic.Configs = append(topic.Configs, config)
		}
		r.Topics = append(r.Topics, topic)
	}
	resp, err := p.ask(t, r, patience)
	must(t, err)
	p.ids = map[string][16]byte{}
	for _, topic := range resp.(*kmsg.CreateTopicsResponse).Topics {
		if topic.ErrorCode != 0 {
			t.Fatalf("%s: %d %v", topic.Topic, topic.ErrorCode, topic.ErrorMessage)
		}
		p.ids[topic.Topic] = topic.TopicID
	}
	for i := range cases { // Apache Kafka makes them one after the other, in the order of a hash map
		eventually(t, patience, fmt.Sprintf("topic %d can be asked for its end", i), func() bool {
			return !strings.Contains(p.end(t, fmt.Sprintf("case-%d", i)), "error")
		})
	}
}

// try sends the good batches of c and then the bad one, and says in one line what came of it.
func (p *producerConn) try(t *testing.T, topic string, c batchCase, version int16, now int64, wait time.Duration) string {
	t.Helper()
	produce := func(change func(*batch), null bool) string {
		b := newBatch(now, 3)
		b.pid = -1
		if change != nil {
			change(b)
		}
		if b.pid == somePID {
			b.pid += int64(version) // a producer of its own for every version
		}
		r := kmsg.NewPtrProduceRequest()
		r.Version, r.Acks, r.TimeoutMillis = version, -1, 30_000
		rt := kmsg.NewProduceRequestTopic()
		rt.Topic, rt.TopicID = topic, p.ids[topic]
		rp := kmsg.NewProduceRequestTopicPartition()
		if !null {
			rp.Records = b.encode()
		}
		rt.Partitions = append(rt.Partitions, rp)
		r.Topics = append(r.Topics, rt)
		resp, err := p.ask(t, r, wait)
		if err != nil {
			return err.Error()
		}
		return told(resp.(*kmsg.ProduceResponse))
	}
	for i, good := range c.before {
		if out := produce(good, false); !strings.HasPrefix(out, "0 ") {
			return fmt.Sprintf("good batch %d: %s", i, out)
		}
	}
	before := p.end(t, topic)
	out := produce(c.change, c.null)
	after := p.end(t, topic)
	if !strings.HasPrefix(out, "0 ") && before != after {
		t.Errorf("%s at version %d: refused, but the log went from %s to %s", c.name, version, before, after)
	}
	return out + ", log ends at " + after
}

var (
	timesInText = regexp.MustCompile(`-?\b[0-9]{13,}\b`)
)

// told is the answer for the one partition: code, offsets, record errors and text. Times are masked.
func told(resp *kmsg.ProduceResponse) string {
	var b strings.Builder
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			appended := "no time"
			if p.LogAppendTime != -1 {
				appended = "a time"
			}
			fmt.Fprintf(&b, "%d base %d, %s, start %d", p.ErrorCode, p.BaseOffset, appended, p.LogStartOffset)
			for _, e := range p.ErrorRecords {
				fmt.Fprintf(&b, ", record %d", e.RelativeOffset)
				if e.ErrorMessage != nil {
					fmt.Fprintf(&b, " %q", *e.ErrorMessage)
				}
			}
			if p.ErrorMessage != nil {
				fmt.Fprintf(&b, ", %q", *p.ErrorMessage)
			}
		}
	}
	return timesInText.ReplaceAllString(b.String(), "#")
}

func (p *producerConn) end(t *testing.T, topic string) string {
	t.Helper()
	r := kmsg.NewPtrListOffsetsRequest()
	r.Version = 5
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewListOffsetsRequestTopicPartition()
	rp.Timestamp = -1
	rt.Partitions = append(rt.Partitions, rp)
	r.Topics = append(r.Topics, rt)
	resp, err := p.ask(t, r, patience)
	must(t, err)
	answer := resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
	if answer.ErrorCode != 0 {
		return fmt.Sprintf("error %d", answer.ErrorCode)
	}
	return fmt.Sprint(answer.Offset)
}

const somePID = 4000

func producer(epoch int16, sequence int32) func(*batch) {
	return func(b *batch) { b.pid, b.pidEpoch, b.sequence = somePID, epoch, sequence }
}

func batchCases() []batchCase {
	list := append(headerDefects(), recordDefects()...)
	list = append(list, codecDefects()...)
	return append(list, producerDefects()...)
}

func headerDefects() []batchCase {
	length := func(n int32) func(*batch) { return func(b *batch) { b.length = &n } }
	list := []batchCase{
		{name: "good"},
		{name: "null records", null: true, differs: "D5: 87 base -1"},
		{name: "no bytes", change: func(b *batch) { b.instead = []byte{} }},
		{name: "eleven bytes", change: func(b *batch) { b.instead = make([]byte, 11) }},
		{name: "sixty zeros", change: func(b *batch) { b.instead = make([]byte, 60) }},
		{name: "ones", change: func(b *batch) { b.instead = bytes.Repeat([]byte{0xff}, 200) }},
		{name: "wrong checksum", change: func(b *batch) { b.crcFlip = 1 }},
		{name: "a message of format 0", change: func(b *batch) { b.instead = oldMessage(0, b.baseTime) }},
		{name: "a message of format 1", change: func(b *batch) { b.instead = oldMessage(1, b.baseTime) }},
		{name: "one byte short", change: func(b *batch) { b.wholeChange = func(w []byte) []byte { return w[:len(w)-1] } }},
		{name: "half", change: func(b *batch) { b.wholeChange = func(w []byte) []byte { return w[:len(w)/2] } }},
		{name: "a byte behind", change: func(b *batch) { b.tail = []byte{0} }},
		{name: "zeros behind", change: func(b *batch) { b.tail = make([]byte, 61) }},
		{name: "two batches", change: func(b *batch) { b.tail = newBatch(b.baseTime, 2).encode() }},
		{name: "a good batch and half of one", change: func(b *batch) { b.tail = newBatch(b.baseTime, 2).encode()[:70] }},
		{name: "a good batch and one of magic 9", change: func(b *batch) { b.tail = newBatch(b.baseTime, 2).encode(); b.tail[16] = 9 }},
		{name: "a good batch and one of length 3", change: func(b *batch) { b.tail = newBatch(b.baseTime, 2).encode(); copy(b.tail[8:], be(int32(3))) }},
		{name: "a good batch and one of length 20", change: func(b *batch) { b.tail = newBatch(b.baseTime, 2).encode(); copy(b.tail[8:], be(int32(20))) }},
		{name: "a good batch and a message of format 1", change: func(b *batch) { b.tail = oldMessage(1, b.baseTime) }},
		{name: "base offset 5", change: func(b *batch) { b.baseOffset = 5 }},
		{name: "base offset -1", change: func(b *batch) { b.baseOffset = -1 }},
		{name: "base offset at its limit", change: func(b *batch) { b.baseOffset = math.MaxInt64 }},
		{name: "leader epoch 77", change: func(b *batch) { b.epoch = 77 }},
		{name: "control bit", change: func(b *batch) { b.attributes |= 0x20 }},
		{name: "control bit of a producer", change: func(b *batch) { producer(0, 0)(b); b.attributes |= 0x20 }},
		{name: "transactional without a producer", change: func(b *batch) { b.attributes |= 0x10 }},
		{name: "LogAppendTime bit", change: func(b *batch) { b.attributes |= 0x08 }},
		{name: "delete horizon bit", change: func(b *batch) { b.attributes |= 0x40 }},
		{name: "unknown attribute bits", change: func(b *batch) { b.attributes |= 0x7f80 }},
		{name: "the topic uses LogAppendTime", config: map[string]string{"message.timestamp.type": "LogAppendTime"}},
		{name: "LogAppendTime bit and topic", config: map[string]string{"message.timestamp.type": "LogAppendTime"}, change: func(b *batch) { b.attributes |= 0x08 }},
		{name: "two hours ahead", change: func(b *batch) { b.baseTime += 7200000; b.maxTime += 7200000 }},
		{name: "one record far ahead", change: func(b *batch) {
			b.records[1] = wireRecord(7200000, 1, []byte("key"), []byte("v"))
			b.maxTime = b.baseTime + 7200000
		}},
		{name: "too old for the topic", config: map[string]string{"message.timestamp.before.max.ms": "60000"}, change: func(b *batch) { b.baseTime -= 7200000; b.maxTime -= 7200000 }},
		{name: "timestamp -1", change: func(b *batch) { b.baseTime, b.maxTime = -1, 1 }},
		{name: "no timestamps", change: func(b *batch) {
			b.baseTime, b.maxTime = -1, -1
			for i := range b.records {
				b.records[i] = wireRecord(0, int64(i), []byte("k"), []byte("v"))
			}
		}},
		{name: "timestamp -5", change: func(b *batch) { b.baseTime, b.maxTime = -5, -3 }},
		{name: "max timestamp too low", change: func(b *batch) { b.maxTime -= 2 }},
		{name: "max timestamp too high", change: func(b *batch) { b.maxTime += 5 }},
		{name: "max timestamp -1", change: func(b *batch) { b.maxTime = -1 }},
		{name: "larger than max.message.bytes", config: map[string]string{"max.message.bytes": "1000"}, change: func(b *batch) {
			b.records[2] = wireRecord(2, 2, nil, make([]byte, 2000))
		}},
		{name: "at max.message.bytes but for its header", config: map[string]string{"max.message.bytes": "100"}},
		{name: "larger than a segment", config: map[string]string{"segment.bytes": "1048576", "max.message.bytes": "4000000"}, change: func(b *batch) {
			b.records[2] = wireRecord(2, 2, nil, make([]byte, 2000000))
		}},
	}
	for _, magic := range []int8{0, 1, 3, 127, -1} {
		list = append(list, batchCase{name: fmt.Sprintf("magic %d", magic), change: func(b *batch) { b.magic = magic }})
	}
	for _, n := range []int32{math.MinInt32, -1, 0, 1, 13, 14, 48, 49, 1 << 20, math.MaxInt32} {
		c := batchCase{name: fmt.Sprintf("length %d", n), change: length(n)}
		if n == math.MaxInt32 {
			c.differs = "B3: 87 base -1"
		}
		list = append(list, c)
	}
	for _, n := range []int32{math.MinInt32, -1, 0, 1, 2, 4, 1000, math.MaxInt32} {
		list = append(list, batchCase{name: fmt.Sprintf("count %d", n), change: func(b *batch) { b.count = n }})
		list = append(list, batchCase{name: fmt.Sprintf("last offset delta %d", n), change: func(b *batch) { b.lastDelta = n }})
	}
	for _, n := range []int32{0, 1, 4} {
		list = append(list, batchCase{name: fmt.Sprintf("count and delta for %d", n), change: func(b *batch) { b.count, b.lastDelta = n, n-1 }})
	}
	list = append(list,
		batchCase{name: "no records", change: func(b *batch) { b.records, b.count, b.lastDelta = nil, 0, 0 }},
		batchCase{name: "no records, delta -1", change: func(b *batch) { b.records, b.count, b.lastDelta = nil, 0, -1 }},
		batchCase{name: "no records, as compaction leaves it", change: func(b *batch) { b.records, b.count, b.lastDelta = nil, 0, 2 }},
	)
	return list
}

func recordDefects() (list []batchCase) {
	broken := []struct {
		name   string
		record []byte // instead of the second of three
	}{
		{"length too small", append([]byte{4}, wireRecord(1, 1, []byte("key"), []byte("value"))[1:]...)},
		{"length too large", append([]byte{60}, wireRecord(1, 1, []byte("key"), []byte("value"))[1:]...)},
		{"length negative", append([]byte{1}, wireRecord(1, 1, []byte("key"), []byte("value"))[1:]...)},
		{"length zero", append([]byte{0}, wireRecord(1, 1, []byte("key"), []byte("value"))[1:]...)},
		{"length 2^31-1", append(bigendian.AppendVarint(nil, math.MaxInt32), wireRecord(1, 1, []byte("key"), []byte("value"))[1:]...)},
		{"length of ten bytes", append(bytes.Repeat([]byte{0xff}, 9), 1)},
		{"key longer than the record", []byte{16, 0, 2, 2, 100, 'k', 'e', 'y', 0}},
		{"key length -2", []byte{14, 0, 2, 2, 3, 2, 'v', 0}},
		{"value longer than the record", []byte{16, 0, 2, 2, 2, 'k', 100, 'v', 0}},
		{"value length -2", []byte{14, 0, 2, 2, 2, 'k', 3, 0}},
		{"header count -1", []byte{16, 0, 2, 2, 2, 'k', 2, 'v', 1}},
		{"header count beyond", []byte{16, 0, 2, 2, 2, 'k', 2, 'v', 100}},
		{"header key null", []byte{20, 0, 2, 2, 2, 'k', 2, 'v', 2, 1, 1}},
		{"header key beyond", []byte{20, 0, 2, 2, 2, 'k', 2, 'v', 2, 100, 1}},
		{"attributes set", append([]byte{16, 0x7f}, wireRecord(1, 1, []byte("k"), []byte("v"))[2:]...)},
		{"a byte left", []byte{18, 0, 2, 2, 2, 'k', 2, 'v', 0, 0}},
		{"offset delta 0 again", wireRecord(1, 0, []byte("k"), []byte("v"))},
		{"offset delta 5", wireRecord(1, 5, []byte("k"), []byte("v"))},
		{"offset delta -1", wireRecord(1, -1, []byte("k"), []byte("v"))},
		{"offset delta beyond 32 bits", wireRecord(1, 1<<40, []byte("k"), []byte("v"))},
	}
	for codec := range codecNames {
		for _, d := range broken {
			c := batchCase{name: d.name + ", " + codecNames[codec], change: func(b *batch) {
				b.attributes |= int16(codec)
				b.records[1] = d.record
			}}
			if row := unlike(d.name, codec); row != "" {
				c.differs = row + ": 87 base -1"
			}
			list = append(list, c)
		}
		list = append(list,
			batchCase{name: "bytes behind the records, " + codecNames[codec], change: func(b *batch) { b.attributes |= int16(codec); b.plainTail = []byte{1, 2, 3} }},
			batchCase{name: "compacted, one key missing, " + codecNames[codec], config: map[string]string{"cleanup.policy": "compact"}, change: func(b *batch) {
				b.attributes |= int16(codec)
				b.records[1] = wireRecord(1, 1, nil, []byte("v"))
			}},
			batchCase{name: "compacted, all keys missing, " + codecNames[codec], config: map[string]string{"cleanup.policy": "compact,delete"}, change: func(b *batch) {
				b.attributes |= int16(codec)
				for i := range b.records {
					b.records[i] = wireRecord(int64(i), int64(i), nil, []byte("v"))
				}
			}},
			batchCase{name: "two hours ahead, " + codecNames[codec], change: func(b *batch) {
				b.attributes |= int16(codec)
				b.baseTime += 7200000
				b.maxTime += 7200000
			}},
		)
	}
	return list
}

// unlike is the row of docs/divergence.md about a record defect, if there is one.
func unlike(name string, codec int) string {
	switch name {
	case "offset delta 0 again", "offset delta 5", "offset delta -1":
		if codec == 0 {
			return "B1"
		}
		return "B3"
	case "length of ten bytes":
		if codec == 0 {
			return "B3"
		}
	case "length too small", "length too large", "length zero":
		if codec != 0 {
			return "B2"
		}
	}
	return ""
}

func codecDefects() (list []batchCase) {
	add := func(codec int, name string, change func(compressed, plain []byte) []byte) {
		list = append(list, batchCase{name: name + ", " + codecNames[codec], change: func(b *batch) {
			b.attributes |= int16(codec)
			b.compressed = change
		}})
	}
	for codec := gzipCodec; codec <= zstdCodec; codec++ {
		add(codec, "compressed", nil)
		add(codec, "not compressed at all", func(_, plain []byte) []byte { return plain })
		add(codec, "nothing", func(_, _ []byte) []byte { return nil })
		add(codec, "one byte", func(c, _ []byte) []byte { return c[:1] })
		add(codec, "cut in the middle", func(c, _ []byte) []byte { return c[:len(c)/2] })
		add(codec, "cut at the end", func(c, _ []byte) []byte { return c[:len(c)-1] })
		add(codec, "first byte flipped", func(c, _ []byte) []byte { c[0] ^= 0x55; return c })
		add(codec, "middle flipped", func(c, _ []byte) []byte { c[len(c)/2] ^= 0xff; return c })
		add(codec, "last byte flipped", func(c, _ []byte) []byte { c[len(c)-1] ^= 0xff; return c })
		add(codec, "garbage behind", func(c, _ []byte) []byte { return append(c, "garbage"...) })
		add(codec, "twice", func(c, _ []byte) []byte { return append(c, c...) })
		add(codec, "of another codec", func(_, plain []byte) []byte { return compressedBy(codec%4+1, plain) })
		add(codec, "zeros", func(_, _ []byte) []byte { return make([]byte, 100) })
		if codec == gzipCodec { // Java inflates as far as it can, and then finds the records short
			list[len(list)-6].differs = "B6: -1 base -1"
		}
		list = append(list, batchCase{name: "a bomb of 140 MiB, " + codecNames[codec], config: map[string]string{"max.message.bytes": "20000000"}, differs: "B4: 10 base -1",
			change: func(b *batch) {
				b.attributes |= int16(codec)
				b.records[2] = wireRecord(2, 2, nil, make([]byte, 140<<20))
			}})
	}
	for codec := int16(5); codec <= 7; codec++ {
		list = append(list, batchCase{name: fmt.Sprintf("codec %d", codec), differs: "B3: 76 base -1", change: func(b *batch) { b.attributes |= codec }})
	}
	return list
}

func producerDefects() []batchCase {
	all := func(changes ...func(*batch)) func(*batch) {
		return func(b *batch) {
			for _, c := range changes {
				c(b)
			}
		}
	}
	transactional := func(b *batch) { b.attributes |= 0x10 }
	first := []func(*batch){producer(0, 0)}
	return []batchCase{
		{name: "first sequence 0", change: producer(0, 0)},
		{name: "first sequence 7", change: producer(0, 7)},
		{name: "first epoch 3", change: producer(3, 0)},
		{name: "sequence goes on", before: first, change: producer(0, 3)},
		{name: "sequence again", before: first, change: producer(0, 0)},
		{name: "sequence again after five more", before: []func(*batch){producer(0, 0), producer(0, 3), producer(0, 6), producer(0, 9), producer(0, 12), producer(0, 15)}, change: producer(0, 0)},
		{name: "last sequence of five again", before: []func(*batch){producer(0, 0), producer(0, 3), producer(0, 6)}, change: producer(0, 3)},
		{name: "gap", before: first, change: producer(0, 10)},
		{name: "overlap", before: first, change: producer(0, 1)},
		{name: "same start, other count", before: first, change: all(producer(0, 0), func(b *batch) { b.records, b.count, b.lastDelta, b.maxTime = b.records[:2], 2, 1, b.baseTime+1 })},
		{name: "old epoch", before: []func(*batch){producer(1, 0)}, change: producer(0, 3)},
		{name: "old epoch from 0", before: []func(*batch){producer(1, 0)}, change: producer(0, 0)},
		{name: "new epoch from 0", before: first, change: producer(1, 0)},
		{name: "new epoch not from 0", before: first, change: producer(1, 3)},
		{name: "sequence wraps inside", before: []func(*batch){producer(0, math.MaxInt32-4)}, change: producer(0, math.MaxInt32-1)},
		{name: "sequence wraps between", before: []func(*batch){producer(0, math.MaxInt32-2)}, change: producer(0, 0)},
		{name: "sequence wraps to 1", before: []func(*batch){producer(0, math.MaxInt32-2)}, change: producer(0, 1)},
		{name: "sequence -1", change: producer(0, -1)},
		{name: "sequence -1 of a known producer", before: first, change: producer(0, -1)},
		{name: "sequence -2", change: producer(0, -2)},
		{name: "epoch -1", change: producer(-1, 0)},
		{name: "epoch -2", change: producer(-2, 0)},
		{name: "producer id -2", change: func(b *batch) { b.pid, b.pidEpoch, b.sequence = -2, 0, 0 }},
		{name: "no id, but an epoch and a sequence", change: func(b *batch) { b.pid, b.pidEpoch, b.sequence = -1, 0, 0 }},
		{name: "compressed and idempotent", before: first, change: all(producer(0, 3), func(b *batch) { b.attributes |= lz4Codec })},
		{name: "wrong checksum and a gap", before: first, change: all(producer(0, 10), func(b *batch) { b.crcFlip = 1 })},
		{name: "transactional, no transaction", change: all(producer(0, 0), transactional)},
		{name: "transactional after idempotent", before: first, change: all(producer(0, 3), transactional)},
		{name: "two idempotent batches", change: all(producer(0, 0), func(b *batch) { b.tail = newBatch(b.baseTime, 1).encode() })},
	}
}
