package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Key is a typed row: Get answers the key's value in a view.
//
//	n := config.SegmentBytes.Get(view) // int64
//
// The Go type follows from the row: INT is int32, or int64 when the name counts bytes; LONG is int64; SHORT int16;
// names ending in .ms are time.Duration; LIST is []string; STRING, CLASS and PASSWORD are string.
type Key[T any] struct {
	row   *Row
	parse func(string) T
}

// Name is Kafka's name of the key.
func (k Key[T]) Name() string { return k.row.Name }

// Get is the key's value in v, the zero value when it is null. Values in a view have passed validation.
func (k Key[T]) Get(v View) T {
	t, _ := k.Find(v)
	return t
}

// Find is Get, and whether there is a value at all.
func (k Key[T]) Find(v View) (T, bool) {
	text, _, ok := v.Lookup(k.row.Name)
	if !ok {
		var zero T
		return zero, false
	}
	return k.parse(text), true
}

// Never is what a duration of Kafka's Long.MAX_VALUE milliseconds becomes: longer than any wait.
const Never = time.Duration(math.MaxInt64)

func boolKey(r *Row) Key[bool] {
	return Key[bool]{r, func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), "true") }}
}
func stringKey(r *Row) Key[string] { return Key[string]{r, strings.TrimSpace} }
func listKey(r *Row) Key[[]string] { return Key[[]string]{r, listOf(r)} }
func intKey(r *Row) Key[int32] {
	return Key[int32]{r, func(s string) int32 { return int32(parseInt(s)) }}
}
func shortKey(r *Row) Key[int16] {
	return Key[int16]{r, func(s string) int16 { return int16(parseInt(s)) }}
}
func longKey(r *Row) Key[int64]     { return Key[int64]{r, parseInt} }
func doubleKey(r *Row) Key[float64] { return Key[float64]{r, parseDouble} }
func durKey(r *Row) Key[time.Duration] {
	return Key[time.Duration]{r, func(s string) time.Duration { return Millis(parseInt(s)) }}
}

// Millis turns Kafka's milliseconds into a duration; what does not fit becomes Never. Negative values stay negative
// (-1 ms means unlimited, -2 ms "as the other key says"): compare with < 0.
func Millis(ms int64) time.Duration {
	if ms > int64(Never/time.Millisecond) {
		return Never
	}
	return time.Duration(max(ms, -1000)) * time.Millisecond
}

func parseInt(s string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	return n
}

func parseDouble(s string) float64 {
	f, _ := javaDouble(strings.TrimSpace(s))
	return f
}

// listOf splits as Kafka does; keys with a list rule lose their duplicates (KIP-1161).
func listOf(r *Row) func(string) []string {
	return func(s string) []string {
		list := splitList(s)
		if r.Check == CheckList {
			list = distinct(list)
		}
		return list
	}
}
