// Package quorum is KRaft: one replicated metadata log, its elections and its snapshots.
package quorum
