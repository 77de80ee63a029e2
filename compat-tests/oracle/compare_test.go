package oracle

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/dohle-io/dohle/compat-tests/scenario"
	"github.com/dohle-io/dohle/compat-tests/wire"
)

func instance(t *testing.T, text string) *scenario.Instance {
	t.Helper()
	list, err := scenario.Parse("x.txt", text)
	if err != nil {
		t.Fatal(err)
	}
	return scenario.Expand(list)[0]
}

func said(t *testing.T, api, answer string) *Transcript {
	t.Helper()
	v, err := wire.ParseJSON([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	return &Transcript{Steps: []*Reply{{API: api, Version: 1, Effect: wire.Answered, Answer: v}}}
}

func rules(t *testing.T, text string) *Rules {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.txt")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := LoadRules(file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEveryKindOfDifferenceIsFound(t *testing.T) {
	inst := instance(t, "scenario s\n> Metadata v1 {}")
	for name, c := range map[string]struct{ a, b, place string }{
		"value":            {`{"E": 0}`, `{"E": 3}`, "E"},
		"null":             {`{"E": null}`, `{"E": ""}`, "E"},
		"missing field":    {`{"E": 0}`, `{}`, "E"},
		"one more field":   {`{}`, `{"E": 0}`, "E"},
		"missing element":  {`{"L": [1, 2]}`, `{"L": [1]}`, "L[1]"},
		"one more element": {`{"L": [1]}`, `{"L": [1, 2]}`, "L[1]"},
		"order":            {`{"L": [1, 2]}`, `{"L": [2, 1]}`, "L[0]"},
		"deep":             {`{"L": [{"M": {"N": 1}}]}`, `{"L": [{"M": {"N": 2}}]}`, "L[0].M.N"},
		"list and value":   {`{"L": []}`, `{"L": null}`, "L"},
	} {
		found, _ := Compare(inst, &Rules{}, said(t, "Metadata", c.a), said(t, "Metadata", c.b))
		if len(found) == 0 || found[0].Place != c.place || found[0].ID != "" {
			t.Errorf("%s: %+v", name, found)
		}
	}
	a, b := said(t, "Metadata", `{}`), said(t, "Metadata", `{}`)
	b.Steps[0].Effect = wire.Closed
	if found, _ := Compare(inst, &Rules{}, a, b); len(found) != 1 || found[0].Place != "effect" {
		t.Errorf("effect: %+v", found)
	}
	b.Steps = nil
	if found, _ := Compare(inst, &Rules{}, a, b); len(found) != 1 || found[0].Place != "steps" {
		t.Errorf("steps: %+v", found)
	}
}

func TestKnownDifferencesAreExplainedAndMissedWhenTheyDoNotShow(t *testing.T) {
	inst := instance(t, "scenario s\n> Metadata v1 {}\ndiffers A1 Topics.ErrorCode")
	a, b := said(t, "Metadata", `{"Topics": [{"ErrorCode": 3}]}`), said(t, "Metadata", `{"Topics": [{"ErrorCode": 0}]}`)
	found, missing := Compare(inst, &Rules{}, a, b)
	if len(found) != 1 || found[0].ID != "A1" || len(missing) != 0 {
		t.Errorf("%+v %v", found, missing)
	}
	if _, missing = Compare(inst, &Rules{}, a, a); len(missing) != 1 {
		t.Error("nobody noticed that the known difference is gone")
	}
	other := said(t, "Metadata", `{"Topics": [{"ErrorCode": 3, "Name": "x"}]}`)
	if found, _ = Compare(inst, &Rules{}, a, other); len(found) != 1 || found[0].ID != "" {
		t.Errorf("explains another place: %+v", found)
	}
}

func TestListsWithoutOrderArePairedByKey(t *testing.T) {
	r := rules(t, "unordered A3 Metadata Topics\nmissing K2 Metadata Topics\ndiffers C3 Metadata Topics.Text")
	inst := instance(t, "scenario s\n> Metadata v1 {}")
	a := said(t, "Metadata", `{"Topics": [{"Name": "a", "E": 1}, {"Name": "b", "E": 2}, {"Name": "c", "Text": "x"}]}`)
	b := said(t, "Metadata", `{"Topics": [{"Name": "c", "Text": null}, {"Name": "b", "E": 2}]}`)
	found, _ := Compare(inst, r, a, b)
	if len(found) != 2 || found[0].ID != "K2" || found[1].ID != "C3" {
		t.Errorf("%+v", found)
	}
	more, _ := Compare(inst, r, b, a)
	if len(more) != 2 || more[1].ID != "" {
		t.Errorf("an element too many is explained: %+v", more)
	}
}

func TestIdsAreNamedByAppearance(t *testing.T) {
	name := func(text string) string {
		v, _ := wire.ParseJSON([]byte(text))
		return wire.JSON(newNames(&Side{Address: "127.0.0.1:5555", Dir: "/x/data"}).value("", v))
	}
	one := name(`[{"TopicId": "AAECAwQFBgcICQoLDA0ODw"}, {"TopicId": "BBECAwQFBgcICQoLDA0ODw"}, {"TopicId": "AAECAwQFBgcICQoLDA0ODw"}]`)
	two := name(`[{"TopicId": "CCECAwQFBgcICQoLDA0ODw"}, {"TopicId": "DDECAwQFBgcICQoLDA0ODw"}, {"TopicId": "CCECAwQFBgcICQoLDA0ODw"}]`)
	mixed := name(`[{"TopicId": "CCECAwQFBgcICQoLDA0ODw"}, {"TopicId": "DDECAwQFBgcICQoLDA0ODw"}, {"TopicId": "DDECAwQFBgcICQoLDA0ODw"}]`)
	if one != two || one == mixed {
		t.Error(one, two, mixed)
	}
	if got := name(`[{"TopicId": "AAAAAAAAAAAAAAAAAAAAAA", "Port": 5555, "Dir": "/x/data/t-0", "Time": 1600000000000}]`); got !=
		`[{"Dir":"<dir>/t-0","Port":"<client port>","Time":1600000000000,"TopicId":"AAAAAAAAAAAAAAAAAAAAAA"}]` {
		t.Error(got)
	}
}

func TestARunOfNothingFails(t *testing.T) {
	r, err := Run(nil, &Rules{}, &Golden{}, &Golden{}, Options{})
	if err != nil || r.Err() == nil {
		t.Error("it passed")
	}
}

func TestGoldenReadsBackWhatWasSaved(t *testing.T) {
	a := said(t, "Metadata", `{"Topics": [{"ErrorCode": 3, "Name": null}], "X": 9223372036854775807}`)
	a.Name = "file/title v1"
	g := &Golden{Reference: "Apache Kafka 4.4.0", Transcripts: map[string]*Transcript{a.Name: a}}
	dir := t.TempDir()
	if err := g.Save(dir); err != nil {
		t.Fatal(err)
	}
	back, err := LoadGolden(dir)
	if err != nil || back.Reference != g.Reference {
		t.Fatal(err)
	}
	if wire.JSON(back.Transcripts[a.Name]) != wire.JSON(a) {
		t.Error(wire.JSON(back.Transcripts))
	}
}
