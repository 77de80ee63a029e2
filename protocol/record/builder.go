package record

import "github.com/dohle-io/dohle/protocol/compress"

// Header is one header of a record. Kafka allows a nil Value but no nil Key.
type Header struct {
	Key   string
	Value []byte
}

// Options of a Builder. NewOptions gives the values of a plain batch.
type Options struct {
	BaseOffset    int64
	LeaderEpoch   int32
	Codec         compress.Codec
	Level         int
	Codecs        *compress.Codecs // needed when Codec is not None
	TimestampType TimestampType
	LogAppendTime int64 // ms, with LogAppendTime
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
	Transactional bool
	Control       bool
	DeleteHorizon int64 // ms; -1 none
}

// NewOptions gives the options of a plain batch: no producer, no epoch, no delete horizon.
func NewOptions() Options {
	return Options{LeaderEpoch: NoLeaderEpoch, ProducerID: NoProducerID, ProducerEpoch: NoProducerEpoch,
		BaseSequence: NoSequence, DeleteHorizon: NoTimestamp, LogAppendTime: NoTimestamp}
}

// Builder makes one batch.
type Builder struct{ o Options }

// NewBuilder starts a batch.
func NewBuilder(o Options) *Builder { return &Builder{o: o} }

// Reset starts another batch and keeps the buffers.
func (w *Builder) Reset(o Options) { w.o = o }

// Add appends a record at the next offset. Key and value may be nil.
func (w *Builder) Add(timestamp int64, key, value []byte, headers ...Header) {}

// AddAt appends a record at an offset of the caller's, above the last one.
func (w *Builder) AddAt(offset, timestamp int64, key, value []byte, headers ...Header) {}

// AddControl appends a control record: key is version 0 and the type, value the message.
func (w *Builder) AddControl(timestamp int64, controlType int16, value []byte) {}

// Len is the number of records so far.
func (w *Builder) Len() int { return 0 }

// Size is the number of bytes of the batch so far, before compression.
func (w *Builder) Size() int { return 0 }

// Build finishes the batch. It is a fresh slice of the caller's.
func (w *Builder) Build() (Batch, error) { return nil, nil }
