package storage

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/protocol/record"
)

func TestWhatOfALogIsCleaned(t *testing.T) {
	const now = int64(1_000_000)
	// Segments of 100 bytes at 0, 10, 20, 30; the active one at 30. Segment n is n*1000 ms older than now, or younger.
	log := func(checkpoint, stable int64) *logFacts {
		f := &logFacts{logEnd: 40, lastStable: stable, checkpoint: checkpoint}
		for i := range int64(4) {
			f.segments = append(f.segments, segmentFacts{base: i * 10, size: 100, firstTimestamp: now - 4000 + i*1000, largestTimestamp: now - 3500 + i*1000})
		}
		return f
	}
	base := LogConfig{Compact: true, MinCleanableRatio: 0.5, MaxCompactionLag: math.MaxInt64}
	for name, c := range map[string]struct {
		log    *logFacts
		config func(*LogConfig)
		start  int64
		from   int64
		to     int64
		ratio  float64
		due    bool
		reset  bool
	}{
		"all but the active segment":           {log: log(-1, 40), to: 30, ratio: 1, due: true},
		"from the checkpoint":                  {log: log(10, 40), from: 10, to: 30, ratio: 2. / 3, due: true},
		"the ratio must be above the minimum":  {log: log(10, 40), config: func(c *LogConfig) { c.MinCleanableRatio = 2. / 3 }, from: 10, to: 30, ratio: 2. / 3},
		"clean":                                {log: log(30, 40), from: 30, to: 30},
		"to the segment of the stable offset":  {log: log(-1, 25), to: 20, ratio: 1, due: true},
		"a stable offset at a base":            {log: log(-1, 20), to: 20, ratio: 1, due: true},
		"a stable offset below the checkpoint": {log: log(20, 15), from: 20, to: 20},
		"a checkpoint inside a segment":        {log: log(15, 40), from: 15, to: 30, ratio: 0.5},
		"a checkpoint beyond the end":          {log: log(41, 40), to: 30, ratio: 1, due: true, reset: true},
		"a checkpoint below the start":         {log: log(5, 40), start: 10, from: 10, to: 30, ratio: 2. / 3, due: true, reset: true},
		"a start in the active segment":        {log: log(5, 40), start: 35, from: 35, to: 30, reset: true},
		"minimum lag":                          {log: log(-1, 40), config: func(c *LogConfig) { c.MinCompactionLag = 2000 }, to: 20, ratio: 1, due: true},
		"all younger than the minimum lag":     {log: log(-1, 40), config: func(c *LogConfig) { c.MinCompactionLag = 3501 }},
		"maximum lag, not reached":             {log: log(20, 40), config: func(c *LogConfig) { c.MaxCompactionLag = 2000 }, from: 20, to: 30, ratio: 1. / 3},
		"maximum lag":                          {log: log(20, 40), config: func(c *LogConfig) { c.MaxCompactionLag = 1999 }, from: 20, to: 30, ratio: 1. / 3, due: true},
	} {
		t.Run(name, func(t *testing.T) {
			config := base
			if c.config != nil {
				c.config(&config)
			}
			c.log.logStart = c.start
			r := cleanable(c.log, &config, now)
			require.Equal(t, []any{c.from, c.to, c.reset, c.due}, []any{r.firstDirty, r.upper, r.reset, r.due()})
			require.InDelta(t, c.ratio, r.ratio(), 1e-9)
		})
	}
}

func TestSegmentsAreGroupedBySizeIndexAndOffsets(t *testing.T) {
	at := func(base, size int64) segmentFacts {
		return segmentFacts{base: base, size: size, index: 8, timeIndex: 12}
	}
	for name, c := range map[string]struct {
		list       []segmentFacts
		end, upper int64
		size, idx  int64
		want       [][2]int
	}{
		"one group":               {[]segmentFacts{at(0, 10), at(5, 10), at(9, 10), at(20, 0)}, 20, 20, 30, 100, [][2]int{{0, 3}}},
		"by size":                 {[]segmentFacts{at(0, 10), at(5, 10), at(9, 10), at(20, 0)}, 20, 20, 20, 100, [][2]int{{0, 2}, {2, 3}}},
		"by index":                {[]segmentFacts{at(0, 10), at(5, 10), at(9, 10), at(20, 0)}, 20, 20, 99, 24, [][2]int{{0, 2}, {2, 3}}},
		"larger than the limit":   {[]segmentFacts{at(0, 50), at(5, 10), at(9, 0)}, 9, 9, 20, 100, [][2]int{{0, 1}, {1, 2}}},
		"by offsets":              {[]segmentFacts{at(0, 1), at(1<<31-1, 1), at(1<<31, 0)}, 1 << 31, 1 << 31, 99, 100, [][2]int{{0, 2}}},
		"offsets too far apart":   {[]segmentFacts{at(0, 1), at(1<<31-1, 1), at(1<<31+1, 0)}, 1<<31 + 1, 1<<31 + 1, 99, 100, [][2]int{{0, 1}, {1, 2}}},
		"empty ones may be far":   {[]segmentFacts{at(0, 1), at(1<<31+5, 0), at(1<<31+9, 1), at(1<<31+12, 0)}, 1<<31 + 12, 1<<31 + 12, 99, 100, [][2]int{{0, 2}, {2, 3}}},
		"up to the end of a pass": {[]segmentFacts{at(0, 10), at(5, 10), at(9, 10), at(20, 0)}, 6, 20, 99, 100, [][2]int{{0, 2}}},
		"nothing":                 {[]segmentFacts{at(7, 0)}, 0, 7, 99, 100, nil},
	} {
		require.Equal(t, c.want, groupSegments(c.list, c.end, c.upper, c.size, c.idx), name)
	}
}

func TestTheOffsetMapIsExactAndBounded(t *testing.T) {
	var m offsetMap
	m.reset(1000, 0.9, math.MaxInt64)
	want := map[string]int64{}
	rng := newRand(3)
	for offset := int64(1 << 40); ; offset++ {
		key := fmt.Sprint(rng.IntN(1200))
		if !m.put([]byte(key), offset) {
			break
		}
		want[key] = offset
	}
	require.Len(t, want, 900)
	for i := range 1200 {
		offset, ok := want[fmt.Sprint(i)]
		if !ok {
			offset = -1
		}
		require.Equal(t, offset, m.get([]byte(fmt.Sprint(i))))
	}
	m.reset(1000, 0.9, 3)
	require.Less(t, len(m.slots), 10, "no more memory than the log needs")
	require.Equal(t, int64(-1), m.get([]byte("1")))
	for i := range 3 {
		require.True(t, m.put([]byte{byte(i)}, int64(i)))
	}
}

func TestTransactionsAreFollowedInOrder(t *testing.T) {
	batch := func(id, offset int64) record.Batch {
		b := record.Batch(kv(1, "a=1", producer(id, 0, 0), transactional))
		b.SetBaseOffset(offset)
		return b
	}
	mark := func(id, offset int64, commit bool) record.Batch {
		b := record.Batch(markerBatch(id, 0, commit, 0, 1))
		b.SetBaseOffset(offset)
		return b
	}
	f := newTxnFilter()
	f.add([]AbortedTxn{{2, 1, 5, 6}, {1, 7, 9, 10}})
	f.add([]AbortedTxn{{2, 1, 5, 6}}) // once more, from the next segment
	for i, c := range []struct {
		b    record.Batch
		drop bool
	}{
		{batch(1, 0), false},       // committed at 3
		{batch(2, 1), true},        // aborted at 5
		{batch(2, 2), true},        //
		{mark(1, 3, true), false},  // data was there
		{batch(3, 4), false},       // committed later
		{mark(2, 5, false), false}, // data was there
		{mark(2, 6, false), true},  // of a transaction without data
		{batch(1, 7), true},        // the next one of 1 is aborted
		{mark(4, 8, true), true},   // nothing left of it
		{mark(1, 9, false), false}, //
		{batch(2, 10), false},      // the one told of twice is over
		{mark(3, 11, true), false}, //
		{mark(3, 12, true), true},  //
	} {
		var drop bool
		var err error
		if c.b.IsControl() {
			drop, err = f.marker(c.b)
		} else {
			drop = f.data(c.b)
		}
		require.NoError(t, err)
		require.Equal(t, c.drop, drop, "batch %d", i)
	}
	require.Equal(t, []AbortedTxn{{2, 1, 5, 6}, {1, 7, 9, 10}}, f.take())
	require.Empty(t, f.take())
}
