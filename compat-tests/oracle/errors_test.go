package oracle

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var errorLine = regexp.MustCompile(`^(reached|not) +(\w+) (-?\d+) [A-Z_]+: (.+)$`)

// golden/errors.txt lists every error code that a request can be answered with: the scenario that reaches it, or why
// none does. It says the same as the recorded answers.
func TestErrorCodesAreListedAsTheyWereRecorded(t *testing.T) {
	golden, err := LoadGolden(filepath.Join("..", "golden"))
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string][]string{} // API and code → scenarios
	for name, transcript := range golden.Transcripts {
		for _, reply := range transcript.Steps {
			eachCode(reply.Answer, func(code string) {
				key := reply.API + " " + code
				recorded[key] = append(recorded[key], name)
			})
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "golden", "errors.txt"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for n, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		m := errorLine.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("errors.txt:%d is no line of this list: %s", n+1, line)
		}
		key := m[2] + " " + m[3]
		if listed[key] {
			t.Errorf("errors.txt:%d lists %s again", n+1, key)
		}
		listed[key] = true
		switch names := recorded[key]; {
		case m[1] == "not" && len(names) > 0:
			t.Errorf("errors.txt:%d says that nothing reaches %s; %s does", n+1, key, names[0])
		case m[1] == "reached" && !anyIsOf(names, m[4]):
			t.Errorf("errors.txt:%d says that %q reaches %s; reached by %d others", n+1, m[4], key, len(names))
		}
	}
	for key, names := range recorded {
		if !listed[key] {
			t.Errorf("errors.txt lacks a line about %s, which %s reaches", key, names[0])
		}
	}
}

func anyIsOf(instances []string, title string) bool {
	for _, name := range instances {
		if name == title || strings.HasPrefix(name, title+" ") {
			return true
		}
	}
	return false
}

// eachCode visits the error codes in an answer.
func eachCode(v any, visit func(code string)) {
	switch v := v.(type) {
	case map[string]any:
		for field, x := range v {
			if code, ok := x.(string); field == "ErrorCode" && !ok {
				visit(fmt.Sprint(x))
			} else if code == "" {
				eachCode(x, visit)
			}
		}
	case []any:
		for _, x := range v {
			eachCode(x, visit)
		}
	}
}

// Every row of the lists of what went wrong elsewhere has a conversation; these are their names.
func TestEveryRowHasAScenario(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "scenarios", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	words := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "#") {
				for _, word := range regexp.MustCompile(`\b[A-Z]\d+\b`).FindAllString(line, -1) {
					words[word] = true
				}
			}
		}
	}
	rows := "G4 G5 G9 G11 G15 G16 G20 G23 G26 G27 G28 G29 G52 G53 G54 G55 G56 G60 G61 G67 G68 G69 G70 G71 P14 P36 " +
		"G2 G3 G8 G12 G17 G19 G21 G62 G72 G74 P15 P16 P19 P23 P44 X3 X7 X9 X10 " +
		"X1 X2 X4 X5 X6 X8 X11 X12 Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 Q11 Q14 Q16 P1 P2 P3 P4 P5 P8"
	for _, row := range strings.Fields(rows) {
		if !words[row] {
			t.Errorf("no scenario's comment names %s", row)
		}
	}
}
