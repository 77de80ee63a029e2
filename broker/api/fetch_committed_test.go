package api

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/protocol/record"
	"github.com/dohle-io/dohle/storage"
)

// transactional appends as a coordinator's client would, past the handler, which serves no transactions yet.
func (r *dataRig) transactional(topic string, producer int64, seq int32, values ...string) {
	r.t.Helper()
	o := idempotent(producer, 0, seq)
	o.Transactional = true
	_, err := r.partition(topic, 0).Append(batchWith(o, time.Now().UnixMilli(), values...), replica.AcksAll, storage.AppendOptions{Origin: record.Client})
	require.NoError(r.t, err)
}

// end writes the marker that ends a transaction.
func (r *dataRig) end(topic string, producer int64, commit bool) {
	r.t.Helper()
	o := idempotent(producer, 0, -1)
	o.Transactional, o.Control, o.BaseSequence = true, true, record.NoSequence
	w := record.NewBuilder(o)
	kind := record.ControlType(0)
	if commit {
		kind = 1
	}
	w.AddControl(time.Now().UnixMilli(), kind, []byte{0, 0, 0, 0, 0, 0})
	b, err := w.Build()
	require.NoError(r.t, err)
	_, err = r.partition(topic, 0).Append(b, replica.AcksAll, storage.AppendOptions{Origin: record.Coordinator})
	require.NoError(r.t, err)
}

func committed(version int16, offset int64) *kmsg.FetchRequest {
	req := fetchRequest(version, fetchAsk{topic: "a", offset: offset})
	req.IsolationLevel = 1
	return req
}

func TestFetchCommittedStopsAtTheLastStableOffset(t *testing.T) {
	r := memRig(t)
	r.topic("a", 1)
	r.mustProduce("a", 0, "before")
	r.transactional("a", 7, 0, "aborted")
	r.mustProduce("a", 0, "after")

	p := r.fetch(committed(12, 0)).Topics[0].Partitions[0]
	require.Equal(t, []string{"before"}, r.values(p))
	require.EqualValues(t, 1, p.LastStableOffset)
	require.EqualValues(t, 3, p.HighWatermark)
	require.NotNil(t, p.AbortedTransactions, "an empty list, never null")
	require.Empty(t, p.AbortedTransactions)
	got := r.list(listRequest(7, "a", -1))
	require.EqualValues(t, 3, got.Offset)
	req := listRequest(7, "a", -1)
	req.IsolationLevel = 1
	require.EqualValues(t, 1, r.list(req).Offset)

	r.end("a", 7, false)
	r.transactional("a", 8, 0, "committed")
	r.end("a", 8, true)
	p = r.fetch(committed(12, 0)).Topics[0].Partitions[0]
	require.EqualValues(t, 6, p.LastStableOffset)
	require.Len(t, p.AbortedTransactions, 1)
	require.EqualValues(t, 7, p.AbortedTransactions[0].ProducerID)
	require.EqualValues(t, 1, p.AbortedTransactions[0].FirstOffset)
	p = r.fetch(committed(12, 4)).Topics[0].Partitions[0]
	require.Empty(t, p.AbortedTransactions, "it ended before the offset asked for")
	require.Nil(t, r.fetch(fetchRequest(12, fetchAsk{topic: "a"})).Topics[0].Partitions[0].AbortedTransactions, "read_uncommitted gets null")
}

func TestFetchCommittedWaitsForTheEndOfTheTransaction(t *testing.T) {
	for _, session := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := memRig(t)
			r.topic("a", 1)
			r.transactional("a", 7, 0, "x")
			req := committed(12, 0)
			if session {
				req.SessionEpoch = 0
				req.SessionID, req.SessionEpoch = r.fetch(req).SessionID, 1
				req.Topics = nil
			}
			req.MaxWaitMillis = 1000
			start := time.Now()
			done := make(chan *kmsg.FetchResponse)
			go func() { done <- r.fetch(req) }()
			time.Sleep(100 * time.Millisecond)
			r.transactional("a", 7, 1, "y") // the high watermark moves, the last stable offset does not
			time.Sleep(100 * time.Millisecond)
			r.end("a", 7, true)
			resp := <-done
			require.Equal(t, 200*time.Millisecond, time.Since(start))
			require.Equal(t, []string{"x", "y"}, r.values(resp.Topics[0].Partitions[0])[:2])
		})
	}
}
