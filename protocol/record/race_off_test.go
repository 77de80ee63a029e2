//go:build !race

package record

const countAllocs = true
