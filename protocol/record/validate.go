package record

import "github.com/dohle-io/dohle/protocol/compress"

// Origin says who appends.
type Origin int8

// The origins, as Kafka's AppendOrigin; Follower appends are not validated by the leader's rules.
const (
	Client Origin = iota
	Coordinator
	Raft
	Follower
)

// Target is the compression.type of a topic: keep the producer's codec, or use this one.
type Target struct {
	Recompress bool // false: compression.type=producer
	Codec      compress.Codec
	Level      int // codec's own scale; 0: the codec's default
}

// Rules is what a leader asks of a batch.
type Rules struct {
	Origin          Origin
	Compacted       bool          // every record needs a key
	TimestampType   TimestampType // of the topic
	BeforeMaxMs     int64         // message.timestamp.before.max.ms
	AfterMaxMs      int64         // message.timestamp.after.max.ms
	NowMs           int64
	ProduceVersion  int16  // zstd needs 7; 0: not asked
	Target          Target // compression.type
	MaxDecompressed int    // max.decompressed.message.bytes, of one record; <= 0: no limit of its own
	Partition       string // "topic-3", for messages
}

// Info is what Validate learned.
type Info struct {
	MaxTimestamp         int64 // ms; -1 none
	OffsetOfMaxTimestamp int32 // delta of the first record with MaxTimestamp; with LogAppendTime the last delta
	Records              int32
	ReEncode             bool // the batch must be written anew by Reencode before it is stored
}

// RecordError names one bad record of a batch.
type RecordError struct {
	BatchIndex int32
	Message    string
}

// RecordErrors carries the per-record errors of a refused batch (KIP-467).
type RecordErrors struct {
	Err     error // a *kerr.Error, possibly wrapped
	Records []RecordError
}

func (e *RecordErrors) Error() string { return e.Err.Error() }

// Unwrap gives the kerr value.
func (e *RecordErrors) Unwrap() error { return e.Err }

// Validate checks b against rules.
func Validate(b Batch, rules Rules, c *compress.Codecs) (Info, error) { return Info{}, nil }

// Reencode writes b anew as rules ask; base offset and leader epoch are kept.
func Reencode(dst []byte, b Batch, rules Rules, c *compress.Codecs) (Batch, error) { return b, nil }
