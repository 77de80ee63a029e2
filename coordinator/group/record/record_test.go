package record

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/cost"
	"github.com/dohle-io/dohle/protocol"
)

// golden is a record that Apache Kafka wrote; testdata/Records.java says how.
type golden struct {
	key, value         []byte
	keyJSON, valueJSON string
	newer              bool // has tagged fields that Kafka 4.4 does not know
}

func goldenRecords(t testing.TB) []golden {
	text, err := os.ReadFile("testdata/kafka-4.4.0-records.txt")
	require.NoError(t, err)
	var all []golden
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		g := golden{keyJSON: words[2], valueJSON: words[3], newer: len(words) > 4}
		g.key, err = hex.DecodeString(words[0])
		require.NoError(t, err)
		if words[1] != "-" {
			g.value, err = hex.DecodeString(words[1])
			require.NoError(t, err)
		}
		all = append(all, g)
	}
	return all
}

func TestRecordsOfKafkaComeBackByteIdentical(t *testing.T) {
	kinds := map[string]int{}
	for _, g := range goldenRecords(t) {
		r, err := Decode(g.key, g.value)
		require.NoError(t, err, "%x %x", g.key, g.value)
		require.Equal(t, g.key, AppendKey(nil, r.Key))
		kinds[TypeName(r.Type)]++
		if g.value == nil {
			require.Nil(t, r.Value)
			continue
		}
		again := AppendValue(nil, r.Value, r.Version)
		if !g.newer {
			require.Equal(t, g.value, again, "%T version %d", r.Value, r.Version)
			continue
		}
		known, err := Decode(g.key, again)
		require.NoError(t, err)
		require.Equal(t, r, known, "tags of a newer writer are skipped")
		require.Less(t, len(again), len(g.value))
	}
	require.Len(t, kinds, len(typeNames), "%v", kinds)
}

func TestFieldsAreNamedAndReadAsKafkaPrintsThem(t *testing.T) {
	for _, g := range goldenRecords(t) {
		r, err := Decode(g.key, g.value)
		require.NoError(t, err)
		requireSubset(t, g.keyJSON, r.Key)
		if g.value != nil {
			requireSubset(t, g.valueJSON, r.Value)
		}
	}
}

// requireSubset compares what Kafka prints with our fields. Kafka leaves out tagged fields that have their default and
// fields that the version does not have.
func requireSubset(t *testing.T, kafka string, ours any) {
	t.Helper()
	text, err := json.Marshal(ours)
	require.NoError(t, err)
	var want, got any
	require.NoError(t, json.Unmarshal([]byte(kafka), &want))
	require.NoError(t, json.Unmarshal(text, &got))
	require.Empty(t, cmp.Diff(want, trim(got, want)), "%T", ours)
}

func trim(v, like any) any {
	switch v := v.(type) {
	case map[string]any:
		like, ok := like.(map[string]any)
		if !ok {
			return v
		}
		out := map[string]any{}
		for name, x := range v {
			if l, ok := like[name]; ok {
				out[name] = trim(x, l)
			}
		}
		return out
	case []any:
		like, ok := like.([]any)
		if !ok || len(like) != len(v) {
			return v
		}
		for i := range v {
			v[i] = trim(v[i], like[i])
		}
		return v
	case nil: // an empty list of ours
		if l, ok := like.([]any); ok && len(l) == 0 {
			return l
		}
	}
	return v
}

func TestRecordsThatAreCutAreRefused(t *testing.T) {
	for _, g := range goldenRecords(t) {
		for n := range g.key {
			if r, err := Decode(g.key[:n], g.value); err == nil && r.Key != nil {
				t.Fatalf("%x cut to %d", g.key, n)
			}
		}
		for n := range g.value {
			_, err := Decode(g.key, g.value[:n])
			require.ErrorIs(t, err, protocol.ErrMalformed, "%x cut to %d", g.value, n)
		}
	}
}

func TestBytesAfterTheLastFieldAreIgnoredAsInKafka(t *testing.T) {
	key, value := Encode(&GroupMetadataKey{Group: "g"}, NewGroupMetadataValue())
	r, err := Decode(append(key, 1, 2), append(value, 3))
	require.NoError(t, err)
	require.Equal(t, "g", r.Key.(*GroupMetadataKey).Group)
}

func TestUnknownTypesAreSkippedAndUnknownVersionsRefused(t *testing.T) {
	for _, recordType := range []int16{9, 18, 24, 999, -1} {
		r, err := Decode(protocol.AppendInt16(nil, recordType), []byte("anything"))
		require.NoError(t, err)
		require.Equal(t, Record{Type: recordType}, r)
	}
	for recordType := range typeNames {
		key, value := Encode(newKey(recordType), newValue(recordType))
		_, highest := newValue(recordType).VersionRange()
		for _, version := range []int16{highest + 1, -1} {
			value[0], value[1] = byte(version>>8), byte(version)
			_, err := Decode(key, value)
			require.ErrorIs(t, err, protocol.ErrMalformed, "%s version %d", TypeName(recordType), version)
		}
		r, err := Decode(key, nil)
		require.NoError(t, err)
		require.Nil(t, r.Value, "a tombstone")
		_, err = Decode(key, []byte{})
		require.ErrorIs(t, err, protocol.ErrMalformed, "an empty value is no tombstone")
	}
	_, err := Decode(nil, nil)
	require.ErrorIs(t, err, protocol.ErrMalformed)
	_, err = Decode([]byte{0}, nil)
	require.ErrorIs(t, err, protocol.ErrMalformed)
}

func TestValuesAreWrittenInKafkasVersions(t *testing.T) {
	written := func(k Key, v Value) int16 {
		_, value := Encode(k, v)
		return int16(value[0])<<8 | int16(value[1])
	}
	offset := NewOffsetCommitValue()
	require.Equal(t, int16(4), written(&OffsetCommitKey{}, offset), "topic ids are a tag of version 4")
	offset.ExpireTimestamp = 12
	require.Equal(t, int16(1), written(&OffsetCommitKey{}, offset))
	require.Equal(t, int16(3), written(&GroupMetadataKey{}, NewGroupMetadataValue()))
	for recordType := range typeNames {
		if recordType != 1 && recordType != 2 {
			require.Zero(t, written(newKey(recordType), newValue(recordType)), TypeName(recordType))
		}
	}
	key, value := Encode(&OffsetCommitKey{Group: "g", Topic: "t", Partition: 1}, nil)
	require.Equal(t, []byte("\x00\x01\x00\x01g\x00\x01t\x00\x00\x00\x01"), key)
	require.Nil(t, value)
	require.Panics(t, func() { Encode(&GroupMetadataKey{}, NewOffsetCommitValue()) })
}

func TestEveryTypeAndVersionRoundTrips(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for recordType, name := range typeNames {
		require.Equal(t, recordType, newKey(recordType).RecordType())
		require.Equal(t, recordType, newValue(recordType).RecordType())
		low, high := newValue(recordType).VersionRange()
		for version := low; version <= high; version++ {
			for range 20 {
				k, v := newKey(recordType), newValue(recordType)
				fill(rng, reflect.ValueOf(k).Elem())
				fill(rng, reflect.ValueOf(v).Elem())
				key, value := AppendKey(nil, k), AppendValue(nil, v, version)
				back, err := Decode(key, value)
				require.NoError(t, err, "%s version %d", name, version)
				require.Equal(t, k, back.Key)
				require.Equal(t, value, AppendValue(nil, back.Value, version), name)
				if version == high && name != "OFFSET_COMMIT" { // its expiry exists in version 1 only
					require.Empty(t, cmp.Diff(v, back.Value, cmpopts.EquateEmpty()), name)
				}
			}
		}
	}
}

func TestAMembersMetadataMayBeLargerThanATagOfARequest(t *testing.T) {
	v := NewConsumerGroupMemberMetadataValue()
	v.ClassicMemberMetadata = &ConsumerGroupMemberMetadataValueClassicMemberMetadata{
		SupportedProtocols: []ConsumerGroupMemberMetadataValueClassicProtocol{{Name: "range", Metadata: make([]byte, 2*protocol.MaxTagBytes)}},
	}
	r, err := Decode(Encode(&ConsumerGroupMemberMetadataKey{}, v))
	require.NoError(t, err)
	require.Equal(t, v.ClassicMemberMetadata, r.Value.(*ConsumerGroupMemberMetadataValue).ClassicMemberMetadata)
}

// fill gives every field a random value, with few elements and now and then nothing.
func fill(rng *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(rng, v.Field(i))
		}
	case reflect.Pointer:
		v.SetZero()
		if rng.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(rng, v.Elem())
		}
	case reflect.Slice:
		v.SetZero()
		if n := rng.IntN(4); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n-1, n-1))
		}
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(rng, v.Index(i))
		}
	case reflect.String:
		v.SetString(strings.Repeat("x", rng.IntN(300)))
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Uint8, reflect.Uint16:
		v.SetUint(rng.Uint64() & 0x7f)
	default:
		v.SetInt(int64(rng.IntN(200) - 100))
	}
}

func FuzzDecode(f *testing.F) {
	for _, g := range goldenRecords(f) {
		f.Add(g.key, g.value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		cost.Bounded(t, len(key)+len(value), 64<<10, func() { Decode(key, value) })
		r, err := Decode(key, value)
		if err != nil || r.Key == nil {
			return
		}
		if once := AppendKey(nil, r.Key); !bytes.HasPrefix(key, once) {
			t.Fatalf("%T of %x is written as %x", r.Key, key, once)
		}
		if r.Value == nil {
			return
		}
		once := AppendValue(nil, r.Value, r.Version)
		again, err := Decode(key, once)
		if err != nil {
			t.Fatalf("%T written cannot be read: %v", r.Value, err)
		}
		if twice := AppendValue(nil, again.Value, r.Version); !bytes.Equal(once, twice) {
			t.Fatalf("%T is not stable: %x, %x", r.Value, once, twice)
		}
	})
}

func offsetRecord() (Key, Value) {
	v := NewOffsetCommitValue()
	v.Offset, v.LeaderEpoch, v.CommitTimestamp, v.TopicId = 123456789, 7, 1700000000000, protocol.UUID{1, 2, 3}
	return &OffsetCommitKey{Group: "payments-service", Topic: "payments.events.v1", Partition: 11}, v
}

func BenchmarkDecodeOffsetCommit(b *testing.B) {
	key, value := Encode(offsetRecord())
	b.ReportAllocs()
	b.SetBytes(int64(len(key) + len(value)))
	for b.Loop() {
		if _, err := Decode(key, value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendOffsetCommit(b *testing.B) {
	k, v := offsetRecord()
	var key, value []byte
	b.ReportAllocs()
	for b.Loop() {
		key, value = AppendKey(key[:0], k), AppendValue(value[:0], v, WriteVersion(v))
	}
	b.SetBytes(int64(len(key) + len(value)))
}
