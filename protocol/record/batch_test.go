package record

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol/compress"
)

// sample is a batch of n records at offset 0 with 10-byte keys.
func sample(t testing.TB, codec compress.Codec, n, valueSize int) Batch {
	o := NewOptions()
	o.Codec, o.Codecs = codec, compress.NewCodecs()
	w := NewBuilder(o)
	text := []byte(`{"user":"u-4711","page":"/cart/checkout","ms":153,"ok":true,"tags":["a","b","c"],"trace":"8f1c2e"}`)
	for i := range n {
		v := make([]byte, valueSize)
		for j := range v {
			v[j] = text[(i*13+j)%len(text)]
		}
		w.Add(now+int64(i%7), []byte("key-"+string([]byte{'0' + byte(i/1000%10), '0' + byte(i/100%10), '0' + byte(i/10%10), '0' + byte(i%10)})), v)
	}
	b, err := w.Build()
	require.NoError(t, err)
	return b
}

func TestNextSplitsWholeBatches(t *testing.T) {
	one, two := sample(t, compress.None, 3, 20), sample(t, compress.Gzip, 5, 30)
	both := append(bytes.Clone(one), two...)
	b, rest, err := Next(both)
	require.NoError(t, err)
	require.Equal(t, one, b)
	require.Equal(t, len(b), cap(b), "appending to a batch must not reach its neighbour")
	b, rest, err = Next(rest)
	require.NoError(t, err)
	require.Equal(t, two, b)
	require.Empty(t, rest)
	for n := range len(one) {
		_, rest, err = Next(both[:n])
		require.ErrorIs(t, err, ErrShort, "%d", n)
		require.Len(t, rest, n)
	}
}

func TestNextRefusesImpossibleHeaders(t *testing.T) {
	good := sample(t, compress.None, 1, 10)
	change := func(f func(b []byte)) []byte {
		b := bytes.Clone(good)
		f(b)
		return b
	}
	length := func(n int32) func([]byte) {
		return func(b []byte) { binary.BigEndian.PutUint32(b[8:], uint32(n)) }
	}
	for name, tc := range map[string]struct {
		b    []byte
		want error
	}{
		"length 0":           {change(length(0)), kerr.CorruptMessage},
		"length negative":    {change(length(-1)), kerr.CorruptMessage},
		"length below all":   {change(length(13)), kerr.CorruptMessage},
		"length below magic": {change(length(48)), kerr.CorruptMessage},
		"length to the end":  {change(length(1<<31 - 1)), ErrShort},
		"magic 0":            {change(func(b []byte) { b[16] = 0 }), kerr.UnsupportedForMessageFormat},
		"magic 1":            {change(func(b []byte) { b[16] = 1 }), kerr.UnsupportedForMessageFormat},
		"magic 3":            {change(func(b []byte) { b[16] = 3 }), kerr.CorruptMessage},
		"magic -1":           {change(func(b []byte) { b[16] = 0xff }), kerr.CorruptMessage},
	} {
		_, _, err := Next(tc.b)
		require.ErrorIs(t, err, tc.want, name)
	}
	n, err := SizeAt(good[:12])
	require.NoError(t, err)
	require.Equal(t, len(good), n)
	_, err = SizeAt(good[:11])
	require.ErrorIs(t, err, ErrShort)
}

func TestPatchesLeaveTheCRCAloneOrRenewIt(t *testing.T) {
	b := sample(t, compress.LZ4, 4, 100)
	crc := b.CRC()
	b.SetBaseOffset(1 << 40)
	b.SetPartitionLeaderEpoch(9)
	require.Equal(t, crc, b.CRC())
	require.True(t, b.VerifyCRC())
	require.Equal(t, int64(1<<40), b.BaseOffset())
	require.Equal(t, int64(1<<40+3), b.LastOffset())
	require.Equal(t, int64(1<<40+4), b.NextOffset())
	require.Equal(t, int32(9), b.PartitionLeaderEpoch())
	b.SetLastOffset(103)
	require.Equal(t, int64(100), b.BaseOffset())

	b.SetLogAppendTime(now + 77)
	require.True(t, b.VerifyCRC())
	require.NotEqual(t, crc, b.CRC())
	require.Equal(t, LogAppendTime, b.TimestampType())
	require.Equal(t, int64(now+77), b.MaxTimestamp())
	require.Equal(t, compress.LZ4, b.Codec())
	for r, err := range b.Records(compress.NewCodecs(), 0) {
		require.NoError(t, err)
		require.Equal(t, int64(now+77), r.Timestamp)
	}
	b[len(b)-1] ^= 1
	require.False(t, b.VerifyCRC())
}

func TestHeaderFields(t *testing.T) {
	g := javaBatches(t)
	b := g["txn200"]
	require.Equal(t, int64(100), b.BaseOffset())
	require.Equal(t, int32(199), b.LastOffsetDelta())
	require.Equal(t, int32(200), b.Count())
	require.Equal(t, len(b), b.Size())
	require.Equal(t, int8(2), b.Magic())
	require.True(t, b.IsTransactional() && b.HasProducerID() && !b.IsControl() && !b.HasDeleteHorizon())
	require.Equal(t, int64(4711), b.ProducerID())
	require.Equal(t, int16(3), b.ProducerEpoch())
	require.Equal(t, int32(2147483646), b.BaseSequence())
	require.Equal(t, int32(197), b.LastSequence(), "2^31-2, 2^31-1, 0 … 197")
	require.Equal(t, int64(now), b.BaseTimestamp())
	require.Equal(t, int64(now+199*1000*1000), b.MaxTimestamp())

	require.True(t, g["commit"].IsControl())
	require.Equal(t, NoSequence, g["one"].LastSequence())
	h, ok := g["horizon"].DeleteHorizon()
	require.True(t, ok)
	require.Equal(t, int64(now+12345), h)
	var times []int64
	for r, err := range g["horizon"].Records(nil, 0) {
		require.NoError(t, err)
		times = append(times, r.Timestamp)
	}
	require.Equal(t, []int64{now, now + 1}, times)
	_, ok = g["one"].DeleteHorizon()
	require.False(t, ok)
}
