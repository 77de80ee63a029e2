package dump

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
	"github.com/dohle-io/dohle/storage"
)

func TestWhatStorageWritesIsSound(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := storage.DefaultLogConfig()
	cfg.IndexIntervalBytes, cfg.SegmentIndexBytes = 100, 120
	l, err := storage.OpenLog(storage.LogOptions{
		FS: fsys, Clocks: clock.System(), Log: zerolog.Nop(), Codecs: compress.NewCodecs(), Dir: "data/orders-0", Config: cfg,
		Partition: protocol.TopicPartition{Topic: "orders"}, TopicID: protocol.UUID{1, 2, 3},
	})
	require.NoError(t, err)
	sequence := int32(0)
	for i := range 40 {
		o := record.NewOptions()
		control := i%5 == 4
		o.ProducerID, o.ProducerEpoch, o.Transactional, o.Control = 7, 0, true, control
		a := storage.AppendOptions{Origin: record.Client}
		w := record.NewBuilder(o)
		if control {
			a.Origin = record.Coordinator
			w.AddControl(int64(1700000000000+i), record.ControlAbort, record.AppendEndTxnValue(nil, 3))
		} else {
			o.BaseSequence = sequence
			w.Reset(o)
			sequence++
			w.Add(int64(1700000000000+i), []byte("key"), bytes.Repeat([]byte("v"), 50), record.Header{Key: "h", Value: []byte("x")})
		}
		b, err := w.Build()
		require.NoError(t, err)
		_, err = l.AppendAsLeader(b, int32(i/20), a)
		require.NoError(t, err)
	}
	l.UpdateHighWatermark(l.LogEndOffset())
	running := show(fsys, false, "data/orders-0")
	require.NotContains(t, running, "=>", "while the log is open")
	require.NoError(t, l.Close())
	out := show(fsys, false, "data/orders-0")
	require.NotContains(t, out, "=>")
	require.NotContains(t, out, "missingOffsets: 1")
	for _, part := range []string{"kind: offsetIndex", "kind: timeIndex", "kind: transactionIndex", "kind: producerSnapshot",
		"kind: leaderEpochCheckpoint", "kind: partitionMetadata", "nextOffset: 40 ", "epoch: 1 startOffset: 20",
		"controlType: ABORT coordinatorEpoch: 3", `headers: [h="x"]`, "comparedWithLog: true", "value: AQIDAAAAAAAAAAAAAAAAAA"} {
		require.Contains(t, out, part)
	}
}

func TestWhatFormattingWritesIsSound(t *testing.T) {
	fsys := vfs.NewMem()
	require.NoError(t, fsys.MkdirAll("data"))
	id := protocol.UUID{15: 200}
	require.NoError(t, storage.WriteMetaProperties(fsys, "data",
		storage.MetaProperties{ClusterID: "a=b:c", NodeID: 1, DirectoryID: id}, time.UnixMilli(1700000000000)))
	level := &metadata.FeatureLevelRecord{Name: "metadata.version", FeatureLevel: 33}
	require.NoError(t, quorum.WriteBootstrap(fsys, "data", quorum.Bootstrap{
		TimeMs: 1700000000000, KRaftVersion: 1,
		Voters: []quorum.Voter{{ID: 1, DirectoryID: id, MaxVersion: 1,
			Endpoints: []quorum.Endpoint{{Name: "CONTROLLER", Host: "h", Port: 9093}}}},
		Records: [][]byte{metadata.AppendRecord(nil, level, 0)},
	}))
	out := show(fsys, false, "data", "data/__cluster_metadata-0")
	require.NotContains(t, out, "=>")
	for _, part := range []string{"name: cluster.id value: a=b:c", "kind: metadataSnapshot", "SNAPSHOT_HEADER", "SNAPSHOT_FOOTER",
		`{"name":"CONTROLLER","host":"h","port":9093}`, `{"name":"metadata.version","featureLevel":33}`} {
		require.Contains(t, out, part)
	}
}

// For the records that Kafka wrote in ../../metadata/testdata: what is printed says all that the bytes
// say, so reading it back and writing it gives them again.
func TestMetadataRecordsArePrintedWholly(t *testing.T) {
	f, err := os.Open("../../metadata/testdata/kafka-4.4.0-records.txt")
	require.NoError(t, err)
	defer f.Close()
	d := &dumper{printer: newPrinter(nil, false), known: map[fieldKey]fieldFact{}}
	kinds := map[int16]bool{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		value, err := hex.DecodeString(lines.Text())
		require.NoError(t, err)
		m, version, err := metadata.ParseRecord(value)
		require.NoError(t, err)
		text := d.appendMessage(nil, m, version)
		again := reflect.New(reflect.TypeOf(m).Elem()).Interface().(metadata.Record)
		require.NoError(t, json.Unmarshal(text, again), "%s", text)
		require.Equal(t, value, metadata.AppendRecord(nil, again, version), "%s", text)
		kinds[m.APIKey()] = true
	}
	require.NoError(t, lines.Err())
	require.GreaterOrEqual(t, len(kinds), 18)
}

func TestFieldsOfOtherVersionsAreLeftOut(t *testing.T) {
	d := &dumper{printer: newPrinter(nil, false), known: map[fieldKey]fieldFact{}}
	m := metadata.NewPartitionChangeRecord()
	m.Isr = []int32{}
	require.Contains(t, string(d.appendMessage(nil, m, 0)), `"isr":[],"leader":-2,"replicas":null,`)
	require.NotContains(t, string(d.appendMessage(nil, m, 0)), "directories")
	require.Contains(t, string(d.appendMessage(nil, m, 1)), `"directories":`)
	require.Equal(t, metadata.NewPartitionChangeRecord().Replicas, m.Replicas, "the record is as it was")
}

// A log, and the zero tail of an index, cost the memory of their largest piece, not of the file.
func TestFilesAreReadInPieces(t *testing.T) {
	fsys := vfs.NewMem()
	w := record.NewBuilder(record.NewOptions())
	w.Add(1, nil, make([]byte, 1000))
	b, err := w.Build()
	require.NoError(t, err)
	var log []byte
	for i := range 8000 {
		b.SetBaseOffset(int64(i))
		log = append(log, b...)
	}
	write(t, fsys, "00000000000000000000.log", log)
	write(t, fsys, "00000000000000000000.index", make([]byte, 10<<20))
	var before, after runtime.MemStats
	var out counter
	runtime.ReadMemStats(&before)
	require.NoError(t, Files(&out, fsys, []string{"00000000000000000000.log", "00000000000000000000.index"}, Options{}))
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	require.Greater(t, out.n, len(log))
}

func TestBytesAreQuotedAsGoQuotesThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		v = append(v, rapid.String().Draw(t, "text")...)
		require.Equal(t, strconv.Quote(string(v)), string(appendQuoted(nil, v)))
		var back string
		text := appendJSONText(nil, v)
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, collapse(strings.ToValidUTF8(string(v), "\ufffd")), collapse(back))
	})
}

// collapse makes one of every run of U+FFFD, as strings.ToValidUTF8 does with bad bytes.
func collapse(s string) string {
	for strings.Contains(s, "\ufffd\ufffd") {
		s = strings.ReplaceAll(s, "\ufffd\ufffd", "\ufffd")
	}
	return s
}
