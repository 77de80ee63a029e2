// Package generate asks two brokers random requests, valid in form, and compares error codes and shapes of the
// answers. The same seed makes the same requests. A difference is made small before it is reported.
package generate
