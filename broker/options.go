package broker

import (
	"math/rand/v2"

	"github.com/rs/zerolog"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/memnet"
	"github.com/dohle-io/dohle/internal/vfs"
)

// Options are what a node is made of. Config is required; the rest has defaults that belong to a process of its own.
type Options struct {
	Config *config.File

	FS     vfs.FS       // nil: the machine's
	Net    memnet.Net   // nil: the machine's
	Clocks clock.Clocks // zero: the machine's
	Seed   uint64       // of every random choice; 0: drawn
	Log    zerolog.Logger

	// FormatEmpty formats log directories that hold nothing, as a quorum of this one node, once the controller
	// listener is bound. Directories that hold something are opened as they are. Development and tests only: a
	// server never formats (design §5).
	FormatEmpty bool
	ClusterID   string // for FormatEmpty; "": drawn

	PID int // told in Ready; 0 in tests
}

func (o *Options) defaults() {
	if o.FS == nil {
		o.FS = vfs.OS
	}
	if o.Net == nil {
		o.Net = memnet.OS
	}
	if o.Clocks == (clock.Clocks{}) {
		o.Clocks = clock.System()
	}
	for o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
}

// rng returns an independent source per room, so that one room's draws do not shift another's.
func (o *Options) rng(room uint64) *rand.Rand { return rand.New(rand.NewPCG(o.Seed, room)) }

// rngFrom is rng for what must not be drawn again when a node with a fixed seed starts again on the same disk, such
// as topic ids: life, the end of the metadata log at start, differs from each earlier start that left anything.
func (o *Options) rngFrom(life int64, room uint64) *rand.Rand {
	return rand.New(rand.NewPCG(o.Seed, room|uint64(life)<<8))
}

const (
	rngNode uint64 = iota
	rngFormat
	rngStorage
	rngQuorum
	rngController
	rngClients
	rngSessions
	rngGroups
)
