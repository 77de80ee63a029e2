package scenario

import (
	"strings"
	"testing"
)

func TestWrongTextIsRefusedWithPlaceAndReason(t *testing.T) {
	for text, want := range map[string]string{
		"> Metadata {}":                                          "x.txt:1: \">\" stands before the first scenario",
		"scenario a\n> Metadata {\"Topic\": []}":                 "x.txt:2: Metadata has no field Topic; it has Topics",
		"scenario a\n> Metadata {\"Topics\": [{\"Nam\": \"\"}]}": "x.txt:2: Metadata.Topics has no field Nam; it has TopicId, Name",
		"scenario a\n> Metadatum {}":                             "x.txt:2: Kafka has no request called \"Metadatum\"",
		"scenario a\n> Metadata {]":                              "x.txt:2: invalid character",
		"scenario a\nsay hello":                                  "x.txt:2: no command is called \"say\"",
		"scenario a":                                             "x.txt:1: the scenario asks nothing",
		"scenario a\n> Metadata\nscenario a\n> Metadata":         "x.txt:3: a second scenario is called \"a\"",
		"scenario a\ntopic t\nmask X":                            "x.txt:3: mask follows a request",
		"scenario a\n> Metadata {}\ncapture x":                   "x.txt:3: capture takes 2 words",
		"scenario a\nversions Nothing":                           "x.txt:2: Kafka has no request",
		"scenario a\nversions Fetch 7-x":                         "x.txt:2: versions are MIN-MAX",
		" hanging":                                               "x.txt:1: nothing stands before this line",
		"scenario a\n> Produce {\"TopicData\": [{\"PartitionData\": [{\"Records\": {\"recrods\": []}}]}]}": "a batch has no field recrods",
	} {
		_, err := Parse("x.txt", text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q\n is refused with %v\n instead of %s", text, err, want)
		}
	}
}

func TestAFolderWithoutScenariosIsRefused(t *testing.T) {
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "there is no scenario in") {
		t.Error(err)
	}
}

func TestExpansionIsTheProductOfVersionsAndValues(t *testing.T) {
	list, err := Parse("f.txt", "scenario s\nversions Fetch 4-6\neach a 1 \"\"\neach b x y z\n> Fetch {\"MaxWaitMs\": $a}")
	if err != nil {
		t.Fatal(err)
	}
	all := Expand(list)
	if len(all) != 3*2*3 {
		t.Fatalf("%d instances", len(all))
	}
	names, uids := map[string]bool{}, map[string]bool{}
	for _, i := range all {
		names[i.Name], uids[i.Vars["uid"]] = true, true
	}
	if len(names) != len(all) || len(uids) != len(all) {
		t.Error("two instances have one name or one uid")
	}
	if last := all[len(all)-1]; last.Name != `f/s v6 a="" b=z` || last.Vars["a"] != "" {
		t.Errorf("%q %q", last.Name, last.Vars["a"])
	}
}

func TestVariables(t *testing.T) {
	got, err := Substitute("$a ${a}_b $t.id ${x*3}!", map[string]string{"a": "1", "t.id": "I"})
	if err != nil || got != "1 1_b I xxx!" {
		t.Errorf("%q %v", got, err)
	}
	if _, err := Substitute("$nobody", nil); err == nil || err.Error() != "nothing has set $nobody" {
		t.Error(err)
	}
}

func TestPaths(t *testing.T) {
	v := map[string]any{"A": []any{map[string]any{"B": int64(1)}, map[string]any{"B": int64(2)}}}
	if got, err := Get(v, "A[1].B"); got != int64(2) || err != nil {
		t.Error(got, err)
	}
	if _, err := Get(v, "A[2].B"); err == nil {
		t.Error("a place behind the end was found")
	}
	for path, want := range map[string]bool{"A": true, "A.B": true, "A[1].B": true, "A[0].B": false, "A.B.C": false, "*": true, "B": false} {
		if Covers(path, "A[1].B") != want {
			t.Errorf("%s covers: %v", path, !want)
		}
	}
}
