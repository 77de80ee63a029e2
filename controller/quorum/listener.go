package quorum

import "iter"

// Entry is one committed data record of the metadata log. Control records are not delivered.
type Entry struct {
	Offset     int64
	Epoch      int32
	AppendTime int64  // ms, the batch's
	Value      []byte // a metadata record with its frame; valid until the call returns
	EndOfBatch bool   // the last data record of its batch
}

// SnapshotID names a snapshot: everything below EndOffset, whose last batch was written in Epoch.
type SnapshotID struct {
	EndOffset int64
	Epoch     int32
}

// Snapshot is one to be loaded in place of everything a listener knows.
type Snapshot struct {
	ID         SnapshotID
	AppendTime int64 // ms; the last contained log timestamp of the header
	// Values yields the data records in order. A value is valid until the next step. An error means the file is damaged.
	Values iter.Seq2[[]byte, error]
}

// Listener is told what the quorum has decided. All calls come from one goroutine, in order.
type Listener interface {
	// Committed delivers records at or below the high watermark, whole batches, each offset once after a LoadSnapshot.
	Committed(entries []Entry)
	// LoadSnapshot comes first when the log no longer starts at the listener's next offset.
	LoadSnapshot(s Snapshot)
	// LeaderChanged says who leads; leader is -1 while nobody is known. When leader is this node, everything committed
	// before the epoch's start has been delivered.
	LeaderChanged(leader int32, epoch int32)
}
