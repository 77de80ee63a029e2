package config

// effects says what each key does in Dohle, by the identifier of its typed Key. A sentence here counts only while the
// code reads the key (used_gen.go, written by `go run ./internal/gen/configs`); then the key is "with effect" in
// docs/configs.md, and setting it is no longer listed at the start among the keys that do nothing yet.
// A key that is used but has no sentence fails a test.
var effects = map[string]string{
	"NodeID": "The id of this node in the cluster.",
}
