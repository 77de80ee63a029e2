package record

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol/compress"
)

const now = 1700000000000

func lines(t testing.TB, name string) []string {
	f, err := os.Open("testdata/" + name)
	require.NoError(t, err)
	defer f.Close()
	var out []string
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		if !strings.HasPrefix(sc.Text(), "#") {
			out = append(out, sc.Text())
		}
	}
	require.NoError(t, sc.Err())
	return out
}

// javaBatches are batches made by Apache Kafka's own builder, by name.
func javaBatches(t testing.TB) map[string]Batch {
	out := map[string]Batch{}
	for _, l := range lines(t, "java_batches.txt") {
		name, text, _ := strings.Cut(l, " ")
		b, err := hex.DecodeString(text)
		require.NoError(t, err)
		out[name] = b
	}
	return out
}

func TestBuilderMakesJavasBytes(t *testing.T) {
	golden := javaBatches(t)
	s := strings.Repeat
	build := func(o Options, fill func(w *Builder)) Batch {
		w := NewBuilder(o)
		fill(w)
		b, err := w.Build()
		require.NoError(t, err)
		return b
	}
	plain := NewOptions()
	with := func(change func(o *Options)) Options {
		o := NewOptions()
		change(&o)
		return o
	}
	marker := with(func(o *Options) {
		o.BaseOffset, o.LeaderEpoch, o.ProducerID, o.ProducerEpoch, o.Control, o.Transactional = 42, 5, 4711, 3, true, true
	})
	for name, got := range map[string]Batch{
		"one": build(plain, func(w *Builder) { w.Add(now, []byte("key"), []byte("value")) }),
		"nulls": build(plain, func(w *Builder) {
			w.Add(now, nil, nil)
			w.Add(now+5, []byte{}, []byte{}, Header{"a", []byte("b")}, Header{"", nil}, Header{"ü€", []byte{}})
			w.Add(now-70, []byte("k"), nil, Header{"h", []byte(s("x", 300))})
		}),
		"txn200": build(with(func(o *Options) {
			o.BaseOffset, o.LeaderEpoch, o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = 100, 7, 4711, 3, 2147483646, true
		}), func(w *Builder) {
			for i := range 200 {
				w.Add(now+int64(i)*1000*1000, fmt.Appendf(nil, "k%d", i), []byte(s("v", i)))
			}
		}),
		"logappend": build(with(func(o *Options) {
			o.BaseOffset, o.LeaderEpoch, o.TimestampType, o.LogAppendTime = 5, 2, LogAppendTime, now+99
		}), func(w *Builder) {
			w.Add(now, []byte("a"), []byte("b"))
			w.Add(now+1000, []byte("a"), []byte("b"))
		}),
		"horizon": build(with(func(o *Options) { o.BaseOffset, o.LeaderEpoch, o.DeleteHorizon = 10, 2, now+12345 }), func(w *Builder) {
			w.AddAt(12, now, []byte("a"), nil)
			w.AddAt(300, now+1, []byte("b"), nil)
		}),
		"notime": build(plain, func(w *Builder) {
			w.Add(-1, []byte("a"), []byte("b"))
			w.Add(-1, []byte("a"), []byte("b"))
		}),
		"mixedtime": build(plain, func(w *Builder) {
			w.Add(-1, []byte("a"), []byte("b"))
			w.Add(now, []byte("a"), []byte("b"))
		}),
		"commit": build(marker, func(w *Builder) { w.AddControl(now, ControlCommit, AppendEndTxnValue(nil, 9)) }),
		"abort":  build(marker, func(w *Builder) { w.AddControl(now, ControlAbort, AppendEndTxnValue(nil, 0)) }),
		"leaderchange": build(with(func(o *Options) { o.BaseOffset, o.LeaderEpoch, o.Control = 7, 3, true }), func(w *Builder) {
			m := NewLeaderChangeMessage()
			m.LeaderId = 1
			v := NewLeaderChangeMessageVoter()
			v.VoterId = 1
			m.Voters, m.GrantingVoters = append(m.Voters, *v), append(m.GrantingVoters, *v)
			w.AddControl(now, ControlLeaderChange, m.AppendTo(nil, 0))
		}),
	} {
		require.Equal(t, hex.EncodeToString(golden[name]), hex.EncodeToString(got), name)
		b, rest, err := Next(got)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.True(t, b.VerifyCRC(), name)
	}
}

func TestReaderReadsJavasCompressedBatches(t *testing.T) {
	cs := compress.NewCodecs()
	golden := javaBatches(t)
	for _, name := range []string{"gzip50", "snappy50", "lz4" + "50", "zstd50"} {
		b := golden[name]
		require.True(t, b.VerifyCRC())
		i := 0
		for r, err := range b.Records(cs, 0) {
			require.NoError(t, err)
			require.Equal(t, int64(i), r.Offset)
			require.Equal(t, int64(now+i), r.Timestamp)
			require.Equal(t, fmt.Sprintf("k%d", i), string(r.Key))
			require.Equal(t, strings.Repeat("v", i), string(r.Value))
			n := 0
			for k, v := range r.AllHeaders() {
				require.Equal(t, "n", string(k))
				require.Equal(t, strconv.Itoa(i), string(v))
				n++
			}
			require.Equal(t, 1, n)
			i++
		}
		require.Equal(t, 50, i, name)
	}
}

// Where Validate is stricter than Kafka, or names the failure better, by the start of the case's name; see Validate.
var stricter = map[string]*kerr.Error{
	"body3-": kerr.InvalidRecord, "body4-": kerr.InvalidRecord, "body5-": kerr.InvalidRecord, // offset deltas not 0, 1, 2 ...
	"body6-": kerr.InvalidRecord, "body7-": kerr.InvalidRecord,
	"body10-": kerr.InvalidRecord, "body11-": kerr.InvalidRecord, "body32-": kerr.InvalidRecord, // stored unreadable
	"body26-none": kerr.InvalidRecord, // fails unnamed on Kafka
	"codec":       kerr.UnsupportedCompressionType,
}

func TestValidateAnswersAsJava(t *testing.T) {
	cs := compress.NewCodecs()
	cases := lines(t, "java_validate.txt")
	require.Greater(t, len(cases), 600)
	for _, l := range cases {
		f := strings.Split(l, "|")
		require.Len(t, f, 16, l)
		name := f[0]
		rules := Rules{NowMs: now, Partition: "t-0", ProduceVersion: 12, Compacted: f[2] == "true"}
		if f[1] == "l" {
			rules.TimestampType = LogAppendTime
		}
		rules.BeforeMaxMs, _ = strconv.ParseInt(f[3], 10, 64)
		rules.AfterMaxMs, _ = strconv.ParseInt(f[4], 10, 64)
		target, ok := compress.ParseCodec(f[5])
		require.True(t, ok)
		rules.Target = Target{Recompress: true, Codec: target}
		if f[7] == "COORDINATOR" {
			rules.Origin = Coordinator
		}
		rules.MaxDecompressed, _ = strconv.Atoi(f[8])
		input, err := hex.DecodeString(f[9])
		require.NoError(t, err)
		code, _ := strconv.Atoi(f[10])

		var info Info
		var out Batch
		b, err := One(input, 12)
		if err == nil {
			info, err = Validate(b, rules, cs)
		}
		if err == nil {
			out, err = info.Finish(bytes.Clone(b), rules, cs)
		}
		if strings.HasPrefix(name, "maxrecord0-") { // <= 0 is "no limit" here; Kafka's key is at least 1
			require.NoError(t, err, name)
			continue
		}
		if strict := strictCase(name); strict != nil && !(err == nil && code == 0) {
			require.ErrorIs(t, err, strict, name)
			continue
		}
		if strings.HasPrefix(name, "base5-coord") && code == -1 {
			require.NoError(t, err) // fails on Kafka by accident
			continue
		}
		if strings.Contains(name, "-re-") && code == -1 { // Kafka's builder refuses the producer fields, unnamed
			require.ErrorIs(t, err, kerr.InvalidRecord, name)
			continue
		}
		if strings.HasPrefix(name, "flip") && code != 0 { // damaged stream, or the records in it: order of discovery differs
			require.Error(t, err, name)
			require.True(t, errors.Is(err, kerr.InvalidRecord) || errors.Is(err, kerr.UnknownServerError), name)
			continue
		}
		if code != 0 {
			require.Error(t, err, name)
			var ke *kerr.Error
			require.True(t, errors.As(err, &ke), name)
			require.Equal(t, code, int(ke.Code), "%s: %v", name, err)
			checkTexts(t, name, f, err)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, f[13], strconv.FormatInt(info.MaxTimestamp, 10), name)
		require.Equal(t, f[14] == "true", info.ReEncode, name)
		want, err := hex.DecodeString(f[15])
		require.NoError(t, err)
		out.SetPartitionLeaderEpoch(3)
		out.SetLastOffset(1000 + int64(info.Records) - 1)
		if info.ReEncode && target != compress.None {
			sameRecords(t, name, want, out, cs)
			continue
		}
		require.Equal(t, hex.EncodeToString(want), hex.EncodeToString(out), name)
	}
}

func strictCase(name string) *kerr.Error {
	for prefix, kind := range stricter {
		if strings.HasPrefix(name, prefix) {
			return kind
		}
	}
	return nil
}

func checkTexts(t *testing.T, name string, f []string, err error) {
	var res *RecordErrors
	if f[12] != "" {
		require.True(t, errors.As(err, &res), name)
		require.Equal(t, f[11], err.Error(), name)
		var got strings.Builder
		for _, r := range res.Records {
			fmt.Fprintf(&got, "%d=%s;", r.BatchIndex, r.Message)
		}
		require.Equal(t, f[12], got.String(), name)
		return
	}
	require.False(t, errors.As(err, &res), name)
	_, text, _ := strings.Cut(f[11], ": ")
	for _, same := range []string{"Batch ", "Invalid reported", "Inconsistent", "Clients are", "Invalid sequence", "The baseOffset", "Record is corrupt", "Produce requests"} {
		if strings.HasPrefix(text, same) {
			require.Equal(t, text, err.Error(), name)
		}
	}
}

// sameRecords compares two compressed batches whose compressed bytes may differ.
func sameRecords(t *testing.T, name string, want, got Batch, cs *compress.Codecs) {
	require.True(t, got.VerifyCRC(), name)
	w, err := cs.Decompress(nil, want.Codec(), want.Payload(), 0)
	require.NoError(t, err)
	g, err := cs.Decompress(nil, got.Codec(), got.Payload(), 0)
	require.NoError(t, err)
	require.Equal(t, w, g, name)
	require.Equal(t, []byte(want[offAttributes:HeaderSize]), []byte(got[offAttributes:HeaderSize]), name)
	require.Equal(t, []byte(want[:offLength]), []byte(got[:offLength]), name)
	require.Equal(t, want.PartitionLeaderEpoch(), got.PartitionLeaderEpoch(), name)
}
