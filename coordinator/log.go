package coordinator

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Log is the partition that a shard stands on, in one leader epoch. The broker hands in a replica partition.
type Log interface {
	// Append writes one batch as the leader of this epoch and waits for nothing. records is free when it returns.
	// end is the offset that the high watermark must reach for the batch to be committed. Errors wrap a *kerr.Error.
	Append(records []byte) (base, end int64, err error)

	// MaxBatch is how large a batch may be, in bytes.
	MaxBatch() int

	Start() int64         // log start offset
	End() int64           // log end offset
	HighWatermark() int64 // 0 or more
	Bytes() int64         // about how large the log is

	// Read returns whole batches from offset on, into buf when they fit: at least one while there is one, else none.
	// The first may begin below offset.
	Read(offset int64, buf []byte) ([]byte, error)

	// Await has Shards.Moved called once the high watermark reaches offset, or the leadership ends.
	Await(offset int64)
}

// clientError is what a client is told about an append that the log did not take, as Kafka's group coordinator
// translates it.
func clientError(err error) *kerr.Error {
	var code *kerr.Error
	if !errors.As(err, &code) {
		return kerr.UnknownServerError
	}
	switch code {
	case kerr.UnknownTopicOrPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.RequestTimedOut:
		return kerr.CoordinatorNotAvailable
	case kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.KafkaStorageError:
		return kerr.NotCoordinator
	case kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidFetchSize:
		return kerr.UnknownServerError
	}
	return code
}

// failed reports whether an append error leaves the state of the log unknown or not ours, rather than unchanged.
func failed(code *kerr.Error) bool { return code == kerr.NotCoordinator }
