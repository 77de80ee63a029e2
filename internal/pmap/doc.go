// Package pmap is a persistent map: a change gives a new map and leaves the old one as it was, so a reader keeps
// what it holds without a lock. The metadata image is made of these.
//
// A map is 256 shards behind one table. With copies the table and one shard, so a change among n keys costs about
// n/256 entries plus 256 pointers; a read is one hash and one lookup. Nothing here locks or starts a goroutine:
// a Map is immutable and may be shared.
package pmap
