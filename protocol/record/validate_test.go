package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol/compress"
)

func lax() Rules {
	return Rules{NowMs: now, BeforeMaxMs: 1<<63 - 1, AfterMaxMs: 3600000, Partition: "t-0"}
}

func TestOneWantsExactlyOneBatch(t *testing.T) {
	b := sample(t, compress.Zstd, 2, 10)
	got, err := One(b, 7)
	require.NoError(t, err)
	require.Equal(t, b, got)
	_, err = One(b, 6)
	require.ErrorIs(t, err, kerr.UnsupportedCompressionType)
	_, err = Validate(b, Rules{ProduceVersion: 3}, nil)
	require.ErrorIs(t, err, kerr.UnsupportedCompressionType)
	_, err = One(nil, 9)
	require.ErrorIs(t, err, kerr.InvalidRecord)
	require.EqualError(t, err, "Produce requests with version 9 must have at least one record batch per partition")
	_, err = One(append(bytes.Clone(b), b...), 9)
	require.ErrorIs(t, err, kerr.InvalidRecord)
	got, err = One(append(bytes.Clone(b), b[:30]...), 9)
	require.NoError(t, err, "a cut second batch is not seen, as in Kafka")
	require.Equal(t, b, got)
	old := bytes.Clone(b)
	old[16] = 1
	_, err = One(old, 9)
	require.ErrorIs(t, err, kerr.InvalidRecord)
	old[16] = 5
	_, err = One(old, 9)
	require.ErrorIs(t, err, kerr.CorruptMessage)
}

func TestFirstRecordWithTheLargestTimestampIsNamed(t *testing.T) {
	cs := compress.NewCodecs()
	for _, c := range allCodecs {
		o := NewOptions()
		o.Codec, o.Codecs = c, cs
		w := NewBuilder(o)
		for _, d := range []int64{0, 5, 3, 9, 9, 1} {
			w.Add(now+d, []byte("k"), nil)
		}
		b, err := w.Build()
		require.NoError(t, err)
		info, err := Validate(b, lax(), cs)
		require.NoError(t, err)
		require.Equal(t, Info{MaxTimestamp: now + 9, OffsetOfMaxTimestamp: 3, Records: 6}, info)

		rules := lax()
		rules.TimestampType = LogAppendTime
		info, err = Validate(b, rules, cs)
		require.NoError(t, err)
		require.Equal(t, Info{MaxTimestamp: now, OffsetOfMaxTimestamp: 0, Records: 6}, info)
		payload := bytes.Clone(b.Payload())
		out, err := info.Finish(b, rules, cs)
		require.NoError(t, err)
		require.True(t, out.VerifyCRC() && out.TimestampType() == LogAppendTime && out.MaxTimestamp() == now)
		require.Equal(t, payload, out.Payload())
	}
}

func TestFollowerChecksTheCRCOnly(t *testing.T) {
	b := javaBatches(t)["commit"]
	_, err := Validate(b, Rules{Origin: Follower}, nil)
	require.NoError(t, err)
	b[len(b)-1]++
	_, err = Validate(b, Rules{Origin: Follower}, nil)
	require.ErrorIs(t, err, kerr.CorruptMessage)
}

func TestCoordinatorsMayWriteMarkers(t *testing.T) {
	b := javaBatches(t)["commit"]
	rules := lax()
	rules.Origin, rules.Compacted = Coordinator, true
	rules.Target = Target{Recompress: true, Codec: compress.Zstd}
	info, err := Validate(b, rules, nil)
	require.NoError(t, err)
	require.False(t, info.ReEncode)
	rules.Origin = Client
	b.SetBaseOffset(0)
	_, err = Validate(b, rules, nil)
	require.ErrorIs(t, err, kerr.InvalidRecord)
}

func TestErrorsPerRecordAreBounded(t *testing.T) {
	w := NewBuilder(NewOptions())
	for range 5000 {
		w.Add(now, nil, nil)
	}
	b, err := w.Build()
	require.NoError(t, err)
	rules := lax()
	rules.Compacted = true
	_, err = Validate(b, rules, nil)
	var re *RecordErrors
	require.True(t, errors.As(err, &re))
	require.ErrorIs(t, err, kerr.InvalidRecord)
	require.Len(t, re.Records, maxRecordErrors)
	require.Contains(t, err.Error(), "due to 5000 record errors in total")
}

func TestBombInABatchIsTooLargeAndCheap(t *testing.T) {
	cs := compress.NewCodecs()
	for _, c := range allCodecs[1:] {
		payload, err := cs.Compress(nil, c, 0, make([]byte, compress.DefaultMax+1))
		require.NoError(t, err)
		b := reheader(append(bytes.Clone(sample(t, c, 5, 10)[:HeaderSize]), payload...))
		_, err = Validate(b, lax(), cs)
		require.ErrorIs(t, err, kerr.MessageTooLarge, "%v", c)
	}
	// the next batch is none the worse
	b := sample(t, compress.Zstd, 5, 10)
	_, err := Validate(b, lax(), cs)
	require.NoError(t, err)
}

// reheader makes length and CRC fit the bytes.
func reheader(b []byte) Batch {
	binary.BigEndian.PutUint32(b[offLength:], uint32(len(b)-Overhead))
	Batch(b).setCRC()
	return b
}

func TestValidateAllocatesNothingForGoodBatches(t *testing.T) {
	if !countAllocs {
		t.Skip("race build")
	}
	cs := compress.NewCodecs()
	rules := lax()
	rules.Compacted = true
	for _, c := range allCodecs {
		b := sample(t, c, 1000, 100)
		n := testing.AllocsPerRun(20, func() {
			if _, err := Validate(b, rules, cs); err != nil {
				t.Fatal(err)
			}
		})
		if c == compress.None {
			require.Zero(t, n)
		}
		require.LessOrEqual(t, n, 2.0, "%v", c)
	}
}

func TestReencodeKeepsRecords(t *testing.T) {
	cs := compress.NewCodecs()
	for _, from := range allCodecs {
		for _, to := range allCodecs {
			b := sample(t, from, 300, 50)
			rules := lax()
			rules.Target = Target{Recompress: true, Codec: to}
			info, err := Validate(b, rules, cs)
			require.NoError(t, err)
			require.Equal(t, from != to, info.ReEncode)
			out, err := info.Finish(bytes.Clone(b), rules, cs)
			require.NoError(t, err)
			require.True(t, out.VerifyCRC() && out.Codec() == to && out.Count() == 300)
			want, err := cs.Decompress(nil, from, b.Payload(), 0)
			require.NoError(t, err)
			got, err := cs.Decompress(nil, to, out.Payload(), 0)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got), "%v to %v", from, to)
		}
	}
}

// allocated runs f and says how many bytes it allocated.
func allocated(f func()) uint64 {
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	f()
	runtime.ReadMemStats(&b)
	return b.TotalAlloc - a.TotalAlloc
}
