//go:build !planted

package api

import "github.com/dohle-io/dohle/broker/server"

// plant changes nothing. With the build tag planted it makes a broker that deviates from Kafka on purpose, see
// planted.go: what compares brokers is tried on it.
func plant(*server.Row) {}
