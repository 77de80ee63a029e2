package quorum

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/protocol/record"
)

// Event is what happens to a Core. The types below are all there are.
type Event interface{ isEvent() }

// Tick: time has passed. Step does what is due at every event anyway.
type Tick struct{}

// Request is a request from another node or a client. Its answer is a Reply with the same Token, now or later.
type Request struct {
	Token uint64
	Req   kmsg.Request
}

// Cancel: nobody waits for that answer any more.
type Cancel struct{ Token uint64 }

// Response answers the Send with the same ID. Err is a failure of the transport; then Resp is nil. Reset says that the
// connection broke rather than that time ran out.
type Response struct {
	ID    uint64
	Resp  kmsg.Response
	Err   error
	Reset bool
}

// Propose appends batches, made with base offset 0, when this node leads the epoch each names. The Core patches
// offset and leader epoch in place. Output.Proposed answers in the same order.
type Propose struct{ Proposals []Proposal }

// Proposal is one atomic batch.
type Proposal struct {
	Epoch int32
	Batch record.Batch
}

// SnapshotInstalled: the write InstallSnapshot was carried out; the file says this about membership.
type SnapshotInstalled struct {
	ID         SnapshotID
	Membership Membership
}

// SnapshotsChanged: a snapshot was written here, or old ones were deleted and the log start rose.
type SnapshotsChanged struct {
	LogStart int64
	IDs      []SnapshotID
}

// Resign: give up the lead of that epoch.
type Resign struct{ Epoch int32 }

// Stop: the node is going down. A leader with other voters sends EndQuorumEpoch first; see Core.Stopped.
type Stop struct{}

func (Tick) isEvent()              {}
func (Request) isEvent()           {}
func (Cancel) isEvent()            {}
func (Response) isEvent()          {}
func (Propose) isEvent()           {}
func (SnapshotInstalled) isEvent() {}
func (SnapshotsChanged) isEvent()  {}
func (Resign) isEvent()            {}
func (Stop) isEvent()              {}

// Output is what one Step asks for. The writes come first, in order, and are durable before any message leaves
// (rule 1); a write that fails ends the node.
type Output struct {
	Writes   []Write
	Replies  []Reply
	Sends    []Send
	Proposed []Proposed
	Log      []string  // what an operator wants to read: role changes and refused things
	Wake     time.Time // call Step again at this moment at the latest
}

// WriteKind says what a Write does.
type WriteKind int8

// The kinds of writes.
const (
	SaveState       WriteKind = iota // replace quorum-state by State, in the form of KRaftVersion; durable at once
	AppendBatches                    // append Bytes, whole batches with offsets and epochs set
	SyncLog                          // fsync the log
	TruncateLog                      // cut the log at Offset; durable at once
	SnapshotChunk                    // write Bytes at Offset of the snapshot Snapshot being fetched
	InstallSnapshot                  // make it whole and durable, and empty the log behind it; answer SnapshotInstalled
	DropSnapshot                     // forget the snapshot being fetched
)

// Write is one change of the disk.
type Write struct {
	Kind         WriteKind
	State        ElectionState
	KRaftVersion int16
	Bytes        []byte
	Offset       int64
	Snapshot     SnapshotID
}

// Send is a request for another node. The node answers with one Response, at the latest after Timeout.
type Send struct {
	ID      uint64
	To      Address
	Node    int32 // below -1 for a bootstrap server whose id is unknown
	Req     kmsg.Request
	Timeout time.Duration
}

// Reply answers a Request. With Read set, bytes of the disk go into it first.
type Reply struct {
	Token uint64
	Resp  kmsg.Response
	Read  *Read
}

// Read names bytes for a reply: of the log when Snapshot is nil, at most MaxBytes from Offset on, but one whole batch
// at least, and whole batches only; or of a snapshot's file from Offset on.
type Read struct {
	Snapshot *SnapshotID
	Offset   int64
	MaxBytes int32
}

// Proposed answers one Proposal: the offset of the last record, or an error of Kafka's.
type Proposed struct {
	LastOffset int64
	Err        error
}
