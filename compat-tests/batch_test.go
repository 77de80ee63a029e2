package compat

import (
	"bytes"
	"compress/gzip"
	bigendian "encoding/binary"
	"hash/crc32"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// A batch is a record batch of format 2 with every field in reach. What lies about something is set by hand; the
// rest is computed as it should be.
type batch struct {
	baseOffset  int64
	epoch       int32
	magic       int8
	attributes  int16
	lastDelta   int32
	baseTime    int64
	maxTime     int64
	pid         int64
	pidEpoch    int16
	sequence    int32
	count       int32
	records     [][]byte
	length      *int32                      // else what it is
	crcFlip     uint32                      // bits of the checksum that are wrong
	plainTail   []byte                      // behind the records, compressed with them
	compressed  func([]byte, []byte) []byte // gets compressed and plain records, returns what is sent
	tail        []byte                      // behind the batch
	instead     []byte                      // sent instead of it all
	wholeChange func([]byte) []byte         // the last word
}

const (
	gzipCodec = iota + 1
	snappyCodec
	lz4Codec
	zstdCodec
)

var codecNames = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// wireRecord is one record; nil is null.
func wireRecord(timeDelta, offsetDelta int64, key, value []byte, headers ...[]byte) []byte {
	body := []byte{0}
	body = bigendian.AppendVarint(body, timeDelta)
	body = bigendian.AppendVarint(body, offsetDelta)
	body = wireBytes(wireBytes(body, key), value)
	body = bigendian.AppendVarint(body, int64(len(headers)/2))
	for _, h := range headers {
		body = wireBytes(body, h)
	}
	return append(bigendian.AppendVarint(nil, int64(len(body))), body...)
}

func wireBytes(dst, b []byte) []byte {
	if b == nil {
		return bigendian.AppendVarint(dst, -1)
	}
	return append(bigendian.AppendVarint(dst, int64(len(b))), b...)
}

// newBatch is a good batch of n records.
func newBatch(now int64, n int) *batch {
	b := &batch{magic: 2, lastDelta: int32(n - 1), baseTime: now, maxTime: now + int64(n-1), pid: -1, pidEpoch: -1, sequence: -1, count: int32(n)}
	for i := range n {
		b.records = append(b.records, wireRecord(int64(i), int64(i), []byte("key"), []byte("a value"), []byte("h"), []byte("v")))
	}
	return b
}

func (b *batch) encode() []byte {
	if b.instead != nil {
		return b.instead
	}
	plain := append(bytes.Join(b.records, nil), b.plainTail...)
	payload := compressedBy(int(b.attributes&7), plain)
	if b.compressed != nil {
		payload = b.compressed(payload, plain)
	}
	checked := be(b.attributes, b.lastDelta, b.baseTime, b.maxTime, b.pid, b.pidEpoch, b.sequence, b.count, payload)
	crc := crc32.Checksum(checked, crc32.MakeTable(crc32.Castagnoli)) ^ b.crcFlip
	length := int32(9 + len(checked))
	if b.length != nil {
		length = *b.length
	}
	out := be(b.baseOffset, length, b.epoch, b.magic, crc, checked, b.tail)
	if b.wholeChange != nil {
		out = b.wholeChange(out)
	}
	return out
}

func compressedBy(codec int, plain []byte) []byte {
	var out bytes.Buffer
	switch codec {
	case gzipCodec:
		w := gzip.NewWriter(&out)
		w.Write(plain)
		w.Close()
	case snappyCodec: // as snappy-java frames it: a header, then blocks with their lengths
		out.Write(append([]byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}, be(int32(1), int32(1))...))
		for len(plain) > 0 {
			block := s2.EncodeSnappy(nil, plain[:min(len(plain), 1<<16)])
			out.Write(be(int32(len(block)), block))
			plain = plain[min(len(plain), 1<<16):]
		}
	case lz4Codec:
		w := lz4.NewWriter(&out)
		w.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false))
		w.Write(plain)
		w.Close()
	case zstdCodec:
		w, _ := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
		w.Write(plain)
		w.Close()
	default:
		return plain
	}
	return out.Bytes()
}

// oldMessage is a message of format 0 or 1.
func oldMessage(magic int8, now int64) []byte {
	body := be(magic, int8(0))
	if magic == 1 {
		body = append(body, be(now)...)
	}
	body = append(body, be(int32(3), []byte("key"), int32(5), []byte("value"))...)
	message := be(crc32.ChecksumIEEE(body), body)
	return be(int64(0), int32(len(message)), message)
}
