package record

import "github.com/dohle-io/dohle/protocol/compress"

// Origin says who appends.
type Origin int8

// The origins, as Kafka's AppendOrigin.
const (
	Client      Origin = iota // everything is checked
	Coordinator               // a coordinator of this broker, transaction markers among it: the batch header is trusted
	Raft                      // the metadata log: likewise
	Follower                  // what the leader stored: only the CRC is checked
)

// Target is the compression.type of a topic: keep the producer's codec, or store with this one.
type Target struct {
	Recompress bool // false: compression.type=producer
	Codec      compress.Codec
	Level      int // on the codec's scale (KIP-390), 0 its default
}

// Rules is what a log asks of the batches appended to it.
type Rules struct {
	Origin          Origin
	Compacted       bool          // cleanup.policy contains compact: every record needs a key
	TimestampType   TimestampType // message.timestamp.type
	BeforeMaxMs     int64         // message.timestamp.before.max.ms
	AfterMaxMs      int64         // message.timestamp.after.max.ms
	NowMs           int64         // broker time, ms since 1970
	ProduceVersion  int16         // of the request; 0 when there is none. zstd needs 7 (KIP-110)
	Target          Target        // compression.type
	MaxDecompressed int           // max.decompressed.message.bytes, of one record in a compressed batch; <= 0: no limit
	Partition       string        // "topic-3", for error texts
}

// Info is what Validate learned about a batch.
type Info struct {
	// MaxTimestamp is the largest timestamp of the records in ms (-1 none), or the append time.
	MaxTimestamp int64
	// OffsetOfMaxTimestamp is the offset, relative to the base offset, of the first record with MaxTimestamp.
	// For origin Follower, which does not read records, it is the last offset.
	OffsetOfMaxTimestamp int32
	Records              int32
	// ReEncode says that the batch must be written anew before it is stored, because the topic wants another codec.
	ReEncode bool
}

// reencodes says whether a batch is stored with another codec than it came with. Control batches stay as they are.
func (r *Rules) reencodes(b Batch) bool {
	return r.Target.Recompress && r.Target.Codec != b.Codec() && r.Origin != Follower && !b.IsControl()
}

// Finish gives the batch its stored form: the topic's timestamp type and the true max timestamp in the header (in
// place), or, when i.ReEncode is set, a new batch. b must have passed Validate with the same rules, and i is its answer.
// Base offset and leader epoch are kept; the caller sets them. A new batch may be larger than b: check its size again.
func (i Info) Finish(b Batch, rules Rules, c *compress.Codecs) (Batch, error) {
	if i.ReEncode {
		return Reencode(nil, b, rules, c)
	}
	if rules.Origin != Follower {
		b.setTimestamps(rules.TimestampType, i.MaxTimestamp)
	}
	return b, nil
}

// Reencode appends to dst the batch b written anew with the codec and timestamp type that rules ask for, and returns
// the new batch. Producer fields, flags, offsets, leader epoch and the records' own timestamps are kept; a delete
// horizon is not, as in Kafka.
func Reencode(dst []byte, b Batch, rules Rules, c *compress.Codecs) (Batch, error) {
	codec, level := b.Codec(), 0
	if rules.Target.Recompress {
		codec, level = rules.Target.Codec, rules.Target.Level
	}
	w := NewBuilder(Options{
		BaseOffset: b.BaseOffset(), LeaderEpoch: b.PartitionLeaderEpoch(),
		Codec: codec, Level: level, Codecs: c,
		TimestampType: rules.TimestampType, LogAppendTime: rules.NowMs,
		ProducerID: b.ProducerID(), ProducerEpoch: b.ProducerEpoch(), BaseSequence: b.BaseSequence(),
		Transactional: b.IsTransactional(), DeleteHorizon: NoTimestamp,
	})
	var r Reader
	defer r.Close()
	for r.Reset(b, c, 0); r.Next(); {
		w.Copy(r.Record())
	}
	if err := r.Err(); err != nil {
		return nil, damaged(err)
	}
	at := len(dst)
	out, err := w.Append(dst)
	if err != nil {
		return nil, badReencode(err)
	}
	return Batch(out[at:]), nil
}
