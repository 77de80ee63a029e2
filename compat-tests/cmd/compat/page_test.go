package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestThePageShowsEachClientOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results.json")
	if err := os.WriteFile(file, []byte(`[
		{"client": "kcat", "version": "1.7.1", "feature": "connect", "passed": true, "note": ""},
		{"client": "kcat", "version": "1.7.1", "feature": "admin", "passed": false, "note": "has no admin calls"},
		{"client": "franz-go", "version": "1.22", "feature": "connect", "passed": true, "note": ""}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	results, err := readResults(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	(&flags{}).clients(&out, results)
	for _, want := range []string{"| Client | Version | connect | admin |", "| kcat | 1.7.1 | pass | **fail** (1) |", "| franz-go | 1.22 | pass | – |", "(1) has no admin calls"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, out.String())
		}
	}
	if _, err := readResults(filepath.Join(t.TempDir(), "none.json")); err != nil {
		t.Error("results may be absent:", err)
	}
}

func TestThePageRepeatsEveryKnownDifference(t *testing.T) {
	rows, err := os.ReadFile("../../../docs/divergence.md")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	deviations(&out, string(rows))
	for line := range strings.Lines(string(rows)) {
		if id, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |"); tableRow.MatchString(strings.TrimSpace(line)) && !strings.Contains(out.String(), "| "+id+" |") {
			t.Errorf("%s is not on the page", id)
		}
	}
	if strings.Count(out.String(), "\n| ") < 40 {
		t.Error(out.String())
	}
}
