package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/dohle-io/dohle/broker"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/internal/vfs"
)

// serving are the flags of every command that starts a broker.
type serving struct {
	Override  []string `help:"Set a configuration key, over the file and the environment." placeholder:"key=value" sep:"none"`
	ReadyFile string   `help:"Write the real ports to this file, as JSON, once the broker serves." placeholder:"PATH"`
	Strict    bool     `help:"Refuse what is otherwise a warning: an unknown configuration key, and one that stands twice."`
	LogLevel  string   `help:"What to log: ${enum}." enum:"debug,info,warn,error" default:"info"`
}

type serveCmd struct {
	File string `arg:"" optional:"" help:"server.properties, in Apache Kafka's syntax with Apache Kafka's keys."`
	serving
}

func (c serveCmd) Run(term terminal) error {
	if c.File == "" {
		return usageError{errors.New("serve needs a server.properties file: `dohle serve FILE`. Without any configuration, `dohle dev` starts a broker")}
	}
	log, err := c.logger(term)
	if err != nil {
		return err
	}
	file, warnings, err := config.Load(c.File, c.Override, os.Environ(), c.Strict)
	c.warn(log, warnings, err)
	if err != nil {
		return err
	}
	if idle := file.NoEffect(); len(idle) > 0 {
		log.Info().Strs("keys", idle).Msg("configured, but without effect in this version")
	}
	return c.serve(term, broker.Options{Config: file, Log: log})
}

type devCmd struct {
	Port    int    `help:"Port of the client listener on 127.0.0.1; 0 takes a free one." default:"9092"`
	Dir     string `help:"Keep data here. Default: a temporary directory, removed at a clean stop." placeholder:"PATH"`
	Brokers int    `help:"Number of brokers; more than 1 is not there yet." default:"1"`
	serving
}

func (c devCmd) Run(term terminal) error {
	if c.Brokers != 1 {
		return usageError{fmt.Errorf("dev starts one broker; a cluster of %d is not there yet: leave --brokers out", c.Brokers)}
	}
	if c.Port < 0 || c.Port > math.MaxUint16 {
		return usageError{fmt.Errorf("--port %d is no port: name one from 1 to 65535, or 0 for a free one", c.Port)}
	}
	log, err := c.logger(term)
	if err != nil {
		return err
	}
	dir := c.Dir
	if dir == "" {
		temp, err := vfs.TempDir("dohle-dev-")
		if err != nil {
			return err
		}
		dir = temp
		defer func() {
			if err := vfs.OS.RemoveAll(dir); err != nil {
				fmt.Fprintf(term.stderr, "dohle: %v\n", err)
			}
		}()
	}
	o, warnings, err := broker.Dev(broker.DevOptions{Port: c.Port, Dir: dir, Override: c.Override, Environ: os.Environ(), Strict: c.Strict})
	c.warn(log, warnings, err)
	if err != nil {
		return err
	}
	o.Log = log
	return c.serve(term, o)
}

func (s serving) logger(term terminal) (zerolog.Logger, error) {
	level, err := zerolog.ParseLevel(s.LogLevel)
	zerolog.TimeFieldFormat = zerolog.TimeFormatUnixMs
	return zerolog.New(zerolog.ConsoleWriter{Out: term.stderr, TimeFormat: "15:04:05.000", NoColor: true}).Level(level).With().Timestamp().Logger(), err
}

// warn tells of warnings also before an error, which may follow from them: a key that is missing was perhaps mistyped.
func (s serving) warn(log zerolog.Logger, warnings []config.Warning, err error) {
	if s.Strict && err != nil { // the first of them is the error
		return
	}
	for _, w := range warnings {
		log.Warn().Str("key", w.Key).Msg(w.Message)
	}
}

// serve runs a broker until the process is asked to stop.
func (s serving) serve(term terminal, o broker.Options) error {
	if runtime.GOMAXPROCS(0) < 4 {
		runtime.GOMAXPROCS(4) // appends are synchronous writes: a blocked one must not idle a core
	}
	limitMemory()
	if err := enoughFiles(o.Log, vfs.OpenFileLimit()); err != nil {
		return err
	}
	o.PID = os.Getpid()
	start := time.Now()
	b, err := broker.Start(term.ctx, o)
	if err != nil {
		if term.ctx.Err() != nil {
			return nil // asked to stop before it served
		}
		return err
	}
	ready := b.Ready()
	if s.ReadyFile != "" {
		text, err := json.MarshalIndent(ready, "", "  ")
		if err == nil {
			err = vfs.WriteFileAtomic(vfs.OS, s.ReadyFile, append(text, '\n'), false)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("--ready-file %s: %w", s.ReadyFile, err), b.Stop(context.Background()))
		}
	}
	fmt.Fprintf(term.stdout, "[%s] Kafka Server started: %s (cluster %s, %d ms)\n",
		ready.Role(), strings.Join(ready.Where(), " "), ready.ClusterID, time.Since(start).Milliseconds())

	select {
	case <-term.ctx.Done():
	case <-b.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	stopErr := b.Stop(ctx)
	if err := b.Err(); err != nil {
		return err // why it ended; that the end was not clean follows from it
	}
	if stopErr != nil {
		return fmt.Errorf("stopped uncleanly: %w", stopErr)
	}
	return nil
}

const (
	fewestFiles = 64   // what a broker with a handful of partitions and clients has open
	usualFiles  = 4096 // below this somebody will wonder
)

// enoughFiles refuses a limit of open files that no broker can live with, and warns of one that is soon used up.
func enoughFiles(log zerolog.Logger, limit int64) error {
	const help = "each partition in use and each connection takes one; allow more (ulimit -n; LimitNOFILE= of systemd)"
	if limit < fewestFiles {
		return fmt.Errorf("this process may have %d files open, and a broker needs %d and more: %s", limit, fewestFiles, help)
	}
	if limit < usualFiles {
		log.Warn().Int64("limit", limit).Msg("few open files are allowed: " + help)
	}
	return nil
}
