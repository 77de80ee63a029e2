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
			fmt.Fprintf(&b, "%s %s\n", id, h.hard())
		}
	}
	b.WriteString(s.offsets.hard())
	return b.String()
}
