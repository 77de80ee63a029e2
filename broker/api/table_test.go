package api

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/dohle-io/dohle/protocol"
)

func TestTableIsSortedAndWhole(t *testing.T) {
	require.NoError(t, check(Table))
}

func TestRowsServeWhatKafkaServes(t *testing.T) {
	newest := kversion.Stable()
	for _, a := range Table {
		kafka, ok := protocol.VersionsOf(a.Key)
		require.True(t, ok, a.Name)
		assert.Equal(t, kafka.Min, a.Min, "%s: minimum", a.Name)
		assert.Equal(t, kafka.HighestStable(), a.Max, "%s: maximum", a.Name)
		if most, ok := newest.LookupMaxKeyVersion(a.Key); ok {
			assert.LessOrEqual(t, most, a.Max, "%s: kversion's newest", a.Name)
		}
		want := Listeners(0)
		if kafka.Listeners&protocol.OnBroker != 0 {
			want |= OnBroker
		}
		if kafka.Listeners&protocol.OnController != 0 {
			want |= OnController
		}
		assert.Zero(t, a.On()&^want, "%s is served where Kafka does not", a.Name)
	}
}

// TestFilesAreNamedByTheirKey reads the package: NN_name.go declares the row of key NN, the first of its rows.
func TestFilesAreNamedByTheirKey(t *testing.T) {
	files, err := filepath.Glob("[0-9][0-9]_*.go")
	require.NoError(t, err)
	named := regexp.MustCompile(`^([0-9]{2})_([a-z_]+)\.go$`)
	declared := regexp.MustCompile(`(?m)^\s*(?:var )?(\w+)\s+= (?:define|defineAnswer|defineTable|defineTableAnswer|forwarded|decided|ofQuorum)\b`)
	rows := map[int16]bool{}
	for _, a := range Table {
		rows[a.Key] = true
	}
	table, err := os.ReadFile("table.go")
	require.NoError(t, err)
	for _, file := range files {
		m := named.FindStringSubmatch(file)
		if m == nil || strings.HasSuffix(file, "_test.go") {
			continue
		}
		key, _ := strconv.Atoi(m[1])
		assert.True(t, rows[int16(key)], "%s: no row for key %d", file, key)
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		vars := declared.FindAllStringSubmatch(string(b), -1)
		assert.NotEmpty(t, vars, file)
		for _, v := range vars {
			assert.Regexp(t, `(?m)^\t`+v[1]+`[,.]`, string(table), "%s declares %s, which table.go does not list", file, v[1])
		}
	}
}

func TestLookupKnowsListeners(t *testing.T) {
	d := NewDispatcher(Table, &Handlers{})
	for _, c := range []struct {
		key                int16
		broker, controller bool
	}{{0, true, false}, {1, true, true}, {3, true, false}, {18, true, true}, {19, true, true}, {52, false, true}, {58, false, true}, {62, false, true}, {71, true, false},
		{4, false, false}, {-1, false, false}, {1000, false, false}} {
		_, broker := d.Lookup(c.key, false)
		_, controller := d.Lookup(c.key, true)
		assert.Equal(t, c.broker, broker, "key %d on a broker", c.key)
		assert.Equal(t, c.controller, controller, "key %d on a controller", c.key)
	}
}

var update = flag.Bool("update", false, "rewrite docs/apis.md from the table")

// TestDocumentationMatchesTheTable keeps docs/apis.md derived; -update writes it.
func TestDocumentationMatchesTheTable(t *testing.T) {
	const path = "../../docs/apis.md"
	want := document(Table)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, want, string(have), "run: go test ./broker/api -run Documentation -update")
}

// document is docs/apis.md.
func document(rows []API) string {
	var b strings.Builder
	b.WriteString("# Requests that Dohle serves\n\nGenerated from `broker/api/table.go` by `go test ./broker/api -run Documentation -update`. Do not edit.\n")
	b.WriteString("Versions are those of Apache Kafka 4.4.0. B: listeners of brokers. C: listeners of controllers.\n\n")
	b.WriteString("| Key | Request | Versions | Listeners | Notes |\n|---|---|---|---|---|\n")
	served := map[int16]bool{}
	for _, a := range rows {
		served[a.Key] = true
		on := map[Listeners]string{OnBroker: "B", OnController: "C", Everywhere: "B C"}[a.On()]
		var notes []string
		if a.forwardedRow {
			notes = append(notes, "forwarded to the active controller")
		}
		if a.advertisedMin != a.Min {
			notes = append(notes, fmt.Sprintf("advertised from %d", a.advertisedMin))
		}
		if a.hidden {
			notes = append(notes, "not advertised")
		}
		fmt.Fprintf(&b, "| %d | %s | %d-%d | %s | %s |\n", a.Key, a.Name, a.Min, a.Max, on, strings.Join(notes, "; "))
	}
	var missing []string
	for key := range protocol.MaxKey() + 1 {
		if _, ok := protocol.VersionsOf(key); ok && !served[key] {
			missing = append(missing, fmt.Sprintf("%s (%d)", kafkaName(key), key))
		}
	}
	fmt.Fprintf(&b, "\n%d of Kafka's %d requests. Not served yet: %s.\n", len(rows), len(rows)+len(missing), strings.Join(missing, ", "))
	return b.String()
}
