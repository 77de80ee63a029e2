package oracle

import (
	"slices"
	"testing"
)

func TestWhatIsNotServedIsNamedWithItsVersions(t *testing.T) {
	a := Served{0: {Min: 0, Max: 3}, 1: {Min: 4, Max: 6}, 3: {Min: 0, Max: 1}}
	b := Served{0: {Min: 1, Max: 2}, 3: {Min: 0, Max: 5}, 2: {Min: 0, Max: 9}}
	if got := lacks(a, b); !slices.Equal(got, []string{"Produce v0,v3", "Fetch"}) {
		t.Error(got)
	}
}
