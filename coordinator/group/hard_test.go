package group

import (
	"fmt"
	"strings"
)

// hard is the state that records rebuild, as text: every kind of group adds its own, without soft state.
func (s *State) hard() string {
	var b strings.Builder
	for _, id := range sortedKeys(s.groups) {
		if h, ok := s.groups[id].(interface{ hard() string }); ok {
			if text := h.hard(); text != "" { // a group that has only offsets
				fmt.Fprintf(&b, "%s %s\n", id, text)
			}
		}
	}
	b.WriteString(s.offsets.hard())
	return b.String()
}
