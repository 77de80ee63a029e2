// Package node brings Apache Kafka, starts it and Dohle from the same server.properties on free loopback ports, one
// node or several, and ends exactly what it started. run.go has the goroutines: one waits for each process, and nodes
// of one cluster start and end together.
package node
