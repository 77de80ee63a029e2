package storage

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

// batchMeta remembers one appended batch of a producer, to recognize a retry.
type batchMeta struct {
	lastSequence int32
	delta        int32 // last offset minus base offset
	lastOffset   int64
	timestamp    int64
}

func (m batchMeta) firstOffset() int64 { return m.lastOffset - int64(m.delta) }

// firstSequence counts back from the last; 0 is preceded by 2^31-1 (P2).
func (m batchMeta) firstSequence() int32 {
	if m.lastSequence < m.delta {
		return math.MaxInt32 - (m.delta - m.lastSequence) + 1
	}
	return m.lastSequence - m.delta
}

const keptBatches = 5 // as many as an idempotent producer may have in flight

// producerEntry is what a log knows of one producer id. Kafka's rules for it are KIP-98, 360 and 890.
type producerEntry struct {
	id               int64
	epoch            int16 // -1: nothing known
	first, n         uint8 // ring of the last batches of this epoch
	coordinatorEpoch int32
	lastTimestamp    int64 // of the last batch or marker: what expiry counts from (KAFKA-9144)
	txnFirst         int64 // first offset of the open transaction, -1
	batches          [keptBatches]batchMeta
}

func newProducer(id int64) *producerEntry {
	return &producerEntry{id: id, epoch: record.NoProducerEpoch, coordinatorEpoch: -1, lastTimestamp: -1, txnFirst: -1}
}

// last is the newest batch; without one its fields say none, as in a snapshot.
func (p *producerEntry) last() batchMeta {
	if p.n == 0 {
		return batchMeta{lastSequence: record.NoSequence, lastOffset: -1}
	}
	return p.batches[(p.first+p.n-1)%keptBatches]
}

func (p *producerEntry) setEpoch(epoch int16) {
	if p.epoch != epoch {
		p.epoch, p.first, p.n = epoch, 0, 0
	}
}

func (p *producerEntry) add(epoch int16, m batchMeta) {
	p.setEpoch(epoch)
	if p.n == keptBatches {
		p.first, p.n = (p.first+1)%keptBatches, p.n-1
	}
	p.batches[(p.first+p.n)%keptBatches] = m
	p.n++
	p.lastTimestamp = m.timestamp
}

// duplicate finds a remembered batch with the same epoch and sequences.
func (p *producerEntry) duplicate(b record.Batch) (batchMeta, bool) {
	if b.ProducerEpoch() != p.epoch {
		return batchMeta{}, false
	}
	for i := range p.n {
		m := p.batches[(p.first+i)%keptBatches]
		if m.lastSequence == b.LastSequence() && m.firstSequence() == b.BaseSequence() {
			return m, true
		}
	}
	return batchMeta{}, false
}

// checkData refuses a batch of a client or coordinator that does not follow what is known. tp is for messages.
func (p *producerEntry) checkData(b record.Batch, a AppendOptions) error {
	epoch, seq := b.ProducerEpoch(), b.BaseSequence()
	if epoch < p.epoch {
		return fmt.Errorf("epoch of producer %d at offset %d is %d, which is smaller than the last seen epoch %d: %w",
			p.id, b.BaseOffset(), epoch, p.epoch, kerr.InvalidProducerEpoch)
	}
	if a.Origin == record.Client {
		switch {
		case a.EpochBump && seq != 0 && p.n == 0 && p.epoch == record.NoProducerEpoch: // KIP-890
			return p.outOfOrder(b, "a producer unknown here must start at sequence 0")
		case epoch != p.epoch:
			if seq != 0 && p.epoch != record.NoProducerEpoch {
				return p.outOfOrder(b, fmt.Sprintf("epoch %d must start at sequence 0, the current epoch is %d", epoch, p.epoch))
			}
		case !follows(p.last().lastSequence, seq):
			return p.outOfOrder(b, fmt.Sprintf("the last sequence is %d", p.last().lastSequence))
		}
	}
	if p.txnFirst >= 0 && !b.IsTransactional() {
		return fmt.Errorf("producer %d has a transaction open and wrote outside of it at offset %d: %w",
			p.id, b.BaseOffset(), kerr.InvalidTxnState)
	}
	return nil
}

func (p *producerEntry) outOfOrder(b record.Batch, why string) error {
	return fmt.Errorf("out of order sequence number for producer %d at offset %d: %d, %s: %w",
		p.id, b.BaseOffset(), b.BaseSequence(), why, kerr.OutOfOrderSequenceNumber)
}

func follows(last, next int32) bool {
	return int64(next) == int64(last)+1 || next == 0 && last == math.MaxInt32
}

// checkMarker refuses an end-of-transaction marker of a zombie coordinator or an old epoch.
func (p *producerEntry) checkMarker(b record.Batch, coordinatorEpoch int32, txnVersion int16) error {
	epoch := b.ProducerEpoch()
	stale := epoch < p.epoch
	if txnVersion >= 2 && epoch == p.epoch && p.txnFirst >= 0 && epoch != math.MaxInt16 {
		stale = true // with transactions v2 a marker raises the epoch; an equal one is a retry only when nothing is open (KAFKA-19999)
	}
	if stale {
		return fmt.Errorf("marker of producer %d at offset %d has epoch %d, the last seen is %d: %w",
			p.id, b.BaseOffset(), epoch, p.epoch, kerr.InvalidProducerEpoch)
	}
	if p.coordinatorEpoch > coordinatorEpoch {
		return fmt.Errorf("marker of producer %d has coordinator epoch %d, the last seen is %d: %w",
			p.id, coordinatorEpoch, p.coordinatorEpoch, kerr.TransactionCoordinatorFenced)
	}
	return nil
}

// marker is what an end-of-transaction control record says.
type marker struct {
	commit           bool
	coordinatorEpoch int32
	timestamp        int64
}

// completedTxn is a transaction whose marker was appended.
type completedTxn struct {
	producerID, first, last int64
	aborted                 bool
}

// apply moves the entry over a batch that is in the log. m is set for markers. started and done report a transaction
// that began or ended; done.first is -1 when the marker ended nothing.
func (p *producerEntry) apply(b record.Batch, m *marker) (started bool, done completedTxn) {
	done.first = -1
	if m != nil {
		if p.txnFirst >= 0 {
			done = completedTxn{p.id, p.txnFirst, b.LastOffset(), !m.commit}
		}
		p.setEpoch(b.ProducerEpoch())
		p.coordinatorEpoch, p.lastTimestamp, p.txnFirst = m.coordinatorEpoch, m.timestamp, -1
		return false, done
	}
	p.add(b.ProducerEpoch(), batchMeta{b.LastSequence(), b.LastOffsetDelta(), b.LastOffset(), b.MaxTimestamp()})
	if b.IsTransactional() && p.txnFirst < 0 {
		p.txnFirst = b.BaseOffset()
		return true, done
	}
	return false, done
}

// maxMarker bounds what a control batch may decompress to. Kafka never compresses one.
const maxMarker = 64 << 10

// readMarker decodes the control record of a batch; ok is false for a control batch of another kind or an empty one.
func readMarker(b record.Batch, c *compress.Codecs) (m marker, ok bool, err error) {
	if b.Count() == 0 {
		return m, false, nil // compaction has removed the marker's record
	}
	for r, err := range b.Records(c, maxMarker) {
		if err != nil {
			return m, false, err
		}
		kind, err := record.ParseControlKey(r.Key)
		if err != nil {
			return m, false, err
		}
		if kind != record.ControlAbort && kind != record.ControlCommit {
			return m, false, nil
		}
		end, err := record.ParseEndTxnValue(r.Value)
		if err != nil {
			return m, false, err
		}
		return marker{kind == record.ControlCommit, end.CoordinatorEpoch, r.Timestamp}, true, nil
	}
	return m, false, nil
}

// producerStates are the producers of one log. Owner: Log.mu.
type producerStates struct {
	byID    map[int64]*producerEntry
	all     []*producerEntry // the same, in the order they came: a walk over it is several times faster than over the map
	end     int64            // the state covers every batch below
	oldest  int64            // no entry without an open transaction has a smaller lastTimestamp; a hint that only saves work
	updates []producerUpdate
}

// producerUpdate is one batch of an append that was checked but is not in the log yet.
type producerUpdate struct {
	entry  producerEntry // as it was before the batch
	batch  record.Batch
	marker marker
	isMark bool
}

func (s *producerStates) get(id int64) *producerEntry { return s.byID[id] }

func (s *producerStates) put(p *producerEntry) {
	if s.byID == nil {
		s.byID = map[int64]*producerEntry{}
	}
	if s.byID[p.id] != p {
		s.byID[p.id] = p
		s.all = append(s.all, p)
	}
	s.oldest = min(s.oldest, p.lastTimestamp)
}

// expired says that a producer without an open transaction has been silent for expirationMs (P5).
func (p *producerEntry) expired(nowMs, expirationMs int64) bool {
	return p.txnFirst < 0 && nowMs-p.lastTimestamp >= expirationMs
}

// expire forgets expired producers. With a million of them a pass that finds nothing old costs nothing, and one that
// finds some is one walk (L17).
func (s *producerStates) expire(nowMs, expirationMs int64) (gone int) {
	if len(s.all) == 0 || nowMs-s.oldest < expirationMs {
		return 0
	}
	s.oldest = math.MaxInt64
	for _, p := range s.all {
		if p.expired(nowMs, expirationMs) {
			gone++
		} else {
			s.oldest = min(s.oldest, p.lastTimestamp)
		}
	}
	if gone == 0 {
		return 0
	}
	left := make([]*producerEntry, 0, len(s.all)-gone)
	many := gone > len(s.all)/2 // then a new map is cheaper than the deletions
	if many {
		s.byID = make(map[int64]*producerEntry, cap(left))
	}
	for _, p := range s.all {
		switch {
		case !p.expired(nowMs, expirationMs):
			left = append(left, p)
			if many {
				s.byID[p.id] = p
			}
		case !many:
			delete(s.byID, p.id)
		}
	}
	s.all = left
	return gone
}

func (s *producerStates) list() []*producerEntry { return slices.Clone(s.all) }

// ProducerState is what DescribeProducers tells of a producer. CurrentTxnStartOffset is -1 without a transaction.
type ProducerState struct {
	ProducerID            int64
	ProducerEpoch         int16
	LastSequence          int32
	LastTimestamp         int64
	CoordinatorEpoch      int32
	CurrentTxnStartOffset int64
}

// ActiveProducers lists the producers the log remembers, by id.
func (l *Log) ActiveProducers() []ProducerState {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]ProducerState, 0, len(l.producers.byID))
	for _, p := range l.producers.byID {
		out = append(out, ProducerState{p.id, p.epoch, p.last().lastSequence, p.lastTimestamp, p.coordinatorEpoch, p.txnFirst})
	}
	slices.SortFunc(out, func(a, b ProducerState) int { return cmp.Compare(a.ProducerID, b.ProducerID) })
	return out
}

// ExpireProducers forgets producers that have been silent for expirationMs of broker time.
func (l *Log) ExpireProducers(expirationMs int64) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.producers.expire(l.nowMs(), expirationMs)
}
