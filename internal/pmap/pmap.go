package pmap

import (
	"hash/maphash"
	"iter"
	"maps"
)

const shards = 256

// seed spreads keys over shards. It never reaches output: All's order is unspecified, and callers that print sort.
var seed = maphash.MakeSeed()

// Map is an immutable map. The zero Map is empty and ready to use.
type Map[K comparable, V any] struct {
	table *[shards]map[K]V // nil while empty
	n     int
}

// Len is the number of keys.
func (m Map[K, V]) Len() int { return m.n }

// Get returns the value of key, and whether there is one.
func (m Map[K, V]) Get(key K) (V, bool) {
	if m.table == nil {
		var zero V
		return zero, false
	}
	v, ok := m.table[shardOf(key)][key]
	return v, ok
}

// With returns a map in which key has value.
func (m Map[K, V]) With(key K, value V) Map[K, V] {
	b := m.Edit()
	b.Set(key, value)
	return b.Map()
}

// Without returns a map that has no key.
func (m Map[K, V]) Without(key K) Map[K, V] {
	b := m.Edit()
	b.Delete(key)
	return b.Map()
}

// All yields every pair, in no particular order.
func (m Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if m.table == nil {
			return
		}
		for _, shard := range m.table {
			for k, v := range shard {
				if !yield(k, v) {
					return
				}
			}
		}
	}
}

// Edit starts a batch of changes, in which each touched shard is copied once. Use it for more than one change.
func (m Map[K, V]) Edit() *Builder[K, V] { return &Builder[K, V]{from: m, n: m.n} }

// A Builder collects changes to a Map. It has one owner and is spent once Map was called.
type Builder[K comparable, V any] struct {
	from  Map[K, V]
	table *[shards]map[K]V
	own   [shards]bool // shards that are copies of this builder
	n     int
}

// Get sees the changes made so far.
func (b *Builder[K, V]) Get(key K) (V, bool) {
	if b.table == nil {
		return b.from.Get(key)
	}
	v, ok := b.table[shardOf(key)][key]
	return v, ok
}

// Set gives key a value.
func (b *Builder[K, V]) Set(key K, value V) {
	shard := b.shard(key)
	if _, had := shard[key]; !had {
		b.n++
	}
	shard[key] = value
}

// Delete removes key, if it is there.
func (b *Builder[K, V]) Delete(key K) {
	if _, had := b.Get(key); !had {
		return
	}
	delete(b.shard(key), key)
	b.n--
}

// Map returns the result.
func (b *Builder[K, V]) Map() Map[K, V] {
	if b.table == nil {
		return b.from
	}
	return Map[K, V]{table: b.table, n: b.n}
}

func (b *Builder[K, V]) shard(key K) map[K]V {
	if b.table == nil {
		b.table = new([shards]map[K]V)
		if b.from.table != nil {
			*b.table = *b.from.table
		}
	}
	i := shardOf(key)
	if !b.own[i] {
		b.own[i] = true
		if b.table[i] == nil {
			b.table[i] = map[K]V{}
		} else {
			b.table[i] = maps.Clone(b.table[i])
		}
	}
	return b.table[i]
}

func shardOf[K comparable](key K) uint8 { return uint8(maphash.Comparable(seed, key)) }
