//go:build plant

package quorum

// bugs breaks one rule on purpose, so that a test can prove that the checks catch it. Only under the build tag plant.
type bugs struct{ planted bug }

func (b bugs) has(x bug) bool { return b.planted == x }
