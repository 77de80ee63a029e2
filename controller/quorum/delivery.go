package quorum

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol/record"
)

// delivery hands the committed log to the listeners, on a goroutine of its own so that a slow listener does not hold
// up a vote. It reads the log again rather than keeping batches in memory: they are in the page cache.
type delivery struct {
	wake chan struct{} // one slot

	mu        sync.Mutex
	listeners []*subscriber
	hw        int64 // exclusive; -1 unknown
	hwKnown   bool
	leader    leadership
}

type leadership struct {
	id, epoch int32
	after     int64 // tell only when the listener's next offset is above; -1: at once
}

type subscriber struct {
	l    Listener
	next int64 // -1: has not heard anything
	told leadership
}

// deliveryBytes is how much of the log one Committed call covers at most, but one batch.
const deliveryBytes = 1 << 20

func (d *delivery) add(l Listener) {
	d.mu.Lock()
	d.listeners = append(d.listeners, &subscriber{l: l, next: -1, told: leadership{id: -1, epoch: -1}})
	d.mu.Unlock()
	d.signal()
}

func (d *delivery) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// update tells what the Core now says.
func (d *delivery) update(v *view) {
	lead := leadership{id: -1, epoch: v.epoch, after: -1}
	if v.known {
		lead.id = v.leader
	}
	if v.leads {
		lead.after = v.epochStart
	}
	d.mu.Lock()
	changed := lead != d.leader || v.hw > d.hw || !d.hwKnown && v.hw >= 0
	d.leader = lead
	if v.hw >= 0 {
		d.hw, d.hwKnown = max(d.hw, v.hw), true
	}
	d.mu.Unlock()
	if changed {
		d.signal()
	}
}

func (d *delivery) state() (subs []*subscriber, hw int64, lead leadership) {
	d.mu.Lock()
	defer d.mu.Unlock()
	hw = -1
	if d.hwKnown {
		hw = d.hw
	}
	return slices.Clone(d.listeners), hw, d.leader
}

// deliverAll brings every listener up to the high watermark and tells it who leads.
func (n *Node) deliverAll() error {
	for {
		subs, hw, lead := n.out.state()
		behind := false
		for _, s := range subs {
			// A leader that is not this node is news at once; that this node leads comes after all before its epoch.
			n.tellLeader(s, lead)
			if err := n.deliver(s, hw); err != nil {
				return err
			}
			n.tellLeader(s, lead)
			behind = behind || s.next < hw
		}
		if !behind {
			return nil
		}
	}
}

func (n *Node) tellLeader(s *subscriber, lead leadership) {
	if lead.id == s.told.id && lead.epoch == s.told.epoch || lead.epoch < s.told.epoch || s.next <= lead.after && lead.after >= 0 {
		return
	}
	s.told = lead
	s.l.LeaderChanged(lead.id, lead.epoch)
}

// deliver hands over one stretch of the log, or a snapshot when the log does not reach down to the listener.
func (n *Node) deliver(s *subscriber, hw int64) error {
	if s.next >= hw {
		return nil
	}
	if id, ok := n.disk.latestSnapshot(); ok && (s.next < 0 || s.next < n.disk.log.LogStartOffset()) {
		return n.deliverSnapshot(s, id)
	}
	if s.next < 0 {
		s.next = 0
	}
	b, err := n.disk.log.ReadBytes(s.next, deliveryBytes, hw)
	if errors.Is(err, kerr.OffsetOutOfRange) && s.next < n.disk.log.LogStartOffset() {
		return nil // the log start rose meanwhile: the next round loads the snapshot
	}
	if err != nil {
		return fmt.Errorf("reading the committed log at %d: %w", s.next, err)
	}
	var entries []Entry
	next := s.next
	for len(b) > 0 {
		batch, rest, err := record.Next(b)
		if err != nil {
			return fmt.Errorf("reading the committed log at %d: %w", next, err)
		}
		b, next = rest, batch.NextOffset()
		if batch.IsControl() {
			continue
		}
		for r, err := range batch.Records(n.o.Codecs, maxSnapshotBatch) {
			if err != nil {
				return fmt.Errorf("reading the committed log at %d: %w", r.Offset, err)
			}
			value := r.Value
			if batch.Codec() != 0 {
				value = slices.Clone(value)
			}
			entries = append(entries, Entry{Offset: r.Offset, Epoch: batch.PartitionLeaderEpoch(), AppendTime: batch.MaxTimestamp(), Value: value})
		}
		if len(entries) > 0 {
			entries[len(entries)-1].EndOfBatch = true
		}
	}
	if next == s.next {
		return fmt.Errorf("the committed log has nothing at %d below the high watermark %d", s.next, hw)
	}
	if len(entries) > 0 {
		s.l.Committed(entries)
	}
	s.next = next
	return nil
}

func (n *Node) deliverSnapshot(s *subscriber, id SnapshotID) error {
	f, err := openSnapshot(n.o.FS, n.disk.dir, id, n.o.Codecs)
	if err != nil {
		return err
	}
	defer f.close()
	last, _, err := f.head(id)
	if err != nil {
		return err
	}
	var failed error
	values := f.values()
	s.l.LoadSnapshot(Snapshot{ID: id, AppendTime: last, Values: func(yield func([]byte, error) bool) {
		for v, err := range values {
			if err != nil {
				failed = err
			}
			if !yield(v, err) {
				return
			}
		}
	}})
	s.next = id.EndOffset
	return failed
}
