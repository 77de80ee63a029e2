// Package storage keeps one partition's bytes in one directory, in Kafka's own file formats.
package storage
