package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A versions value is a closed range of message versions; lo > hi is the empty range.
type versions struct{ lo, hi int16 }

var noVersions = versions{0, -1}

func (v versions) has(version int16) bool { return v.lo <= version && version <= v.hi }
func (v versions) empty() bool            { return v.lo > v.hi }
func (v versions) covers(w versions) bool { return w.empty() || v.lo <= w.lo && w.hi <= v.hi }

func (v versions) and(w versions) versions {
	v = versions{max(v.lo, w.lo), min(v.hi, w.hi)}
	if v.empty() {
		return noVersions
	}
	return v
}

// UnmarshalJSON reads "3", "0-4", "2+" and "none".
func (v *versions) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if s == "none" {
		*v = noVersions
		return nil
	}
	lo, hi, ranged := strings.Cut(s, "-")
	if open, ok := strings.CutSuffix(s, "+"); ok {
		lo, hi, ranged = open, strconv.Itoa(math.MaxInt16), true
	}
	if !ranged {
		hi = lo
	}
	a, err1 := strconv.ParseInt(lo, 10, 16)
	b2, err2 := strconv.ParseInt(hi, 10, 16)
	*v = versions{int16(a), int16(b2)}
	return errors.Join(err1, err2)
}

// A field is one field of a struct as the schema declares it.
type field struct {
	Name             string          `json:"name"`
	Type             string          `json:"type"`
	Versions         versions        `json:"versions"`
	NullableVersions *versions       `json:"nullableVersions"`
	TaggedVersions   *versions       `json:"taggedVersions"`
	FlexibleVersions *versions       `json:"flexibleVersions"`
	Tag              int             `json:"tag"`
	Default          json.RawMessage `json:"default"`
	Fields           []*field        `json:"fields"`
}

func (f *field) goName() string { return strings.ToUpper(f.Name[:1]) + f.Name[1:] }
func (f *field) array() bool    { return strings.HasPrefix(f.Type, "[]") }
func (f *field) elem() string   { return strings.TrimPrefix(f.Type, "[]") }

func (f *field) nullable() versions {
	if f.NullableVersions == nil {
		return noVersions
	}
	return *f.NullableVersions
}

func (f *field) tagged() versions {
	if f.TaggedVersions == nil {
		return noVersions
	}
	return *f.TaggedVersions
}

// defaultText is the default as text: numbers and booleans may stand in the schema with or without quotes. A null without
// quotes is no default: Kafka's own generator then makes an empty list or an empty struct, not null.
func (f *field) defaultText() string {
	s := strings.TrimSpace(string(f.Default))
	if s == "null" {
		return ""
	}
	if unquoted, err := strconv.Unquote(s); err == nil {
		s = strings.TrimSpace(unquoted)
	}
	return s
}

func (f *field) nullByDefault() bool { return f.defaultText() == "null" }

// emptyByDefault says that a list or struct may be null but is empty by default.
func (f *field) emptyByDefault() bool {
	return !f.nullable().empty() && !f.nullByDefault() && (f.array() || !isPrimitive(f.Type))
}

// A structure is a named struct: inline in a field, or common to the whole message.
type structure struct {
	Name     string   `json:"name"`
	Versions versions `json:"versions"`
	Fields   []*field `json:"fields"`
}

// A message is one schema file.
type message struct {
	APIKey                *int16       `json:"apiKey"`
	Type                  string       `json:"type"`
	Name                  string       `json:"name"`
	Listeners             []string     `json:"listeners"`
	ValidVersions         versions     `json:"validVersions"`
	FlexibleVersions      versions     `json:"flexibleVersions"`
	LatestVersionUnstable bool         `json:"latestVersionUnstable"`
	Fields                []*field     `json:"fields"`
	CommonStructs         []*structure `json:"commonStructs"`
	path                  string       // where the schema lies: jar and name in it, or below the folder
	structs               map[string]*structure
	order                 []*structure // in the order of first use, the outermost first
}

// index finds every struct of the message by name.
func (m *message) index() error {
	m.structs = map[string]*structure{}
	for _, s := range m.CommonStructs {
		m.structs[s.Name] = s
	}
	var visit func(fields []*field) error
	visit = func(fields []*field) error {
		for _, f := range fields {
			if isPrimitive(f.elem()) {
				continue
			}
			s := m.structs[f.elem()]
			if len(f.Fields) > 0 {
				if s != nil {
					return fmt.Errorf("%s: struct %s declared twice", m.Name, f.elem())
				}
				s = &structure{Name: f.elem(), Versions: f.Versions, Fields: f.Fields}
				m.structs[s.Name] = s
			}
			if s == nil {
				return fmt.Errorf("%s.%s: unknown type %s", m.Name, f.Name, f.Type)
			}
			seen := false
			for _, o := range m.order {
				seen = seen || o == s
			}
			if !seen {
				m.order = append(m.order, s)
				if err := visit(s.Fields); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return visit(m.Fields)
}

func isPrimitive(t string) bool {
	switch t {
	case "bool", "int8", "int16", "uint16", "int32", "uint32", "int64", "float64", "string", "uuid", "bytes", "records":
		return true
	}
	return false
}

// parseMessage reads one schema: JSON with whole-line // comments.
func parseMessage(text []byte) (*message, error) {
	var clean bytes.Buffer
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(bytes.TrimSpace(line), []byte("//")) {
			clean.Write(line)
		}
	}
	m := &message{FlexibleVersions: noVersions}
	if err := json.Unmarshal(clean.Bytes(), m); err != nil {
		return nil, err
	}
	return m, m.index()
}

// load reads every message schema below dir, or of every jar of a class path, keyed by message name.
func load(dir, classpath string) (map[string]*message, error) {
	all := map[string]*message{}
	add := func(name string, text []byte) error {
		if !strings.HasSuffix(name, ".json") || !bytes.Contains(text, []byte(`"validVersions"`)) {
			return nil
		}
		m, err := parseMessage(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		m.path = name
		all[m.Name] = m
		return nil
	}
	if dir != "" {
		root := os.DirFS(dir)
		return all, fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := fs.ReadFile(root, name)
			if err != nil {
				return err
			}
			return add(name, text)
		})
	}
	file, err := os.Open(classpath)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(bufio.NewReader(file))
	if err != nil {
		return nil, err
	}
	for _, jar := range filepath.SplitList(strings.TrimSpace(string(text))) {
		name := filepath.Base(jar)
		if !strings.Contains(name, "kafka") || strings.HasPrefix(name, "kafka-streams") /* what its clients tell each other */ {
			continue
		}
		if err := loadJar(jar, add); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func loadJar(jar string, add func(name string, text []byte) error) error {
	z, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, entry := range z.File {
		if !strings.HasSuffix(entry.Name, ".json") {
			continue
		}
		f, err := entry.Open()
		if err != nil {
			return err
		}
		text, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			return err
		}
		if err := add(filepath.Base(jar)+"/"+entry.Name, text); err != nil {
			return err
		}
	}
	return nil
}
