package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersionRangesAreRead(t *testing.T) {
	for text, want := range map[string]versions{"3": {3, 3}, "0-4": {0, 4}, "2+": {2, 32767}, "none": noVersions} {
		var v versions
		require.NoError(t, v.UnmarshalJSON([]byte(`"`+text+`"`)), text)
		require.Equal(t, want, v)
	}
	var v versions
	require.Error(t, v.UnmarshalJSON([]byte(`"x"`)))
}

func TestConditionsNameOnlyWhatTheValidRangeLeavesOpen(t *testing.T) {
	valid := versions{1, 4}
	for want, v := range map[string]versions{
		"true": {0, 9}, "false": {5, 9}, "version >= 3": {3, 32767}, "version <= 2": {0, 2}, "version >= 2 && version <= 3": {2, 3},
	} {
		require.Equal(t, want, condition(v, valid))
	}
}

const sample = `// a comment
{
  "apiKey": 7, "type": "metadata", "name": "SampleRecord",
  // another
  "validVersions": "0-1", "flexibleVersions": "0+",
  "fields": [
    { "name": "id", "type": "int32", "versions": "0+", "default": "-1" },
    { "name": "Parts", "type": "[]Part", "versions": "1+", "fields": [
      { "name": "Note", "type": "string", "versions": "1+", "nullableVersions": "1+" } ] },
    { "name": "Ids", "type": "[]uuid", "versions": "1+", "taggedVersions": "1+", "tag": 0, "nullableVersions": "1+", "default": "null" }
  ]
}`

func TestSchemaBecomesCode(t *testing.T) {
	m, err := parseMessage([]byte(sample))
	require.NoError(t, err)
	text, err := emitRecords("metadata", []*message{m}, metadata)
	require.NoError(t, err)
	for _, want := range []string{"Id int32 `json:\"id\"`", "Parts []SampleRecordPart", "Note *string", "Ids []protocol.UUID", `7: "SAMPLE_RECORD"`,
		"*m = SampleRecord{Id: -1}", "m.Ids != nil", "if version >= 1 {"} {
		require.Contains(t, text, want)
	}
	require.NoError(t, write(filepath.Join(t.TempDir(), "x.go"), text), "gofmt reads it")
	require.Equal(t, 2, m.smallest("Part", m.ValidVersions.and(versions{1, 1})), "a compact null and no tags")
}

func TestWhatTheEmitterCannotDoIsRefused(t *testing.T) {
	for name, change := range map[string][2]string{
		"unknown type":                   {`"int32"`, `"Nowhere"`},
		"nullable in some versions only": {`"type": "int32", "versions": "0+"`, `"type": "string", "versions": "0+", "nullableVersions": "1+"`},
	} {
		m, err := parseMessage([]byte(strings.Replace(sample, change[0], change[1], 1)))
		if err == nil {
			_, err = emitRecords("metadata", []*message{m}, metadata)
		}
		require.ErrorContains(t, err, name)
	}
}

func TestANullWithoutQuotesIsNoDefault(t *testing.T) {
	text := strings.NewReplacer(`"default": "null"`, `"default": null`, `"metadata"`, `"coordinator-value"`).Replace(sample)
	m, err := parseMessage([]byte(text))
	require.NoError(t, err)
	code, err := emitRecords("record", []*message{m}, coordinator)
	require.NoError(t, err)
	for _, want := range []string{"m.Ids = []protocol.UUID{}", "m.Ids == nil || len(m.Ids) > 0", "RecordType() int16 { return 7 }", "value() {}"} {
		require.Contains(t, code, want)
	}
	require.NoError(t, write(filepath.Join(t.TempDir(), "x.go"), code), "gofmt reads it")
}

// Needs Kafka's jars: KAFKA_CLASSPATH names a file with a class path.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	classpath := os.Getenv("KAFKA_CLASSPATH")
	if classpath == "" {
		t.Skip("KAFKA_CLASSPATH is not set")
	}
	root := t.TempDir()
	files := []string{"metadata/records_gen.go", "protocol/schema_gen.go", "protocol/record/control_gen.go", "coordinator/group/record/records_gen.go"}
	for _, f := range files {
		require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(f)), 0o755))
	}
	require.NoError(t, run("", classpath, root))
	for _, f := range files {
		want, err := os.ReadFile(filepath.Join(root, f))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join("../../..", f))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), f)
	}
}
