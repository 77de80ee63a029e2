// Package compress is Kafka's four batch codecs over byte slices.
package compress
