// Package node starts Apache Kafka and Dohle from the same server.properties, on free loopback ports, and ends exactly
// what it started. run.go has the only goroutine: one waits for each process.
package node
