// Package record reads, checks and makes Kafka's record batches (magic 2).
package record
