package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/controller"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/dump"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
)

// formatCmd has the flags of kafka-storage format.
type formatCmd struct {
	Config               string   `short:"c" required:"" help:"The server.properties file to use." placeholder:"FILE"`
	ClusterID            string   `short:"t" required:"" name:"cluster-id" help:"The cluster id to use."`
	AddScram             []string `short:"S" sep:"none" help:"A SCRAM credential for the metadata log: SCRAM-SHA-256=[name=alice,password=…]."`
	IgnoreFormatted      bool     `short:"g" help:"Skip directories that are formatted already instead of failing."`
	ReleaseVersion       string   `short:"r" help:"The release whose features to start with, such as 4.3. Default: the newest."`
	Feature              []string `short:"f" sep:"none" help:"The level of one feature, such as kraft.version=1." placeholder:"NAME=LEVEL"`
	Standalone           bool     `short:"s" xor:"quorum" help:"Start a dynamic quorum of this one controller."`
	NoInitialControllers bool     `short:"N" xor:"quorum" help:"Start without a dynamic quorum: one will be joined."`
	InitialControllers   string   `short:"I" xor:"quorum" help:"The voters of a new dynamic quorum: id@host:port:directory,…"`
}

func (c formatCmd) Run(term terminal) error {
	// What serve would refuse, such as a TLS listener, is refused here already. Warnings are for serve.
	file, _, err := config.LoadFrom(config.Sources{Path: c.Config, Environ: os.Environ()})
	if err != nil {
		return err
	}
	return controller.Format(controller.FormatOptions{
		FS: vfs.OS, Rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), Clock: clock.Machine, Config: file,
		ClusterID: c.ClusterID, IgnoreFormatted: c.IgnoreFormatted, Standalone: c.Standalone, NoInitial: c.NoInitialControllers,
		InitialControllers: c.InitialControllers, ReleaseVersion: c.ReleaseVersion, Features: c.Feature, Scram: c.AddScram, Out: term.stdout,
	})
}

// infoCmd is kafka-storage info.
type infoCmd struct {
	Config string `short:"c" required:"" help:"The server.properties file to use." placeholder:"FILE"`
}

func (c infoCmd) Run(term terminal) error {
	file, _, err := config.LoadFrom(config.Sources{Path: c.Config, Environ: os.Environ()})
	if err != nil {
		return err
	}
	clean, err := controller.Info(vfs.OS, file, term.stdout)
	if err == nil && !clean {
		err = exitError{1}
	}
	return err
}

type randomUUIDCmd struct{}

func (randomUUIDCmd) Run(term terminal) error {
	_, err := fmt.Fprintln(term.stdout, protocol.RandomUUID(rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))))
	return err
}

// dumpCmd prints any file of a log directory.
type dumpCmd struct {
	Files []string `arg:"" optional:"" help:"Log, index, snapshot or checkpoint files, or directories of them."`
	JSON  bool     `help:"One JSON object a line instead of text."`
}

func (c dumpCmd) Run(term terminal) error {
	if len(c.Files) == 0 {
		return usageError{errors.New("dump needs the name of a file: `dohle dump data/orders-0/00000000000000000000.log`")}
	}
	return dump.Files(term.stdout, vfs.OS, c.Files, dump.Options{JSON: c.JSON})
}
