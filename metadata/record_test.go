package metadata

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

func goldenRecords(t testing.TB) [][]byte {
	text, err := os.ReadFile("testdata/kafka-4.4.0-records.txt")
	require.NoError(t, err)
	var all [][]byte
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		value, err := hex.DecodeString(strings.TrimSpace(line))
		require.NoError(t, err)
		all = append(all, value)
	}
	return all
}

func TestRecordsOfKafkaComeBackByteIdentical(t *testing.T) {
	kinds := map[string]bool{}
	for _, value := range goldenRecords(t) {
		r, version, err := ParseRecord(value)
		require.NoError(t, err, "%x", value)
		require.Equal(t, value, AppendRecord(nil, r, version), "%T", r)
		kinds[RecordName(r.APIKey())] = true
		for n := range len(value) {
			_, _, err := ParseRecord(value[:n])
			require.ErrorIs(t, err, protocol.ErrMalformed, "cut to %d of %x", n, value)
		}
		_, _, err = ParseRecord(append(value[:len(value):len(value)], 0))
		require.ErrorIs(t, err, protocol.ErrMalformed, "a byte too many")
	}
	require.Greater(t, len(kinds), 15, "%v", kinds)
}

func TestEveryRecordAndVersionRoundTrips(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for key, name := range recordNames {
		low, high := newRecord(key).VersionRange()
		for version := low; version <= high; version++ {
			for range 20 {
				r := newRecord(key)
				fill(rng, reflect.ValueOf(r).Elem())
				value := AppendRecord(nil, r, version)
				back, v, err := ParseRecord(value)
				require.NoError(t, err, "%s version %d", name, version)
				require.Equal(t, version, v)
				require.Equal(t, value, AppendRecord(nil, back, version), name)
				if version == high {
					if diff := cmp.Diff(r, back, cmpopts.EquateEmpty()); diff != "" {
						t.Fatalf("%s version %d:\n%s", name, version, diff)
					}
				}
				text, err := json.Marshal(back)
				require.NoError(t, err)
				again := newRecord(key)
				require.NoError(t, json.Unmarshal(text, again))
				require.Equal(t, value, AppendRecord(nil, again, version), "%s through JSON", name)
			}
		}
	}
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
	case reflect.Float64:
		v.SetFloat(rng.Float64())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(rng.Uint64() & 0x7f)
	default:
		v.SetInt(int64(rng.IntN(200) - 100))
	}
}

func TestRecordNamesAreKafkas(t *testing.T) {
	require.Len(t, recordNames, 27)
	require.Equal(t, "REGISTER_BROKER_RECORD", RecordName(0))
	require.Equal(t, "ZK_MIGRATION_STATE_RECORD", RecordName(21))
	require.Equal(t, "", RecordName(999))
	for key := range recordNames {
		require.Equal(t, key, newRecord(key).APIKey())
	}
	require.Nil(t, newRecord(-1))
}

func TestStrangeFramesAreRefused(t *testing.T) {
	for name, value := range map[string][]byte{
		"frame version 0":      {0, 3, 0},
		"frame version 2":      {2, 20, 0, 0},
		"unknown key":          {1, 99, 0, 0},
		"unknown version":      {1, 20, 9, 0},
		"key above 32767":      {1, 0xff, 0xff, 0x7f, 0, 0},
		"varint overflow":      {0xff, 0xff, 0xff, 0xff, 0x1f, 0, 0},
		"tags not ascending":   {1, 20, 0, 2, 5, 0, 5, 0},
		"count beyond the end": {1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0},
	} {
		_, _, err := ParseRecord(value)
		require.ErrorIs(t, err, protocol.ErrMalformed, name)
	}
}

func FuzzParseRecord(f *testing.F) {
	for _, value := range goldenRecords(f) {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		cost.Bounded(t, len(value), 64<<10, func() { ParseRecord(value) })
		r, version, err := ParseRecord(value)
		if err != nil {
			return
		}
		once := AppendRecord(nil, r, version)
		again, _, err := ParseRecord(once)
		if err != nil {
			t.Fatalf("%T written cannot be read: %v", r, err)
		}
		if twice := AppendRecord(nil, again, version); !bytes.Equal(once, twice) {
			t.Fatalf("%T is not stable: %x, %x", r, once, twice)
		}
	})
}

func BenchmarkParsePartitionRecord(b *testing.B) {
	r := NewPartitionRecord()
	r.Replicas, r.Isr = []int32{1, 2, 3}, []int32{1, 2, 3}
	r.Directories = make([]protocol.UUID, 3)
	value := AppendRecord(nil, r, 2)
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if _, _, err := ParseRecord(value); err != nil {
			b.Fatal(err)
		}
	}
}
