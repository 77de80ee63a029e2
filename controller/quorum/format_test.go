package quorum

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/cost"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

// The golden file is what kafka-storage.sh format --standalone of Apache Kafka 4.4.0 wrote for node 1 at
// 127.0.0.1:19280. Its three batches carry three times, a few ms apart; all else must be ours to the byte.
func TestBootstrapSnapshotIsKafkasToTheByte(t *testing.T) {
	golden, err := os.ReadFile("testdata/kafka-4.4/standalone.checkpoint")
	require.NoError(t, err)
	mem := vfs.NewMem()
	dir := path.Join("data", PartitionDir())
	require.NoError(t, mem.MkdirAll(dir))
	name := path.Join(dir, SnapshotID{}.String()+snapshotEnding)
	require.NoError(t, vfs.WriteFileAtomic(mem, name, golden, true))

	s, err := openSnapshot(mem, dir, SnapshotID{}, compress.NewCodecs())
	require.NoError(t, err)
	last, m, err := s.head(SnapshotID{})
	require.NoError(t, err)
	require.Positive(t, last)
	require.EqualValues(t, 1, m.KRaftVersion)
	require.EqualValues(t, -1, m.Offset)
	require.Len(t, m.Voters, 1)
	require.Equal(t, []Endpoint{{"CONTROLLER", "127.0.0.1", 19280}}, m.Voters[0].Endpoints)
	var values [][]byte
	for v, err := range s.values() {
		require.NoError(t, err)
		values = append(values, slices.Clone(v))
	}
	require.Len(t, values, 6) // the feature levels
	s.close()

	require.NoError(t, WriteBootstrap(mem, "data", Bootstrap{TimeMs: last, KRaftVersion: 1, Voters: m.Voters, Records: values}))
	ours, err := vfs.ReadFile(mem, name, 1<<20)
	require.NoError(t, err)
	require.Equal(t, timeless(t, golden), timeless(t, ours))
}

// timeless sets the times of every batch to one value.
func timeless(t *testing.T, file []byte) []byte {
	var out []byte
	for rest := slices.Clone(file); len(rest) > 0; {
		var b record.Batch
		var err error
		b, rest, err = record.Next(rest)
		require.NoError(t, err)
		for i := 27; i < 43; i++ { // base and max timestamp
			b[i] = 0
		}
		b.SetLogAppendTime(1) // makes the CRC anew
		if b.IsControl() && b.BaseOffset() == 0 {
			clear(b[17:21])
			require.Greater(t, len(b), 90)
			clear(b[74:82]) // lastContainedLogTimestamp
		}
		out = append(out, b...)
	}
	return out
}

func TestQuorumStateIsKafkasText(t *testing.T) {
	dir, err := protocol.ParseUUID("2CESaK2JSomVrzYxsdYLQA")
	require.NoError(t, err)
	for text, c := range map[string]struct {
		st      ElectionState
		version int16
	}{
		`{"leaderId":1,"leaderEpoch":2,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}`: {
			ElectionState{Epoch: 2, LeaderID: 1, Voted: nobody}, 1},
		`{"leaderId":-1,"leaderEpoch":7,"votedId":3,"votedDirectoryId":"2CESaK2JSomVrzYxsdYLQA","data_version":1}`: {
			ElectionState{Epoch: 7, LeaderID: -1, Voted: ReplicaKey{3, dir}}, 1},
		`{"clusterId":"","leaderId":-1,"leaderEpoch":5,"votedId":2,"appliedOffset":0,"currentVoters":[{"voterId":1},{"voterId":2}],"data_version":0}`: {
			ElectionState{Epoch: 5, LeaderID: -1, Voted: ReplicaKey{ID: 2}, Voters: []int32{1, 2}}, 0},
	} {
		require.Equal(t, text, string(appendQuorumState(nil, c.st, c.version)))
		st, err := parseQuorumState([]byte(text))
		require.NoError(t, err)
		require.Equal(t, c.st, st)
	}
}

func FuzzQuorumState(f *testing.F) {
	f.Add([]byte(`{"leaderId":1,"leaderEpoch":2,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}`))
	f.Add([]byte(`{"clusterId":"","leaderId":-1,"leaderEpoch":5,"votedId":2,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}`))
	f.Add([]byte(""))
	f.Add([]byte(`{"leaderId":1,"leaderEpoch":2,"votedId":-1,"currentVoters":[` + strings.Repeat(`{"voterId":1},`, 50) + `{"voterId":1}],"data_version":0}`))
	f.Add([]byte(`{"leaderId":` + strings.Repeat("[", 1000)))
	f.Fuzz(func(t *testing.T, b []byte) {
		cost.Bounded(t, len(b), 64<<10, func() { parseQuorumState(b) })
		if st, err := parseQuorumState(b); err == nil {
			again, err := parseQuorumState(appendQuorumState(nil, st, 1))
			require.NoError(t, err)
			require.Equal(t, []any{st.Epoch, st.LeaderID, st.Voted}, []any{again.Epoch, again.LeaderID, again.Voted})
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	golden, err := os.ReadFile("testdata/kafka-4.4/standalone.checkpoint")
	require.NoError(f, err)
	f.Add(golden)
	f.Add(golden[:200])
	f.Fuzz(func(t *testing.T, b []byte) {
		readSnapshot(t, b)
		readSnapshot(t, resealed(b))
	})
}

func readSnapshot(t *testing.T, b []byte) {
	t.Helper()
	mem := vfs.NewMem()
	require.NoError(t, mem.MkdirAll("d"))
	require.NoError(t, vfs.WriteFileAtomic(mem, path.Join("d", SnapshotID{}.String()+snapshotEnding), b, false))
	codecs := compress.NewCodecs()
	cost.Bounded(t, len(b), 1<<20, func() { // a read buffer, and a window of each codec once
		s, err := openSnapshot(mem, "d", SnapshotID{}, codecs)
		require.NoError(t, err)
		defer s.close()
		_, _, _ = s.head(SnapshotID{})
		for range s.values() {
		}
	})
}

// resealed puts the checksum of every batch right, so that what lies behind it is reached.
func resealed(b []byte) []byte {
	b = bytes.Clone(b)
	for rest := b; ; {
		batch, more, err := record.Next(rest)
		if err != nil || len(batch) == 0 {
			return b
		}
		binary.BigEndian.PutUint32(batch[17:], crc32.Checksum(batch[21:], crc32.MakeTable(crc32.Castagnoli)))
		rest = more
	}
}

func FuzzSnapshotName(f *testing.F) {
	f.Add("00000000000000000000-0000000000.checkpoint")
	f.Add("00000000000000000071-0000000002.checkpoint.deleted")
	f.Add("99999999999999999999-9999999999.checkpoint")
	f.Fuzz(func(t *testing.T, name string) {
		if id, ending, ok := parseSnapshotName(name); ok {
			require.Equal(t, name, id.String()+ending)
		}
	})
}
