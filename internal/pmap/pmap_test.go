package pmap

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestEveryVersionKeepsWhatItHeld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var versions []Map[int, int]
		var models []map[int]int
		m, model := Map[int, int]{}, map[int]int{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			key := rapid.IntRange(0, 20).Draw(t, "key")
			if rapid.Bool().Draw(t, "set") {
				value := rapid.Int().Draw(t, "value")
				m, model = m.With(key, value), maps.Clone(model)
				model[key] = value
			} else {
				m, model = m.Without(key), maps.Clone(model)
				delete(model, key)
			}
			versions, models = append(versions, m), append(models, model)
		}
		for i := range versions {
			require.Equal(t, models[i], maps.Collect(versions[i].All()))
			require.Equal(t, len(models[i]), versions[i].Len())
		}
	})
}

func TestABuilderSeesItsOwnChangesAndLeavesItsSource(t *testing.T) {
	source := Map[string, int]{}.With("a", 1)
	b := source.Edit()
	b.Set("b", 2)
	b.Delete("a")
	_, ok := b.Get("a")
	require.False(t, ok)
	require.Equal(t, map[string]int{"b": 2}, maps.Collect(b.Map().All()))
	require.Equal(t, map[string]int{"a": 1}, maps.Collect(source.All()))
}

func BenchmarkWithAmong10000(b *testing.B) {
	edit := Map[int, int]{}.Edit()
	for i := range 10_000 {
		edit.Set(i, i)
	}
	m := edit.Map()
	b.ReportAllocs()
	for i := range b.N {
		m = m.With(i%10_000, i)
	}
}

func BenchmarkGetAmong10000(b *testing.B) {
	edit := Map[int, int]{}.Edit()
	for i := range 10_000 {
		edit.Set(i, i)
	}
	m := edit.Map()
	b.ReportAllocs()
	for i := range b.N {
		m.Get(i % 10_000)
	}
}
