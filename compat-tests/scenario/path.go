package scenario

import (
	"fmt"
	"strconv"
	"strings"
)

// A path names values of an answer: Topics[0].Partitions.Offset. A list without a number means all of its elements.

type segment struct {
	name  string
	index int // -1: all
}

func segments(path string) []segment {
	var list []segment
	for _, part := range strings.Split(path, ".") {
		name, rest, found := strings.Cut(part, "[")
		s := segment{name, -1}
		if found {
			if n, err := strconv.Atoi(strings.TrimSuffix(rest, "]")); err == nil {
				s.index = n
			}
		}
		list = append(list, s)
	}
	return list
}

// Get is the first value that a path names.
func Get(v any, path string) (any, error) {
	var found []any
	Visit(v, path, func(holder map[string]any, name string, index int) {
		if list, ok := holder[name].([]any); ok && index >= 0 {
			found = append(found, list[index])
		} else {
			found = append(found, holder[name])
		}
	})
	if len(found) == 0 {
		return nil, fmt.Errorf("the answer has no %s", path)
	}
	return found[0], nil
}

// Visit calls f with the holder of every value that a path names; index is -1 where no number is given.
func Visit(v any, path string, f func(holder map[string]any, name string, index int)) {
	each(v, segments(path), f)
}

func each(v any, path []segment, f func(map[string]any, string, int)) {
	holder, ok := v.(map[string]any)
	if !ok {
		return
	}
	s := path[0]
	next, ok := holder[s.name]
	if !ok {
		return
	}
	list, isList := next.([]any)
	if s.index >= 0 && (!isList || s.index >= len(list)) {
		return
	}
	if len(path) == 1 {
		f(holder, s.name, s.index)
		return
	}
	switch {
	case !isList:
		each(next, path[1:], f)
	case s.index >= 0:
		each(list[s.index], path[1:], f)
	default:
		for _, item := range list {
			each(item, path[1:], f)
		}
	}
}

// Covers says whether a path names a place in an answer, or something around it.
func Covers(path, place string) bool {
	if path == "*" {
		return true
	}
	want, have := segments(path), segments(place)
	if len(want) > len(have) {
		return false
	}
	for i, s := range want {
		if s.name != have[i].name || s.index >= 0 && s.index != have[i].index {
			return false
		}
	}
	return true
}
