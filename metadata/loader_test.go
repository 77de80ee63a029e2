package metadata

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func entries(start int64, records ...Record) (list []Entry) {
	for i, r := range records {
		list = append(list, Entry{Offset: start + int64(i), Epoch: 1, AppendTime: 5, Value: AppendRecord(nil, r, LatestLevel.RecordVersion(r))})
	}
	return list
}

func topicNames(img *Image) (names []string) {
	for _, t := range img.Topics.Sorted() {
		names = append(names, t.Name)
	}
	return names
}

// A loader yields at every end of a transaction and once for the rest.
func TestTransactionsShowOnlyAtTheirEnd(t *testing.T) {
	l := NewLoader(Empty())
	var seen [][]string
	see := func(img *Image, d *Delta) {
		require.Same(t, img, l.Image())
		seen = append(seen, topicNames(img))
	}
	a, b, c := &TopicRecord{Name: "a", TopicId: id(1)}, &TopicRecord{Name: "b", TopicId: id(2)}, &TopicRecord{Name: "c", TopicId: id(3)}
	require.NoError(t, l.Load(entries(0, a, &BeginTransactionRecord{}, b), see))
	require.Equal(t, [][]string{{"a"}}, seen, "what stands before the transaction is visible, what is in it is not")
	require.True(t, l.InTransaction())
	require.Equal(t, int64(0), l.Image().Offset)
	require.NoError(t, l.Load(entries(3, c), see))
	require.Len(t, seen, 1)
	require.NoError(t, l.Load(entries(4, &EndTransactionRecord{}), see))
	require.Equal(t, [][]string{{"a"}, {"a", "b", "c"}}, seen)
	require.Equal(t, int64(4), l.Image().Offset)
	require.Equal(t, int64(5), l.Image().AppendTime)
}

func TestAbortedTransactionLeavesNothing(t *testing.T) {
	l := NewLoader(Empty())
	require.NoError(t, l.Load(entries(0, &TopicRecord{Name: "a", TopicId: id(1)}, &BeginTransactionRecord{},
		&TopicRecord{Name: "b", TopicId: id(2)}, &AbortTransactionRecord{}, &TopicRecord{Name: "c", TopicId: id(3)}), func(*Image, *Delta) {}))
	require.Equal(t, []string{"a", "c"}, topicNames(l.Image()))
	require.Equal(t, int64(4), l.Image().Offset)
}

func TestBrokenTransactionsAreErrors(t *testing.T) {
	for _, list := range [][]Record{
		{&BeginTransactionRecord{}, &BeginTransactionRecord{}},
		{&EndTransactionRecord{}},
		{&AbortTransactionRecord{}},
	} {
		require.Error(t, NewLoader(Empty()).Load(entries(0, list...), func(*Image, *Delta) {}))
	}
	require.Error(t, NewLoader(Empty()).Load([]Entry{{Value: []byte{1, 99, 0}}}, func(*Image, *Delta) {}), "unknown record")
}
