package record

import (
	"iter"

	"github.com/dohle-io/dohle/protocol/compress"
)

// Record is one record of a batch. Key, Value and Headers alias the batch or its decompressed payload.
type Record struct {
	Offset      int64
	Timestamp   int64 // ms; of the batch when LogAppendTime
	OffsetDelta int32
	HeaderCount int
	Key, Value  []byte // nil is null, empty is not
	Headers     []byte // raw: HeaderCount pairs; see HeaderIter
}

// Records yields the records of the batch.
func (b Batch) Records(c *compress.Codecs, maxDecompressed int) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {}
}
