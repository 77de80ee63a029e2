package record

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dohle-io/dohle/protocol/compress"
)

// Options of a batch. Start from NewOptions: the zero value means producer 0, not "no producer".
type Options struct {
	BaseOffset    int64
	LeaderEpoch   int32
	Codec         compress.Codec
	Level         int              // compression level on the codec's scale, 0 its default
	Codecs        *compress.Codecs // needed when Codec is not None
	TimestampType TimestampType
	LogAppendTime int64 // ms, the max timestamp with LogAppendTime
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
	Transactional bool
	Control       bool
	DeleteHorizon int64 // ms; -1 none
}

// NewOptions gives the options of a plain batch at offset 0: no producer, no leader epoch, no delete horizon.
func NewOptions() Options {
	return Options{LeaderEpoch: NoLeaderEpoch, ProducerID: NoProducerID, ProducerEpoch: NoProducerEpoch,
		BaseSequence: NoSequence, DeleteHorizon: NoTimestamp, LogAppendTime: NoTimestamp}
}

// Builder makes one batch after another. An uncompressed batch has the bytes that Kafka's own builder makes.
// Mistakes of the caller (offsets that do not rise, a timestamp below -1, a data record in a control batch) are kept
// and reported by Build.
type Builder struct {
	o            Options
	buf          []byte // header's place, then the records
	count        int32
	lastOffset   int64
	baseTime     int64
	hasBaseTime  bool
	maxTimestamp int64
	err          error
}

var (
	errNoRecords  = errors.New("record: a batch needs a record")
	errControl    = errors.New("record: control records and data records do not share a batch")
	errLastOffset = errors.New("record: a batch cannot end below its last record")
	errProducer   = errors.New("record: a producer id needs an epoch and a sequence, a transaction needs a producer id")
)

// NewBuilder starts a batch.
func NewBuilder(o Options) *Builder {
	w := new(Builder)
	w.Reset(o)
	return w
}

// Reset starts another batch in the same buffer.
func (w *Builder) Reset(o Options) {
	*w = Builder{o: o, buf: append(w.buf[:0], make([]byte, HeaderSize)...), lastOffset: o.BaseOffset - 1, maxTimestamp: NoTimestamp}
	if o.DeleteHorizon != NoTimestamp {
		w.baseTime, w.hasBaseTime = o.DeleteHorizon, true
	}
}

// Add appends a record at the next offset. timestamp is in ms, -1 for none; a nil key or value is null.
func (w *Builder) Add(timestamp int64, key, value []byte, headers ...Header) {
	w.AddAt(w.lastOffset+1, timestamp, key, value, headers...)
}

// AddAt appends a record at an offset above the last one.
func (w *Builder) AddAt(offset, timestamp int64, key, value []byte, headers ...Header) {
	if w.o.Control {
		w.fail(errControl)
		return
	}
	size := sizeVarint(int32(len(headers)))
	for i := range headers {
		size += sizeVarint(int32(len(headers[i].Key))) + len(headers[i].Key) + sizeBytes(headers[i].Value)
	}
	if !w.open(offset, timestamp, key, value, size) {
		return
	}
	w.buf = appendVarint(w.buf, int32(len(headers)))
	for i := range headers {
		w.buf = appendVarint(w.buf, int32(len(headers[i].Key)))
		w.buf = append(w.buf, headers[i].Key...)
		w.buf = appendBytes(w.buf, headers[i].Value)
	}
}

// AddControl appends a control record at the next offset. value is the message as the type asks for it.
func (w *Builder) AddControl(timestamp int64, t ControlType, value []byte) {
	if !w.o.Control {
		w.fail(errControl)
		return
	}
	var key [4]byte // version 0, type
	binary.BigEndian.PutUint16(key[2:], uint16(t))
	if w.open(w.lastOffset+1, timestamp, key[:], value, 1) {
		w.buf = append(w.buf, 0)
	}
}

// Copy appends a record of another batch at the offset BaseOffset + its delta, headers and all.
func (w *Builder) Copy(r *Record) {
	size := sizeVarint(int32(r.HeaderCount))
	for k, v := range r.AllHeaders() {
		size += sizeBytes(k) + sizeBytes(v)
	}
	if !w.open(w.o.BaseOffset+int64(r.OffsetDelta), r.Timestamp, r.Key, r.Value, size) {
		return
	}
	w.buf = appendVarint(w.buf, int32(r.HeaderCount))
	for k, v := range r.AllHeaders() { // not the raw bytes: their lengths may be in longer forms
		w.buf = appendBytes(appendBytes(w.buf, k), v)
	}
}

// open writes a record up to its headers, which the caller writes in headersSize bytes.
func (w *Builder) open(offset, timestamp int64, key, value []byte, headersSize int) bool {
	if w.err != nil {
		return false
	}
	if offset <= w.lastOffset || offset-w.o.BaseOffset > maxInt32 {
		w.fail(fmt.Errorf("record: offset %d does not follow %d", offset, w.lastOffset))
		return false
	}
	if timestamp < NoTimestamp {
		w.fail(fmt.Errorf("record: negative timestamp %d", timestamp))
		return false
	}
	if !w.hasBaseTime {
		w.baseTime, w.hasBaseTime = timestamp, true
	}
	w.lastOffset = offset
	w.maxTimestamp = max(w.maxTimestamp, timestamp)
	w.count++
	delta, timeDelta := int32(offset-w.o.BaseOffset), timestamp-w.baseTime
	size := 1 + sizeVarlong(timeDelta) + sizeVarint(delta) + sizeBytes(key) + sizeBytes(value) + headersSize
	if size > maxInt32-len(w.buf)-5 {
		w.fail(errors.New("record: the batch is larger than 2 GiB"))
		return false
	}
	w.buf = appendVarint(w.buf, int32(size))
	w.buf = append(w.buf, 0)
	w.buf = appendVarlong(w.buf, timeDelta)
	w.buf = appendVarint(w.buf, delta)
	w.buf = appendBytes(w.buf, key)
	w.buf = appendBytes(w.buf, value)
	return true
}

func (w *Builder) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// Len is the number of records so far.
func (w *Builder) Len() int { return int(w.count) }

// Size is the size of the batch so far in bytes, before compression.
func (w *Builder) Size() int { return len(w.buf) }

// NextOffset is the offset that Add would use.
func (w *Builder) NextOffset() int64 { return w.lastOffset + 1 }

// Build finishes the batch. The bytes are the caller's.
func (w *Builder) Build() (Batch, error) {
	out, err := w.Append(nil)
	return Batch(out), err
}

// Append finishes the batch and appends it to dst.
func (w *Builder) Append(dst []byte) ([]byte, error) {
	switch {
	case w.err != nil:
		return dst, w.err
	case w.count == 0:
		return dst, errNoRecords
	case w.o.Transactional && w.o.ProducerID == NoProducerID,
		w.o.ProducerID != NoProducerID && w.o.ProducerEpoch == NoProducerEpoch,
		w.o.ProducerID != NoProducerID && w.o.BaseSequence < 0 && !w.o.Control:
		return dst, errProducer
	}
	at := len(dst)
	if w.o.Codec == compress.None {
		dst = append(dst, w.buf...)
	} else {
		var err error
		dst = append(dst, w.buf[:HeaderSize]...)
		if dst, err = w.o.Codecs.Compress(dst, w.o.Codec, w.o.Level, w.buf[HeaderSize:]); err != nil {
			return dst[:at], err
		}
	}
	w.o.header(dst[at:], int32(w.lastOffset-w.o.BaseOffset), w.baseTime, w.maxTimestamp, w.count)
	return dst, nil
}

// Empty makes a batch without records, as compaction leaves it to keep offsets and a producer's last sequence.
// lastOffset is inclusive, maxTimestamp in ms.
func Empty(o Options, lastOffset, maxTimestamp int64) Batch {
	b := make(Batch, HeaderSize)
	o.Codec, o.DeleteHorizon = compress.None, NoTimestamp
	o.header(b, int32(lastOffset-o.BaseOffset), NoTimestamp, maxTimestamp, 0)
	return b
}

// header fills the header of the batch b, whose records are in place, and its CRC.
func (o *Options) header(b []byte, lastOffsetDelta int32, baseTime, maxTime int64, count int32) {
	attributes := uint16(o.Codec) & attrCodec
	if o.TimestampType == LogAppendTime {
		attributes |= attrLogAppendTime
		if count > 0 {
			maxTime = o.LogAppendTime
		}
	}
	if o.Transactional {
		attributes |= attrTransactional
	}
	if o.Control {
		attributes |= attrControl
	}
	if o.DeleteHorizon != NoTimestamp {
		attributes |= attrDeleteHorizon
	}
	be := binary.BigEndian
	be.PutUint64(b, uint64(o.BaseOffset))
	be.PutUint32(b[offLength:], uint32(len(b)-Overhead))
	be.PutUint32(b[offEpoch:], uint32(o.LeaderEpoch))
	b[offMagic] = 2
	be.PutUint16(b[offAttributes:], attributes)
	be.PutUint32(b[offLastOffsetDelta:], uint32(lastOffsetDelta))
	be.PutUint64(b[offBaseTimestamp:], uint64(baseTime))
	be.PutUint64(b[offMaxTimestamp:], uint64(maxTime))
	be.PutUint64(b[offProducerID:], uint64(o.ProducerID))
	be.PutUint16(b[offProducerEpoch:], uint16(o.ProducerEpoch))
	be.PutUint32(b[offBaseSequence:], uint32(o.BaseSequence))
	be.PutUint32(b[offCount:], uint32(count))
	Batch(b).setCRC()
}

func sizeBytes(b []byte) int {
	if b == nil {
		return 1
	}
	return sizeVarint(int32(len(b))) + len(b)
}

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 1) // -1
	}
	return append(appendVarint(dst, int32(len(b))), b...)
}
