package main

import (
	"bytes"
	"encoding/json"
	"go/format"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/vfs"
)

const root = "../../.."

func parsed(t *testing.T) defs {
	var d defs
	require.NoError(t, json.Unmarshal(defsJSON, &d))
	return d
}

func current(t *testing.T, name string) []byte {
	data, err := vfs.ReadFile(vfs.OS, root+"/"+name, 1<<22)
	require.NoError(t, err)
	return data
}

// TestEffectMarksAgreeWithTheCode: a key is marked with effect if and only if code outside config reads it, and then it has a sentence.
// When it fails: add the sentences that it asks for to config/effects.go, and run `go run ./internal/gen/configs`.
func TestEffectMarksAgreeWithTheCode(t *testing.T) {
	d := parsed(t)
	used, err := UsedKeys(root, d.idents())
	require.NoError(t, err)
	effects, err := Effects(root + "/config/effects.go")
	require.NoError(t, err)
	for _, id := range used {
		if effects[id] == "" {
			t.Errorf("config/effects.go has no sentence for %s, which the code reads", id)
		}
	}
	idents := d.idents()
	for id := range effects {
		if !idents[id] {
			t.Errorf("config/effects.go describes %s, which is not a key", id)
		}
	}
	if t.Failed() {
		return
	}
	want, err := format.Source(usedSource(used))
	require.NoError(t, err)
	if !bytes.Equal(want, current(t, "config/used_gen.go")) {
		t.Error("config/used_gen.go is not current: run `go run ./internal/gen/configs`")
	}
	if !bytes.Equal(d.docs(used, effects), current(t, "docs/configs.md")) {
		t.Error("docs/configs.md is not current: run `go run ./internal/gen/configs`")
	}
}

func TestTablesAreCurrent(t *testing.T) {
	d := parsed(t)
	for name, src := range map[string][]byte{
		"rows_broker_gen.go": d.table("broker", d.Broker), "rows_topic_gen.go": d.table("topic", d.Topic), "rows_group_gen.go": d.table("group", d.Group),
		"rows_client_metrics_gen.go": d.table("clientMetrics", d.ClientMetrics), "rows_dynamic_gen.go": d.table("dynamic", d.DynamicOnly),
		"keys_gen.go": d.keys(), "names_gen.go": d.names(),
	} {
		want, err := format.Source(src)
		require.NoError(t, err)
		require.Equal(t, string(want), string(current(t, "config/"+name)), name)
	}
}
