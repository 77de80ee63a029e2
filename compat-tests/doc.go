// Package compat runs stock Kafka clients, Apache Kafka's own tools and Apache Kafka itself against the built
// binary. It imports nothing of Dohle: what it knows of a broker is an address, a directory and a process.
//
// `make compat` builds the binary and runs it all; `go test -run Name` runs one. Java 17 and Maven (for Apache
// Kafka), Python and kcat must be on the machine: what is missing is said in one sentence and fails.
//
// harness_test.go starts and ends processes; the other files are named for what they prove.
package compat
