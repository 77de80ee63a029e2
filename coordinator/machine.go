package coordinator

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
)

// Machine is the state of one partition. Its methods, like the decisions that callers hand to Shards.Ask, run under the
// shard's lock, one at a time; they neither wait nor look at a clock.
type Machine interface {
	// Replay applies a record that the log holds to hard state. The record's bytes are valid only during the call. An
	// error means that this release does not understand the log.
	Replay(r Record, at Position) error

	// EndTransaction applies a transaction marker: what the producer wrote since the last one counts, or never was.
	EndTransaction(producerID int64, committed bool, at Position)

	// Loaded is called once, when the log has been replayed: it sets the timers of what was loaded.
	Loaded(now time.Time) Result

	// Expired is called when a timer that is still set fires. The timer is no longer set then.
	Expired(t Timer, now time.Time) Result

	// NewImage is called for every image after the one that the machine was made with.
	NewImage(img *metadata.Image, delta *metadata.Delta, now time.Time) Result
}

// Record is one record of an internal topic. A nil Value deletes the key.
type Record struct{ Key, Value []byte }

// Position is where a record stands in the log and who wrote it.
type Position struct {
	Offset        int64
	Timestamp     int64 // milliseconds
	ProducerID    int64 // -1 = none
	ProducerEpoch int16
	Transactional bool
}

// Token names a request that waits for its answer. Tokens are unique within a Shards; zero is none.
type Token uint64

// Turn is what a decision knows about the moment.
type Turn struct {
	Token Token // of the request that asks
	Now   time.Time
}

// Result is what a decision wants. The zero Result changes nothing and answers nobody: a request whose token is in no
// Reply stays parked until a later Result names it.
type Result struct {
	Records []Record // appended in one batch, all or none
	Replies []Reply  // given once the records, and all before them, are committed
	Timers  []Set    // take effect once the records are accepted

	// Then runs when the records have been replayed, in the same turn. It changes soft state; the Result that it
	// returns must not have Records.
	Then func() Result

	// Refused runs instead when the log did not take the records; nothing was written. err is what a client is told,
	// a *kerr.Error. Without it the request that asked is answered err by its own refusal. The Result must not have
	// Records.
	Refused func(err error) Result

	// TransactionalID's producer: records are written as its transactional batch. Zero ProducerID with Transactional
	// false is an ordinary batch.
	Transactional bool
	ProducerID    int64
	ProducerEpoch int16

	// Split lets the records be appended in several batches when they do not fit one: expired offsets.
	Split bool
}

// Reply answers a parked request.
type Reply struct {
	Token    Token
	Response kmsg.Response
}

// Timer names a timer of a shard. Kind is the machine's own.
type Timer struct {
	Kind          uint8
	Group, Member string
}

// Set arms a timer, moves it, or stops it when At is zero.
type Set struct {
	Timer
	At time.Time // Broker clock
}

// Answer is the Result that only answers the request that asks.
func (t Turn) Answer(resp kmsg.Response) Result {
	return Result{Replies: []Reply{{t.Token, resp}}}
}

// And joins two results of one decision: other's records, replies and timers follow r's. Both Thens run, in order.
func (r Result) And(other Result) Result {
	r.Records = append(r.Records, other.Records...)
	r.Replies = append(r.Replies, other.Replies...)
	r.Timers = append(r.Timers, other.Timers...)
	if first, second := r.Then, other.Then; first != nil && second != nil {
		r.Then = func() Result { return first().And(second()) }
	} else if second != nil {
		r.Then = second
	}
	if r.Refused == nil {
		r.Refused = other.Refused
	}
	r.Split = r.Split || other.Split
	return r
}
