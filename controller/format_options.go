package controller

import (
	"io"
	"math/rand/v2"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/vfs"
)

// FormatOptions are the arguments of format, as kafka-storage has them.
type FormatOptions struct {
	FS                 vfs.FS
	Rand               *rand.Rand
	Clock              clock.Clock // for the timestamps in the snapshot
	Config             *config.File
	ClusterID          string
	IgnoreFormatted    bool      // --ignore-formatted
	Standalone         bool      // --standalone
	NoInitial          bool      // --no-initial-controllers
	InitialControllers string    // --initial-controllers id@host:port:directory,…
	ReleaseVersion     string    // --release-version; "" is the latest
	Features           []string  // --feature name=level
	Scram              []string  // --add-scram SCRAM-SHA-256=[name=alice,password=…]
	Out                io.Writer // what kafka-storage prints; nil = nothing

	// Endpoints stand in for the controller listeners of Config in the voter that Standalone makes, where a port was
	// chosen by the machine.
	Endpoints []quorum.Endpoint
}
