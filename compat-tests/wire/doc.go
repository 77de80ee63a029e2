// Package wire speaks Kafka's protocol from Kafka's own message schemas: a request is written from JSON with Kafka's
// field names, an answer is read into the same. It knows nothing of any client library, so it can say what a library
// hides: unknown tags, bytes left over, frames that are wrong on purpose.
//
// Values are what JSON has: map[string]any, []any, string, int64, float64, bool, nil. A uuid is Kafka's base64 text;
// bytes are text, or "hex:…" where they are not printable; records are a list of batches, see batch.go.
//
// messages.txt is made by wire/gen. The package starts no goroutine; a Conn belongs to one caller.
package wire
