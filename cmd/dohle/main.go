// Command dohle is a Kafka broker: it serves a directory, formats it, and shows what lies in it.
//
// This package reads flags, builds the logger, listens for signals and chooses exit codes; everything else is in the
// rooms below. Exit codes: 0 done; 1 the command failed; 2 the command line is wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker (Makefile).
var version = "unknown"

type cli struct {
	Serve      serveCmd      `cmd:"" help:"Serve the log directories named by a server.properties file."`
	Dev        devCmd        `cmd:"" help:"Serve one broker for development, without any configuration."`
	Format     formatCmd     `cmd:"" help:"Format log directories, as kafka-storage format does."`
	Info       infoCmd       `cmd:"" help:"Tell about log directories, as kafka-storage info does."`
	RandomUuid randomUUIDCmd `cmd:"" name:"random-uuid" help:"Print a new cluster id."`
	Dump       dumpCmd       `cmd:"" help:"Print log, index, snapshot and checkpoint files."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
}

// terminal is what a command may touch of the process.
type terminal struct {
	ctx            context.Context // ends at SIGINT or SIGTERM
	stdout, stderr io.Writer
}

// exitError carries an exit code for an error that has been, or need not be, printed.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(terminal{ctx, os.Stdout, os.Stderr}, os.Args[1:]))
}

func run(term terminal, args []string) int {
	var c cli
	code := -1
	parser, err := kong.New(&c, kong.Name("dohle"),
		kong.Description("A Kafka broker in one binary. `dohle dev` starts one with no configuration."),
		kong.Writers(term.stdout, term.stderr), kong.Exit(func(n int) { code = n }), kong.UsageOnError())
	if err != nil {
		fmt.Fprintln(term.stderr, err)
		return 1
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if code >= 0 { // --help
		return code
	}
	if err != nil {
		fmt.Fprintf(term.stderr, "dohle: %v\nTry: dohle --help\n", err)
		return 2
	}
	if err := command.Run(term); err != nil {
		var exit exitError
		if errors.As(err, &exit) {
			return exit.code
		}
		fmt.Fprintf(term.stderr, "dohle: %v\n", err)
		return 1
	}
	return 0
}

type versionCmd struct{}

func (versionCmd) Run(term terminal) error {
	_, err := fmt.Fprintf(term.stdout, "dohle %s (Apache Kafka 4.4.0 protocol)\n", version)
	return err
}
