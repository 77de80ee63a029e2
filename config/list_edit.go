package config

import (
	"slices"
	"strings"
)

// Appended and Subtracted are the value that APPEND and SUBTRACT give a list key (KIP-339), from what have sets, or else
// the default. Entries are compared as they are written, blanks included, as in Kafka. An entry is added once; of equal
// entries one goes.
func (r *Row) Appended(have map[string]string, entries string) string {
	list := r.listIn(have)
	for v := range strings.SplitSeq(entries, ",") {
		if !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return strings.Join(list, ",")
}

func (r *Row) Subtracted(have map[string]string, entries string) string {
	list := r.listIn(have)
	for v := range strings.SplitSeq(entries, ",") {
		if at := slices.Index(list, v); at >= 0 {
			list = slices.Delete(list, at, at+1)
		}
	}
	return strings.Join(list, ",")
}

func (r *Row) listIn(have map[string]string) []string {
	text, ok := have[r.Name]
	if !ok {
		text = r.Default
	}
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
