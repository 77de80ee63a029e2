// Command dohle is a Kafka broker: it serves a directory, formats it, and shows what lies in it.
//
// This package reads flags, builds the logger, listens for signals and chooses exit codes; everything else is in the
// rooms below. Exit codes: 0 done; 1 the command failed; 2 the command line is wrong. A failure is one sentence on
// stderr that says what, where, and what helps.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	ctx            context.Context // ends at SIGINT, SIGTERM or SIGHUP
	stdout, stderr io.Writer
}

// exitError carries an exit code for an error that has been, or need not be, printed.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// usageError is a command line that says what can't be done: exit code 2.
type usageError struct{ error }

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup: it outlives the terminal
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
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
	switch {
	case len(args) == 0, args[0] == "help":
		args = []string{"--help"}
	case args[0] == "--version":
		args = []string{"version"}
	}
	command, err := parser.Parse(args)
	if code >= 0 { // --help
		return code
	}
	if err != nil {
		err = usageError{err}
	} else {
		err = command.Run(term)
	}
	var exit exitError
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &usage):
		fmt.Fprintf(term.stderr, "dohle: %v\nTry: dohle --help\n", err)
		return 2
	}
	fmt.Fprintf(term.stderr, "dohle: %v%s\n", err, remedy(err))
	return 1
}

// remedy is what helps when the machine has refused a file or a directory; "" for everything else.
func remedy(err error) string {
	if file := new(fs.PathError); !errors.As(err, &file) {
		return ""
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return ": make room on that disk and start again"
	case errors.Is(err, syscall.EROFS):
		return ": that disk is mounted for reading only; name directories on another one in log.dirs (dohle dev: --dir)"
	case errors.Is(err, syscall.EMFILE):
		return ": allow more open files (ulimit -n; LimitNOFILE= of systemd)"
	case errors.Is(err, fs.ErrPermission):
		return ": give the user that runs dohle the right to it, or run as another"
	}
	return ""
}

type versionCmd struct{}

func (versionCmd) Run(term terminal) error {
	_, err := fmt.Fprintf(term.stdout, "dohle %s (Apache Kafka 4.4.0 protocol)\n", version)
	return err
}
