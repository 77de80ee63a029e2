package oracle

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dohle-io/dohle/compat-tests/scenario"
	"github.com/dohle-io/dohle/compat-tests/wire"
)

// Golden is what a reference said, kept in a file.
type Golden struct {
	Reference   string
	Transcripts map[string]*Transcript // by name of the instance
}

// Save writes one file for each file of scenarios: a line with the reference, then one line for each instance.
func (g *Golden) Save(dir string) error {
	files := map[string][]string{}
	for name := range g.Transcripts {
		file, _, _ := strings.Cut(name, "/")
		files[file] = append(files[file], name)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for file, list := range files {
		slices.Sort(list)
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			return err
		}
		fmt.Fprintf(z, "%s\n", wire.JSON(map[string]any{"reference": g.Reference}))
		for _, name := range list {
			fmt.Fprintf(z, "%s\n", wire.JSON(g.Transcripts[name]))
		}
		if err := z.Close(); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file+".jsonl.gz"), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Has fails if an instance that the pattern only chooses has no recorded answer.
func (g *Golden) Has(all []*scenario.Instance, only string) error {
	for _, inst := range all {
		if (only == "" || matches(only, inst.Name)) && g.Transcripts[inst.Name] == nil {
			return fmt.Errorf("%s has no recorded answer: make oracle UPDATE=1 asks for it", inst.Name)
		}
	}
	return nil
}

// LoadGolden reads all that Save wrote.
func LoadGolden(dir string) (*Golden, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl.gz"))
	if err != nil {
		return nil, err
	}
	g := &Golden{Transcripts: map[string]*Transcript{}}
	for _, file := range files {
		if err := g.load(file); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if len(g.Transcripts) == 0 {
		return nil, fmt.Errorf("no answers are recorded in %s: compat record makes them", dir)
	}
	return g, nil
}

func (g *Golden) load(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return err
	}
	for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		if i == 0 {
			var head struct {
				Reference string `json:"reference"`
			}
			if err := json.Unmarshal(line, &head); err != nil {
				return err
			}
			g.Reference = head.Reference
			continue
		}
		var raw struct {
			Name  string
			Fault string
			Steps []struct {
				API, Effect string
				Version     int16
				Answer      json.RawMessage
			}
		}
		if err := json.Unmarshal(line, &raw); err != nil {
			return err
		}
		t := &Transcript{Name: raw.Name, Fault: raw.Fault}
		for _, s := range raw.Steps {
			r := &Reply{API: s.API, Effect: s.Effect, Version: s.Version}
			if s.Answer != nil {
				if r.Answer, err = wire.ParseJSON(s.Answer); err != nil {
					return err
				}
			}
			t.Steps = append(t.Steps, r)
		}
		g.Transcripts[t.Name] = t
	}
	return nil
}
