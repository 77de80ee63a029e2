package replica

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol/record"
	"github.com/dohle-io/dohle/storage"
)

// CoordinatorLog is a partition in one leader epoch, as coordinators use it: package coordinator's Log.
type CoordinatorLog struct {
	p     *Partition
	epoch int32
	watch *Watch
	moved func()
}

// NewCoordinatorLog serves a coordinator as long as p is led in leaderEpoch. wake fires when a watched high watermark
// moved, its Watch's Owner is p's index; moved is called instead when there was nothing to wait for any more.
func NewCoordinatorLog(p *Partition, leaderEpoch int32, wake *Wake, moved func()) *CoordinatorLog {
	return &CoordinatorLog{p: p, epoch: leaderEpoch, watch: p.NewWatch(wake, HighWatermark, p.tp.Partition), moved: moved}
}

// Append writes a batch on behalf of a coordinator: acks=all, in this leader epoch only.
func (l *CoordinatorLog) Append(records []byte) (base, end int64, err error) {
	a, err := l.p.append(records, AcksAll, l.epoch, storage.AppendOptions{Origin: record.Coordinator})
	if err != nil {
		return 0, 0, err
	}
	return a.FirstOffset, a.Required(), nil
}

// MaxBatch is the topic's max.message.bytes.
func (l *CoordinatorLog) MaxBatch() int { return int(l.p.log.Config().MaxMessageBytes) }

// Start, End and HighWatermark are the log's.
func (l *CoordinatorLog) Start() int64         { return l.p.LogStart() }
func (l *CoordinatorLog) End() int64           { return l.p.Offset(LogEnd) }
func (l *CoordinatorLog) HighWatermark() int64 { return l.p.Offset(HighWatermark) }

// Bytes is the size of the log on disk.
func (l *CoordinatorLog) Bytes() int64 { return l.p.log.Size() }

// Read returns whole batches from offset on, in buf when they fit.
func (l *CoordinatorLog) Read(offset int64, buf []byte) ([]byte, error) {
	r, err := l.p.Read(&Read{Offset: offset, MaxBytes: len(buf), WholeFirst: true, Bound: LogEnd, NeedLeader: true, LeaderEpoch: l.epoch, LastFetchedEpoch: -1, ReplicaID: -1})
	if err != nil {
		return nil, err
	}
	defer r.Slice.Release()
	n := r.Slice.Len()
	if n > len(buf) {
		buf = make([]byte, n)
	}
	read, err := r.Slice.ReadAt(buf[:n], 0)
	if read < n {
		if err == nil {
			err = kerr.KafkaStorageError
		}
		return nil, err
	}
	return whole(buf[:n]), nil
}

// whole cuts off a batch that is not complete.
func whole(batches []byte) []byte {
	end := 0
	for end < len(batches) {
		size, err := record.SizeAt(batches[end:])
		if err != nil || size > len(batches)-end {
			break
		}
		end += size
	}
	return batches[:end]
}

// Await has the wake fire once the high watermark reaches offset, or the partition's role changes.
func (l *CoordinatorLog) Await(offset int64) {
	l.watch.Arm(offset)
	if st := l.p.State(); st.Role != RoleLeader || st.LeaderEpoch != l.epoch || l.HighWatermark() >= offset {
		l.moved()
	}
}
