package compat

import (
	"bytes"
	bigendian "encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// served are the keys that both brokers serve to clients, with the versions of Apache Kafka 4.4.
var served = []struct{ key, min, max int16 }{
	{0, 3, 13}, {1, 4, 18}, {2, 1, 11}, {3, 0, 13}, {18, 0, 5}, {19, 2, 7}, {20, 1, 6}, {21, 0, 2}, {22, 0, 6}, {23, 2, 4}, {32, 1, 4}, {33, 0, 2},
	{35, 1, 5}, {37, 0, 3}, {43, 0, 2}, {44, 0, 1}, {46, 0, 0}, {55, 0, 2}, {57, 0, 2}, {60, 0, 2}, {61, 0, 0}, {64, 0, 0}, {71, 0, 0}, {75, 0, 0},
}

// controllerOnlyKeys are those that brokers answer on no client listener.
var controllerOnlyKeys = []int16{52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73}

func hostileCases() []wireCase {
	var list []wireCase
	for _, family := range [][]wireCase{lengthCases(), halfFrameCases(), keyCases(), headerCases(), versionCases(), cutCases(), tailCases(), countCases(), nullCases(), pipelineCases(), lastCases()} {
		list = append(list, family...)
	}
	return list
}

func whole(name string, bytes []byte) wireCase { return wireCase{name: name, bytes: bytes} }
func part(name string, bytes []byte) wireCase {
	return wireCase{name: name, bytes: bytes, partial: true}
}

// lengthCases: what stands in front of a frame is not its length.
func lengthCases() (list []wireCase) {
	for _, n := range []int32{math.MaxInt32, math.MaxInt32 - 1, 1 << 30, 104857601, -1, -2, math.MinInt32} {
		list = append(list, whole(fmt.Sprintf("length/%d", n), be(n, []byte("what follows is never read"))))
	}
	list = append(list, part("length/104857600 and a little", be(int32(104857600), make([]byte, 1000))))
	for n := range int32(8) {
		list = append(list, whole(fmt.Sprintf("length/%d", n), be(n, make([]byte, n))))
	}
	list = append(list,
		whole("length/HTTP", []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")),
		whole("length/TLS hello", append([]byte{0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03}, make([]byte, 506)...)),
		whole("length/SSH", []byte("SSH-2.0-OpenSSH_9.6\r\n")),
		whole("length/PROXY protocol", []byte("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")),
		whole("length/all ones", bytes.Repeat([]byte{0xff}, 4096)),
	)
	return list
}

// halfFrameCases end inside a frame and stay silent.
func halfFrameCases() (list []wireCase) {
	frame := request(filled(3, 12))
	for _, n := range []int{1, 2, 3, 4, 5, 6, 8, 12, 14, 20, len(frame) / 2, len(frame) - 1} {
		list = append(list, part(fmt.Sprintf("half/%d of %d bytes", n, len(frame)), frame[:n]))
	}
	big := framed(header(0, 9, "hostile", true), make([]byte, 1<<20))
	for _, n := range []int{1000, 16383, 16384, 16385, 65535, 65536, 65540, 1 << 19} {
		list = append(list, part(fmt.Sprintf("half/%d of a megabyte", n), big[:n]))
	}
	return append(list,
		wireCase{name: "drip/a good request by the byte", bytes: framed(header(18, 0, "drip", false)), drip: 2 * time.Millisecond},
		wireCase{name: "drip/a bad request by the byte", bytes: framed(header(4, 0, "drip", false)), drip: 2 * time.Millisecond},
		wireCase{name: "drip/half a request by the byte", bytes: frame[:20], drip: 2 * time.Millisecond, partial: true},
	)
}

// keyCases: keys that nobody knows, that were retired, and that are not for clients.
func keyCases() (list []wireCase) {
	for _, key := range []int16{4, 5, 6, 7, 95, 96, 127, 128, 255, 256, 1000, 32767, -1, -2, -32768} {
		for _, version := range []int16{0, 3} {
			list = append(list, whole(fmt.Sprintf("key/%d version %d", key, version), framed(header(key, version, "hostile", false), make([]byte, 32))))
		}
	}
	for _, key := range controllerOnlyKeys {
		r := kmsg.RequestForKey(key)
		for version := range r.MaxVersion() + 1 {
			list = append(list, whole(fmt.Sprintf("controller key/%d version %d", key, version), request(filled(key, version))))
		}
	}
	return list
}

// headerCases: hostile client ids and header tags.
func headerCases() (list []wireCase) {
	for _, id := range []struct{ name, text string }{
		{"empty", ""}, {"NUL", "a\x00b"}, {"newline", "a\nERROR forged line"}, {"carriage return", "a\rb"}, {"ANSI", "\x1b[2J\x1b[31mred\x1b]0;title\x07"},
		{"not UTF-8", "\xff\xfe\x80"}, {"overlong UTF-8", "\xc0\xaf"}, {"surrogate", "\xed\xa0\x80"}, {"bidi", "\u202egpj.exe"}, {"path", "../../../etc/passwd"},
		{"quote", `a",kafka.server:type=*,b="`}, {"format", "%s%n%x${jndi:ldap://x}"}, {"32 KiB", strings.Repeat("x", 32767)}, {"32 KiB of NUL", strings.Repeat("\x00", 32767)},
	} {
		list = append(list, whole("client id/"+id.name, framed(header(18, 0, id.text, false))))
		list = append(list, whole("client id, flexible/"+id.name, framed(header(3, 12, id.text, true), filled12())))
		list = append(list, whole("client id, refused/"+id.name, framed(header(4, 0, id.text, false))))
	}
	for _, n := range []int16{-1, -2, -32768, 5, 32767} {
		list = append(list, whole(fmt.Sprintf("client id/length %d", n), framed(be(int16(18), int16(0), int32(hostileID), n))))
	}
	body := filled12()
	plain := be(int16(3), int16(12), int32(hostileID), "hostile")
	for _, tags := range []struct {
		name  string
		bytes []byte
	}{
		{"one unknown", []byte{1, 9, 3, 'a', 'b', 'c'}},
		{"none, overlong", []byte{0x80, 0x80, 0x80, 0x80, 0}},
		{"count 2^32-1", []byte{0xff, 0xff, 0xff, 0xff, 0x0f}},
		{"count beyond 32 bits", []byte{0xff, 0xff, 0xff, 0xff, 0x7f}},
		{"count of six bytes", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0x01}},
		{"size 2^32-1", []byte{1, 9, 0xff, 0xff, 0xff, 0xff, 0x0f}},
		{"size 2^31-1", []byte{1, 9, 0xff, 0xff, 0xff, 0xff, 0x07}},
		{"twice the same", []byte{2, 9, 0, 9, 0}},
		{"descending", []byte{2, 9, 0, 8, 0}},
		{"10000 empty", manyTags(10000)},
		{"10001 empty", manyTags(10001)},
	} {
		list = append(list, whole("header tags/"+tags.name, framed(plain, tags.bytes, body)))
	}
	return list
}

func filled12() []byte { return filled(3, 12).AppendTo(nil) }

func manyTags(n int) []byte {
	b := uvarint(uint64(n))
	for i := range n {
		b = append(append(b, uvarint(uint64(100+i))...), 0) // behind all that have a meaning
	}
	return b
}

func uvarint(v uint64) []byte { return bigendian.AppendUvarint(nil, v) }

// versionCases: every served key just outside its versions, and far outside.
func versionCases() (list []wireCase) {
	for _, api := range served {
		for _, version := range []int16{api.min - 1, api.max + 1, 99, 32767, -1, -32768} {
			near := max(api.min, min(api.max, version))
			r := filled(api.key, min(near, kmsg.RequestForKey(api.key).MaxVersion()))
			list = append(list, whole(fmt.Sprintf("version/key %d version %d", api.key, version),
				framed(header(api.key, version, "hostile", r.IsFlexible()), r.AppendTo(nil))))
		}
	}
	return list
}

// eachServed calls fn with a full request of every served key and version.
func eachServed(fn func(name string, r kmsg.Request, head, body []byte)) {
	for _, api := range served {
		for version := api.min; version <= min(api.max, kmsg.RequestForKey(api.key).MaxVersion()); version++ {
			r := filled(api.key, version)
			fn(fmt.Sprintf("key %d version %d", api.key, version), r, header(api.key, version, "hostile", r.IsFlexible()), r.AppendTo(nil))
		}
	}
}

// cutCases: the body ends too early.
func cutCases() (list []wireCase) {
	eachServed(func(name string, r kmsg.Request, head, body []byte) {
		seen := map[int]bool{len(body): true}
		for _, n := range []int{0, 1, len(body) / 4, len(body) / 2, len(body) * 3 / 4, len(body) - 2, len(body) - 1} {
			if n >= 0 && n < len(body) && !seen[n] {
				seen[n] = true
				list = append(list, whole(fmt.Sprintf("cut/%s at %d of %d", name, n, len(body)), framed(head, body[:n])))
			}
		}
		if r.IsFlexible() {
			list = append(list, whole(fmt.Sprintf("cut/%s in the header", name), framed(head[:len(head)-1])))
		}
	})
	return list
}

// tailCases: the body goes on behind its end.
func tailCases() (list []wireCase) {
	eachServed(func(name string, r kmsg.Request, head, body []byte) {
		list = append(list, whole("whole/"+name, framed(head, body)),
			whole("tail/"+name+" and a zero", framed(head, body, []byte{0})),
			whole("tail/"+name+" and 0xff", framed(head, body, bytes.Repeat([]byte{0xff}, 9))))
	})
	return list
}

// countCases: counts and lengths that promise what does not come.
func countCases() (list []wireCase) {
	tags := func(name string, version int16, tail ...byte) {
		list = append(list, whole("bomb/ApiVersions "+name, framed(header(18, version, "hostile", true), tail)))
	}
	for version := int16(3); version <= 5; version++ {
		tags(fmt.Sprintf("v%d, the seven bytes", version), version, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f)
		tags(fmt.Sprintf("v%d, tag count 2^31-1", version), version, 2, 'a', 2, '1', 0xff, 0xff, 0xff, 0xff, 0x07)
		tags(fmt.Sprintf("v%d, tag size 2^31-1", version), version, 2, 'a', 2, '1', 1, 9, 0xff, 0xff, 0xff, 0xff, 0x07)
		tags(fmt.Sprintf("v%d, string length 2^31-2", version), version, 0xff, 0xff, 0xff, 0xff, 0x07)
		tags(fmt.Sprintf("v%d, string length beyond 32 bits", version), version, 0xff, 0xff, 0xff, 0xff, 0x7f)
		tags(fmt.Sprintf("v%d, varint of six bytes", version), version, 0x82, 0x80, 0x80, 0x80, 0x80, 0, 'a', 2, '1', 0)
		tags(fmt.Sprintf("v%d, overlong varint", version), version, 0x82, 0x80, 0, 'a', 2, '1', 0)
		tags(fmt.Sprintf("v%d, 10000 tags", version), version, append([]byte{2, 'a', 2, '1'}, manyTags(10000)...)...)
		tags(fmt.Sprintf("v%d, 10001 tags", version), version, append([]byte{2, 'a', 2, '1'}, manyTags(10001)...)...)
		tags(fmt.Sprintf("v%d, descending tags", version), version, 2, 'a', 2, '1', 2, 9, 0, 8, 0)
	}
	for _, count := range []int32{math.MaxInt32, 1 << 30, 1000001, 1000000, 100000, 2, -2, math.MinInt32} {
		list = append(list,
			whole(fmt.Sprintf("bomb/CreateTopics v4 count %d over 64 KiB of zeros", count), framed(header(19, 4, "hostile", false), be(count), make([]byte, 1<<16))),
			whole(fmt.Sprintf("bomb/CreateTopics v4 count %d over nothing", count), framed(header(19, 4, "hostile", false), be(count))),
			whole(fmt.Sprintf("bomb/Metadata v4 count %d", count), framed(header(3, 4, "hostile", false), be(count, make([]byte, 64)))),
			whole(fmt.Sprintf("bomb/Produce v3 count %d", count), framed(header(0, 3, "hostile", false), be(int16(-1), int16(1), int32(1000), count))),
			whole(fmt.Sprintf("bomb/Fetch v4 count %d", count), framed(header(1, 4, "hostile", false), be(int32(-1), int32(1), int32(1), int32(1), int8(0), count))),
			whole(fmt.Sprintf("bomb/DeleteTopics v3 count %d", count), framed(header(20, 3, "hostile", false), be(count))),
			whole(fmt.Sprintf("bomb/Produce v3 record bytes %d", count), framed(header(0, 3, "hostile", false),
				be(int16(-1), int16(1), int32(1000), int32(1), "hostile", int32(1), int32(0), count))),
		)
	}
	for _, count := range []uint64{math.MaxUint32, math.MaxInt32, 1 << 28, 1000002, 1000001, 100001} {
		list = append(list,
			whole(fmt.Sprintf("bomb/CreateTopics v7 compact count %d over 64 KiB", count), framed(header(19, 7, "hostile", true), uvarint(count), make([]byte, 1<<16))),
			whole(fmt.Sprintf("bomb/Metadata v12 compact count %d", count), framed(header(3, 12, "hostile", true), uvarint(count), make([]byte, 64))),
			whole(fmt.Sprintf("bomb/Fetch v13 compact count %d", count), framed(header(1, 13, "hostile", true),
				be(int32(-1), int32(1), int32(1), int32(1), int8(0), int32(0), int32(-1)), uvarint(count), make([]byte, 64))),
		)
	}
	// Real elements, as many as a megabyte holds.
	list = append(list,
		whole("bomb/Metadata v4 with 100,000 nameless topics", framed(header(3, 4, "hostile", false), be(int32(100000)), make([]byte, 200000), be(false))),
		whole("bomb/DeleteTopics v3 with 100,000 nameless topics", framed(header(20, 3, "hostile", false), be(int32(100000)), make([]byte, 200000), be(int32(1)))),
		whole("bomb/DescribeConfigs v1 with 50,000 resources", framed(header(32, 1, "hostile", false), be(int32(50000)), make([]byte, 50000*7), be(false))),
	)
	return list
}

// nullCases: null where the schema has none.
func nullCases() (list []wireCase) {
	null32, null16 := be(int32(-1)), be(int16(-1))
	add := func(name string, key, version int16, body ...[]byte) {
		flexible := kmsg.RequestForKey(key)
		flexible.SetVersion(version)
		list = append(list, whole("null/"+name, framed(append([][]byte{header(key, version, "hostile", flexible.IsFlexible())}, body...)...)))
	}
	add("CreateTopics v4 topics", 19, 4, null32, be(int32(1), false))
	add("CreateTopics v4 topic name", 19, 4, be(int32(1)), null16, be(int32(1), int16(1), int32(0), int32(0), int32(1), false))
	add("CreateTopics v4 assignments", 19, 4, be(int32(1), "hostile", int32(1), int16(1)), null32, be(int32(0), int32(1), false))
	add("CreateTopics v4 configs", 19, 4, be(int32(1), "hostile", int32(1), int16(1), int32(0)), null32, be(int32(1), false))
	add("CreateTopics v7 topics", 19, 7, []byte{0}, be(int32(1), false), []byte{0})
	add("CreateTopics v7 topic name", 19, 7, []byte{2, 0}, be(int32(1), int16(1)), []byte{1, 1, 0}, be(int32(1), false), []byte{0})
	add("Metadata v0 topics", 3, 0, null32)
	add("Metadata v4 topic name", 3, 4, be(int32(1)), null16, be(false))
	add("Metadata v9 topic name", 3, 9, []byte{2, 0, 0}, be(false, false, false), []byte{0})
	add("Produce v3 topics", 0, 3, be(int16(-1), int16(1), int32(1000)), null32)
	add("Produce v3 topic name", 0, 3, be(int16(-1), int16(1), int32(1000), int32(1)), null16, be(int32(0)))
	add("Produce v3 partitions", 0, 3, be(int16(-1), int16(1), int32(1000), int32(1), "hostile"), null32)
	add("Produce v9 topics", 0, 9, []byte{0}, be(int16(1), int32(1000)), []byte{0, 0})
	add("Fetch v4 topics", 1, 4, be(int32(-1), int32(1), int32(1), int32(1), int8(0)), null32)
	add("Fetch v7 forgotten", 1, 7, be(int32(-1), int32(1), int32(1), int32(1), int8(0), int32(0), int32(-1), int32(0)), null32)
	add("Fetch v12 rack", 1, 12, be(int32(-1), int32(1), int32(1), int32(1), int8(0), int32(0), int32(-1)), []byte{1, 1, 0, 0})
	add("ListOffsets v1 topics", 2, 1, be(int32(-1)), null32)
	add("ApiVersions v3 name", 18, 3, []byte{0, 2, '1', 0})
	add("ApiVersions v3 version", 18, 3, []byte{2, 'a', 0, 0})
	add("DeleteTopics v3 names", 20, 3, null32, be(int32(1)))
	add("DeleteTopics v6 name without id", 20, 6, []byte{2, 0}, make([]byte, 16), []byte{0}, be(int32(1)), []byte{0})
	add("DeleteRecords v0 topics", 21, 0, null32, be(int32(1)))
	add("OffsetForLeaderEpoch v2 topics", 23, 2, null32)
	add("DescribeConfigs v1 resources", 32, 1, null32, be(false))
	add("AlterConfigs v0 resources", 33, 0, null32, be(false))
	add("IncrementalAlterConfigs v0 resources", 44, 0, null32, be(false))
	add("CreatePartitions v0 topics", 37, 0, null32, be(int32(1), false))
	add("DescribeTopicPartitions v0 topics", 75, 0, []byte{0}, be(int32(1)), []byte{0xff, 0})
	add("DescribeProducers v0 topics", 61, 0, []byte{0, 0})
	add("DescribeQuorum v0 topics", 55, 0, []byte{0, 0})
	return list
}

// pipelineCases: something good first.
func pipelineCases() (list []wireCase) {
	good := framed(header(18, 0, "hostile", false))
	bad := framed(header(4, 0, "hostile", false))
	list = append(list,
		whole("pipeline/a good request and an unknown key", append(bytes.Clone(good), bad...)),
		whole("pipeline/ten good requests and an unknown key", append(bytes.Repeat(good, 10), bad...)),
		whole("pipeline/a good request and a length of -1", append(bytes.Clone(good), be(int32(-1))...)),
		whole("pipeline/a good request and ones", append(bytes.Clone(good), bytes.Repeat([]byte{0xff}, 100)...)),
		part("pipeline/a good request and half of one", append(bytes.Clone(good), good[:9]...)),
		part("pipeline/a good request and text", append(bytes.Clone(good), []byte("\x00\x01 hello")...)),
		whole("pipeline/an unknown key and a good request", append(bytes.Clone(bad), good...)),
		whole("pipeline/a thousand good requests", bytes.Repeat(good, 1000)),
	)
	acks0 := kmsg.NewPtrProduceRequest()
	acks0.Version, acks0.Acks = 9, 0
	list = append(list, whole("pipeline/acks=0 to nobody", request(acks0)))
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic = "hostile"
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = []byte("no batch")
	topic.Partitions = append(topic.Partitions, p)
	acks0.Topics = append(acks0.Topics, topic)
	list = append(list, whole("pipeline/acks=0 with garbage", request(acks0)))
	for _, acks := range []int16{-2, 2, 127, math.MinInt16} {
		r := *acks0
		r.Acks = acks
		list = append(list, whole(fmt.Sprintf("pipeline/acks=%d", acks), request(&r)))
	}
	return list
}

// lastCases come last: Apache Kafka keeps the topics of CreateTopics in a hash table of its own and needs the square of
// their number when all are alike. This megabyte takes one of its three network threads, with a third of all
// connections, for many minutes.
func lastCases() []wireCase {
	return []wireCase{whole("bomb/CreateTopics v4 with 65,536 nameless topics", framed(header(19, 4, "hostile", false), be(int32(65536)), make([]byte, 16*65536), be(int32(1), false)))}
}
