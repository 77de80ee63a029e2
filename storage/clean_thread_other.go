//go:build !linux

package storage

// behindClients does nothing where threads have no priority of their own.
func behindClients() {}
