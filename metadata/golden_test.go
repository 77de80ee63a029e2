package metadata

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

const golden = "testdata/kafka-4.4.0"

// entriesOf reads the data records of a log or snapshot that Apache Kafka 4.4.0 wrote.
func entriesOf(t *testing.T, name string) []Entry {
	b, err := os.ReadFile(filepath.Join(golden, name))
	require.NoError(t, err)
	var entries []Entry
	codecs := compress.NewCodecs()
	for len(b) > 0 {
		batch, rest, err := record.Next(b)
		require.NoError(t, err)
		require.True(t, batch.VerifyCRC())
		b = rest
		if batch.IsControl() {
			continue
		}
		for r, err := range batch.Records(codecs, 1<<20) {
			require.NoError(t, err)
			entries = append(entries, Entry{Offset: r.Offset, Epoch: batch.PartitionLeaderEpoch(), AppendTime: r.Timestamp, Value: slices.Clone(r.Value)})
		}
	}
	return entries
}

func snapshots(t *testing.T) []string {
	names, err := filepath.Glob(golden + "/*.checkpoint")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	return names
}

func valuesOf(entries []Entry) func(yield func([]byte, error) bool) {
	return func(yield func([]byte, error) bool) {
		for _, e := range entries {
			if !yield(e.Value, nil) {
				return
			}
		}
	}
}

func replayed(t *testing.T, entries []Entry) *Image {
	l := NewLoader(Empty())
	require.NoError(t, l.Load(entries, func(*Image, *Delta) {}))
	require.False(t, l.InTransaction())
	return l.Image()
}

// What a Kafka controller wrote becomes the image that is written down in image.txt. DOHLE_REWRITE=1 writes it anew.
func TestLogOfKafkaReplaysToTheExpectedImage(t *testing.T) {
	img := replayed(t, entriesOf(t, "00000000000000000000.log"))
	file := filepath.Join(golden, "image.txt")
	if os.Getenv("DOHLE_REWRITE") != "" {
		require.NoError(t, os.WriteFile(file, []byte(text(img)), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), text(img))
}

// Loading a snapshot equals replaying the log up to its end (M4), for every snapshot that Kafka left, and the rest of the
// log goes on from there.
func TestSnapshotOfKafkaEqualsReplay(t *testing.T) {
	log := entriesOf(t, "00000000000000000000.log")
	whole := replayed(t, log)
	for _, name := range snapshots(t) {
		end, err := strconv.ParseInt(strings.TrimLeft(name[:20], "0")+"", 10, 64)
		if err != nil {
			continue // 0-0: what formatting wrote, not a state of the log
		}
		t.Run(name, func(t *testing.T) {
			var before, after []Entry
			for _, e := range log {
				if e.Offset < end {
					before = append(before, e)
				} else {
					after = append(after, e)
				}
			}
			l := NewLoader(Empty())
			img, _, err := l.LoadSnapshot(valuesOf(entriesOf(t, name)), end-1, 1, 0)
			require.NoError(t, err)
			require.Equal(t, text(replayed(t, before)), text(img))
			require.NoError(t, l.Load(after, func(*Image, *Delta) {}))
			require.Equal(t, text(whole), text(l.Image()))
		})
	}
}

// The records that Kafka puts into a snapshot are the ones that we put there, at the same versions. Their order within an
// aspect is Java's map order and means nothing.
func TestSnapshotRecordsEqualKafkas(t *testing.T) {
	for _, name := range snapshots(t)[1:] {
		var theirs, ours []string
		entries := entriesOf(t, name)
		for _, e := range entries {
			r, v, err := ParseRecord(e.Value)
			require.NoError(t, err)
			switch r := r.(type) { // lists in Java's map order
			case *RegisterBrokerRecord:
				slices.SortFunc(r.Features, func(a, b RegisterBrokerRecordBrokerFeature) int { return strings.Compare(a.Name, b.Name) })
			case *RegisterControllerRecord:
				slices.SortFunc(r.Features, func(a, b RegisterControllerRecordControllerFeature) int { return strings.Compare(a.Name, b.Name) })
			case *ClientQuotaRecord:
				slices.SortFunc(r.Entity, func(a, b ClientQuotaRecordEntityData) int { return strings.Compare(b.EntityType, a.EntityType) })
			}
			theirs = append(theirs, string(AppendRecord(nil, r, v)))
		}
		img, _, err := LoadSnapshot(Empty(), valuesOf(entries), 1, 1, 0)
		require.NoError(t, err)
		require.NoError(t, img.WriteSnapshot(func(value []byte) error {
			ours = append(ours, string(value))
			return nil
		}))
		slices.Sort(theirs)
		slices.Sort(ours)
		require.Equal(t, theirs, ours, name)
	}
}
