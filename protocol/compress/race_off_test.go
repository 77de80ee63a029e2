//go:build !race

package compress

const countAllocs = true
