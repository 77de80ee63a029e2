package record

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/protocol"
)

// a controlValue is what the generated control records have in common.
type controlValue interface {
	AppendTo(dst []byte, version int16) []byte
	ReadFrom(b []byte, version int16) error
	VersionRange() (lowest, highest int16)
}

func TestControlRecordsOfKafkaComeBackByteIdentical(t *testing.T) {
	text, err := os.ReadFile("testdata/kafka-4.4.0-control.txt")
	require.NoError(t, err)
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		keyHex, valueHex, _ := strings.Cut(strings.TrimSpace(line), " ")
		key, err := hex.DecodeString(keyHex)
		require.NoError(t, err)
		value, err := hex.DecodeString(valueHex)
		require.NoError(t, err)
		kind, err := ParseControlKey(key)
		require.NoError(t, err)
		require.Equal(t, key, AppendControlKey(nil, kind))
		v := map[ControlType]controlValue{ControlLeaderChange: &LeaderChangeMessage{}, ControlSnapshotHeader: &SnapshotHeaderRecord{},
			ControlSnapshotFooter: &SnapshotFooterRecord{}, ControlKRaftVersion: &KRaftVersionRecord{}, ControlVoters: &VotersRecord{}}[kind]
		r := protocol.NewReader(value)
		version := r.Int16() // the first field of every KRaft control record
		require.NoError(t, v.ReadFrom(value, version), "%s", kind)
		require.Equal(t, value, v.AppendTo(nil, version), "%s", kind)
		seen[kind.String()] = true
	}
	require.Len(t, seen, 5, "%v", seen)
}

func TestEndTransactionMarkerHasVersionPrefix(t *testing.T) {
	value := AppendEndTxnValue(nil, 7)
	require.Equal(t, []byte{0, 0, 0, 0, 0, 7}, value)
	m, err := ParseEndTxnValue([]byte{0, 9, 0, 0, 0, 8, 1, 2}) // newer, with more fields: read as version 0
	require.NoError(t, err)
	require.EqualValues(t, 8, m.CoordinatorEpoch)
	for n := range value {
		_, err := ParseEndTxnValue(value[:n])
		require.ErrorIs(t, err, protocol.ErrMalformed)
	}
	_, err = ParseEndTxnValue([]byte{0xff, 0xff, 0, 0, 0, 1})
	require.ErrorIs(t, err, protocol.ErrMalformed)
}

func TestControlKeyOfNewerVersionIsReadLikeVersionZero(t *testing.T) {
	kind, err := ParseControlKey([]byte{0, 5, 0, 1, 9})
	require.NoError(t, err)
	require.Equal(t, ControlCommit, kind)
	require.Equal(t, "UNKNOWN", ControlType(99).String())
	_, err = ParseControlKey([]byte{0xff, 0xff, 0, 1})
	require.ErrorIs(t, err, protocol.ErrMalformed)
	_, err = ParseControlKey([]byte{0, 0, 0})
	require.ErrorIs(t, err, protocol.ErrMalformed)
}

func FuzzControlRecords(f *testing.F) {
	f.Add(byte(0), []byte{0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 0, 1, 0})
	f.Add(byte(1), []byte{0, 0, 2, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		all := []controlValue{&LeaderChangeMessage{}, &VotersRecord{}, &SnapshotHeaderRecord{}, &SnapshotFooterRecord{}, &KRaftVersionRecord{}, &EndTxnMarker{}}
		v := all[int(kind)%len(all)]
		low, high := v.VersionRange()
		for version := low; version <= high; version++ {
			if v.ReadFrom(b, version) == nil {
				once := v.AppendTo(nil, version)
				if err := v.ReadFrom(once, version); err != nil {
					t.Fatal(err)
				}
				require.Equal(t, once, v.AppendTo(nil, version))
			}
		}
	})
}
