package record

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol/compress"
)

var allCodecs = []compress.Codec{compress.None, compress.Gzip, compress.Snappy, compress.LZ4, compress.Zstd}

func TestReaderTellsNullFromEmpty(t *testing.T) {
	b := javaBatches(t)["nulls"]
	var r Reader
	defer r.Close()
	r.Reset(b, nil, 0)
	require.True(t, r.Next())
	require.Nil(t, r.Record().Key)
	require.Nil(t, r.Record().Value)
	require.True(t, r.Next())
	rec := *r.Record()
	require.True(t, rec.Key != nil && len(rec.Key) == 0 && rec.Value != nil && len(rec.Value) == 0)
	require.Equal(t, int64(now+5), rec.Timestamp)
	require.Equal(t, 3, rec.HeaderCount)
	var got []string
	for k, v := range rec.AllHeaders() {
		if v == nil {
			v = []byte("null")
		}
		got = append(got, string(k)+"="+string(v))
	}
	require.Equal(t, []string{"a=b", "=null", "ü€="}, got)
	require.True(t, r.Next())
	require.Equal(t, int64(now-70), r.Record().Timestamp)
	require.False(t, r.Next())
	require.NoError(t, r.Err())
}

func TestReaderAllocatesNothingPerRecord(t *testing.T) {
	if !countAllocs {
		t.Skip("race build")
	}
	cs := compress.NewCodecs()
	for _, c := range allCodecs {
		b := sample(t, c, 1000, 100)
		var r Reader
		n := testing.AllocsPerRun(20, func() {
			count := 0
			for r.Reset(b, cs, 0); r.Next(); {
				count++
			}
			if r.Err() != nil || count != 1000 {
				t.Fatal(r.Err(), count)
			}
		})
		r.Close()
		require.LessOrEqual(t, n, 2.0, "%v", c)
	}
}

func TestRecordsStopAtDamage(t *testing.T) {
	b := sample(t, compress.None, 10, 10)
	b[HeaderSize+5*(len(b)-HeaderSize)/10] = 0x7f // a length far beyond
	var last error
	n := 0
	for _, err := range b.Records(nil, 0) {
		if last = err; err == nil {
			n++
		}
	}
	require.Equal(t, 5, n)
	require.ErrorIs(t, last, kerr.InvalidRecord)

	for range sample(t, compress.Zstd, 10, 10).Records(compress.NewCodecs(), 0) {
		break // leaving early is allowed
	}
}

func TestReaderReportsDamagedCompressionAndTheCap(t *testing.T) {
	cs := compress.NewCodecs()
	b := sample(t, compress.Zstd, 100, 100)
	var r Reader
	r.Reset(b, cs, 500)
	require.False(t, r.Next())
	require.ErrorIs(t, r.Err(), compress.ErrTooLarge)
	bad := bytes.Clone(b)
	copy(bad[HeaderSize:], "garbage")
	r.Reset(bad, cs, 0)
	require.False(t, r.Next())
	require.ErrorIs(t, r.Err(), kerr.CorruptMessage)
	r.Reset(b, cs, 0)
	require.True(t, r.Next())
	r.Close()
}

func TestBuilderReportsMistakes(t *testing.T) {
	_, err := NewBuilder(NewOptions()).Build()
	require.ErrorIs(t, err, errNoRecords)

	for name, tc := range map[string]struct {
		change func(o *Options)
		fill   func(w *Builder)
	}{
		"offset twice":            {func(*Options) {}, func(w *Builder) { w.AddAt(4, 1, nil, nil); w.AddAt(4, 1, nil, nil) }},
		"offset below the base":   {func(o *Options) { o.BaseOffset = 5 }, func(w *Builder) { w.AddAt(4, 1, nil, nil) }},
		"offset far beyond":       {func(*Options) {}, func(w *Builder) { w.AddAt(1<<31, 1, nil, nil) }},
		"negative time":           {func(*Options) {}, func(w *Builder) { w.Add(-2, nil, nil) }},
		"data in control":         {func(o *Options) { o.Control = true }, func(w *Builder) { w.Add(1, nil, nil) }},
		"control in data":         {func(*Options) {}, func(w *Builder) { w.AddControl(1, ControlCommit, nil) }},
		"transaction without id":  {func(o *Options) { o.Transactional = true }, func(w *Builder) { w.Add(1, nil, nil) }},
		"producer without epoch":  {func(o *Options) { o.ProducerID = 1 }, func(w *Builder) { w.Add(1, nil, nil) }},
		"producer without number": {func(o *Options) { o.ProducerID, o.ProducerEpoch = 1, 0 }, func(w *Builder) { w.Add(1, nil, nil) }},
	} {
		o := NewOptions()
		tc.change(&o)
		w := NewBuilder(o)
		tc.fill(w)
		_, err := w.Build()
		require.Error(t, err, name)
	}
}

func TestBuilderIsReusedAndAppends(t *testing.T) {
	w := NewBuilder(NewOptions())
	w.Add(now, []byte("key"), []byte("value"))
	require.Equal(t, 1, w.Len())
	out, err := w.Append([]byte("head"))
	require.NoError(t, err)
	require.Equal(t, w.Size()+4, len(out))
	require.Equal(t, []byte(javaBatches(t)["one"]), out[4:])
	o := NewOptions()
	o.BaseOffset = 7
	w.Reset(o)
	require.Equal(t, int64(7), w.NextOffset())
	w.Add(now, []byte("k"), []byte(strings.Repeat("v", 200)))
	b, err := w.Build()
	require.NoError(t, err)
	require.Equal(t, int64(7), b.LastOffset())
	n := testing.AllocsPerRun(20, func() {
		w.Reset(o)
		for range 100 {
			w.Add(now, []byte("key"), []byte("value"))
		}
		if out, err = w.Append(out[:0]); err != nil {
			t.Fatal(err)
		}
	})
	require.LessOrEqual(t, n, 1.0)
}

func TestEmptyBatchKeepsOffsetsAndProducer(t *testing.T) {
	o := NewOptions()
	o.BaseOffset, o.ProducerID, o.ProducerEpoch, o.BaseSequence = 10, 5, 1, 3
	b, rest, err := Next(Empty(o, 19, now))
	require.NoError(t, err)
	require.Empty(t, rest)
	require.True(t, b.VerifyCRC())
	require.Equal(t, int64(19), b.LastOffset())
	require.Equal(t, int32(12), b.LastSequence())
	require.Equal(t, int32(0), b.Count())
	for range b.Records(nil, 0) {
		t.Fatal("a record")
	}
	info, err := Validate(b, Rules{Origin: Follower}, nil)
	require.NoError(t, err)
	require.Equal(t, Info{MaxTimestamp: now, OffsetOfMaxTimestamp: 9}, info)
}

func TestVarintsMatchTheirSizes(t *testing.T) {
	for _, v := range []int64{0, -1, 1, 63, 64, -64, -65, 8191, 8192, 1<<31 - 1, -1 << 31, 1 << 40, 1<<63 - 1, -1 << 63} {
		b := appendVarlong(nil, v)
		require.Equal(t, len(b), sizeVarlong(v))
		got, at := varlong(b, 0)
		require.True(t, got == v && at == len(b), "%d", v)
		_, at = varlong(b[:len(b)-1], 0)
		require.Equal(t, -1, at)
		if int64(int32(v)) == v {
			b = appendVarint(nil, int32(v))
			require.Equal(t, len(b), sizeVarint(int32(v)))
			got, at := varint(b, 0)
			require.True(t, got == int32(v) && at == len(b), "%d", v)
		}
	}
	_, at := varint([]byte{0x80, 0x80, 0x80, 0x80, 0x80, 0}, 0)
	require.Equal(t, -1, at)
	_, at = varlong(bytes.Repeat([]byte{0x80}, 11), 0)
	require.Equal(t, -1, at)
	_, at = varint([]byte{1}, -1)
	require.Equal(t, -1, at)
	require.True(t, errors.Is(badFields.recordError(3), kerr.InvalidRecord))
}

func TestCompressedBatchWithoutCodecsIsAnError(t *testing.T) {
	o := NewOptions()
	o.Codec, o.Codecs = compress.Gzip, compress.NewCodecs()
	w := NewBuilder(o)
	w.Add(1, nil, []byte("v"))
	b, err := w.Build()
	require.NoError(t, err)
	var last error
	for _, err := range b.Records(nil, 1<<20) {
		last = err
	}
	require.ErrorIs(t, last, kerr.InvalidRecord)
}
