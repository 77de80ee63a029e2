// Package dohle is the root of the module: it holds the tests that keep the architecture (architecture_test.go) and
// no code. A broker for a Go test comes from package dohletest; the program is cmd/dohle; ARCHITECTURE.md is the map.
package dohle
