package record

import (
	"iter"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol/compress"
)

// Reader walks the records of one batch after another without allocating per record.
//
//	var r record.Reader
//	defer r.Close()
//	for r.Reset(batch, codecs, 0); r.Next(); {
//		use(r.Record())
//	}
//	err := r.Err()
//
// Keys and values of a compressed batch lie in a pooled buffer: they are valid until the next Reset or Close.
type Reader struct {
	rec       Record
	payload   []byte
	at        int
	index     int32
	count     int32
	base      int64
	timestamp int64 // base timestamp, or the time of every record
	appended  bool  // LogAppendTime
	scratch   *compress.Scratch
	err       error
}

// Reset starts with the batch b, as Next gave it. maxDecompressed caps the decompressed payload in bytes; <= 0 is
// compress.DefaultMax. c may be nil when b is not compressed. An error shows in Err after Next gave false.
func (r *Reader) Reset(b Batch, c *compress.Codecs, maxDecompressed int) {
	r.Close()
	r.start(b)
	if r.err != nil || r.count == 0 || b.Codec() == compress.None {
		return
	}
	if r.scratch, r.err = c.Borrow(b.Codec(), b.Payload(), maxDecompressed); r.err == nil {
		r.payload = r.scratch.Bytes()
	}
}

func (r *Reader) start(b Batch) {
	*r = Reader{payload: b.Payload(), base: b.BaseOffset(), timestamp: b.BaseTimestamp(), count: b.Count()}
	if b.TimestampType() == LogAppendTime {
		r.timestamp, r.appended = b.MaxTimestamp(), true
	}
	if r.count < 0 {
		r.err = errCount(b)
	}
}

// Next reads the next record; false at the end or when the batch is damaged.
func (r *Reader) Next() bool {
	if r.err != nil || r.index >= r.count {
		return false
	}
	var f fields
	if p := f.parse(r.payload, r.at); p != fine {
		r.err = p.recordError(r.index)
		return false
	}
	rec := &r.rec
	rec.OffsetDelta = f.offsetDelta
	rec.Offset = r.base + int64(f.offsetDelta)
	rec.Timestamp = r.timestamp
	if !r.appended {
		rec.Timestamp += f.timestampDelta
	}
	rec.Key, rec.Value = nil, nil
	if f.keySize >= 0 {
		end := f.keyAt + int(f.keySize)
		rec.Key = r.payload[f.keyAt:end:end]
	}
	if f.valueSize >= 0 {
		end := f.valueAt + int(f.valueSize)
		rec.Value = r.payload[f.valueAt:end:end]
	}
	rec.HeaderCount = int(f.headerCount)
	rec.Headers = r.payload[f.headersAt:f.end:f.end]
	r.at = f.end
	r.index++
	if r.index == r.count && r.at != len(r.payload) {
		r.err = errRemaining()
		return false
	}
	return true
}

// Record is the record that Next read. It is overwritten by the next call.
func (r *Reader) Record() *Record { return &r.rec }

// Err is why Next ended early: INVALID_RECORD for damaged records, what compress says for damaged compression.
func (r *Reader) Err() error { return r.err }

// Close gives the buffer back. The Reader may be used again after Reset.
func (r *Reader) Close() {
	if r.scratch != nil {
		r.scratch.Release()
		r.scratch = nil
	}
	r.payload, r.rec = nil, Record{}
}

// Records yields the records of the batch, then an error if it is damaged. Keys and values stay valid as long as the
// batch's bytes do (a compressed batch is decompressed into memory of its own). Arguments are those of Reader.Reset;
// without codecs a compressed batch is an error: control batches never are.
func (b Batch) Records(c *compress.Codecs, maxDecompressed int) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var r Reader
		r.start(b)
		switch {
		case r.err != nil || r.count == 0 || b.Codec() == compress.None:
		case c == nil:
			r.err = refuse(kerr.InvalidRecord, "Found a batch compressed with %s where none may be compressed", b.Codec())
		default:
			r.payload, r.err = c.Decompress(nil, b.Codec(), b.Payload(), maxDecompressed)
		}
		for r.Next() {
			if !yield(r.rec, nil) {
				return
			}
		}
		if r.err != nil {
			yield(Record{}, r.err)
		}
	}
}

func errCount(b Batch) error {
	return refuse(kerr.InvalidRecord, "Found invalid record count %d in magic v%d batch", b.Count(), b.Magic())
}

func errRemaining() error {
	return refuse(kerr.InvalidRecord, "Incorrect declared batch size, records still remaining in file")
}
