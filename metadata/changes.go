package metadata

import (
	"maps"
	"slices"

	"github.com/dohle-io/dohle/internal/pmap"
)

// changes is the working copy of one map of an image. The zero value plus before is ready to use. When a snapshot is
// loaded, it starts empty (fresh) and finish compares the result with before.
type changes[K comparable, V any] struct {
	before  pmap.Map[K, V]
	edit    *pmap.Builder[K, V] // nil while nothing changed
	touched map[K]struct{}
	fresh   bool
}

func (c *changes[K, V]) builder() *pmap.Builder[K, V] {
	if c.edit == nil {
		c.touched = map[K]struct{}{}
		if c.fresh {
			c.edit = pmap.Map[K, V]{}.Edit()
		} else {
			c.edit = c.before.Edit()
		}
	}
	return c.edit
}

func (c *changes[K, V]) get(k K) (V, bool) {
	if c.edit != nil {
		return c.edit.Get(k)
	}
	if c.fresh {
		var zero V
		return zero, false
	}
	return c.before.Get(k)
}

func (c *changes[K, V]) set(k K, v V) {
	c.builder().Set(k, v)
	c.touched[k] = struct{}{}
}

func (c *changes[K, V]) delete(k K) {
	c.builder().Delete(k)
	c.touched[k] = struct{}{}
}

// all makes every pair of m a change, and m the result.
func (c *changes[K, V]) all(m pmap.Map[K, V]) {
	c.edit, c.touched = m.Edit(), make(map[K]struct{}, m.Len())
	for k := range m.All() {
		c.touched[k] = struct{}{}
	}
}

// finish ends the loading of a snapshot: what before had and the snapshot has not was deleted; what is equal in both
// did not change, and keeps the old value.
func (c *changes[K, V]) finish(equal func(a, b V) bool) {
	if !c.fresh {
		return
	}
	b := c.builder()
	for k, old := range c.before.All() {
		now, ok := b.Get(k)
		switch {
		case !ok:
			c.touched[k] = struct{}{}
		case equal(old, now):
			b.Set(k, old)
			delete(c.touched, k)
		}
	}
	c.fresh = false
}

func (c *changes[K, V]) apply() pmap.Map[K, V] {
	if c.edit != nil {
		return c.edit.Map()
	}
	if c.fresh {
		return pmap.Map[K, V]{}
	}
	return c.before
}

// keys are the touched keys in the given order.
func (c *changes[K, V]) keys(compare func(a, b K) int) []K {
	if len(c.touched) == 0 {
		return nil
	}
	keys := make([]K, 0, len(c.touched))
	for k := range c.touched {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compare)
	return keys
}

// sorted are the pairs of m in the given order of keys.
func sorted[K comparable, V any](m pmap.Map[K, V], compare func(a, b K) int) []K {
	keys := make([]K, 0, m.Len())
	for k := range m.All() {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compare)
	return keys
}

func equalMaps[K, V comparable](a, b map[K]V) bool { return maps.Equal(a, b) }
