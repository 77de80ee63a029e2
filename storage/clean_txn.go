package storage

import (
	"cmp"
	"slices"

	"github.com/dohle-io/dohle/protocol/record"
)

// txnFilter follows the transactions of the batches that a pass reads in order of offset, from the start of the log on,
// across all its groups (KAFKA-8351): data of aborted ones goes, and a marker may go once no data is left that it ends
// (C3).
type txnFilter struct {
	ahead     []AbortedTxn         // those that have not begun, by first offset
	aborted   map[int64]abortedRun // producer -> the aborted transaction that is open
	committed map[int64]struct{}   // producers with an open transaction that will be committed
	found     []AbortedTxn         // whose marker was read since the last take, with data before it
}

type abortedRun struct {
	txn  AbortedTxn
	data bool // some of it was read in this pass
}

func newTxnFilter() *txnFilter {
	return &txnFilter{aborted: map[int64]abortedRun{}, committed: map[int64]struct{}{}}
}

// add tells of aborted transactions before their batches are read. One may be told of again.
func (t *txnFilter) add(list []AbortedTxn) {
	t.ahead = append(t.ahead, list...)
	slices.SortStableFunc(t.ahead, func(a, b AbortedTxn) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
}

func (t *txnFilter) begin(offset int64) {
	n := 0
	for ; n < len(t.ahead) && t.ahead[n].FirstOffset <= offset; n++ {
		a := t.ahead[n]
		if _, open := t.aborted[a.ProducerID]; !open {
			t.aborted[a.ProducerID] = abortedRun{txn: a}
		}
	}
	t.ahead = t.ahead[n:]
}

// data says whether a data batch belongs to an aborted transaction.
func (t *txnFilter) data(b record.Batch) (drop bool) {
	t.begin(b.LastOffset())
	if !b.IsTransactional() {
		return false
	}
	id := b.ProducerID()
	if run, ok := t.aborted[id]; ok {
		run.data = true
		t.aborted[id] = run
		return true
	}
	t.committed[id] = struct{}{}
	return false
}

// marker says whether a control batch ends a transaction of which nothing is left.
func (t *txnFilter) marker(b record.Batch) (drop bool, err error) {
	t.begin(b.LastOffset())
	for r, err := range b.Records(nil, maxMarker) {
		if err != nil {
			return false, err
		}
		kind, err := record.ParseControlKey(r.Key)
		if err != nil {
			return false, err
		}
		id := b.ProducerID()
		switch kind {
		case record.ControlAbort:
			run := t.aborted[id]
			delete(t.aborted, id)
			if run.data {
				t.found = append(t.found, run.txn)
			}
			return !run.data, nil
		case record.ControlCommit:
			_, data := t.committed[id]
			delete(t.committed, id)
			return !data, nil
		}
		return false, nil
	}
	return true, nil // emptied by an earlier pass
}

// take is the transaction index of what was read since the last call.
func (t *txnFilter) take() []AbortedTxn {
	found := t.found
	t.found = nil
	return found
}
