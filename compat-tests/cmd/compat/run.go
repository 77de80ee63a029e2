package main

import (
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/dohle-io/dohle/compat-tests/node"
	"github.com/dohle-io/dohle/compat-tests/oracle"
)

// endWithSignals ends what was started here before a signal ends the program.
func endWithSignals() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		node.EndAll() // what asks them fails then, and cleans up
		time.Sleep(10 * time.Second)
		os.Exit(2)
	}()
}

// both starts the two sides at once, or none.
func (f *flags) both(temp string) (sides [2]*oracle.Side, stop func(), err error) {
	var stops [2]func()
	var errs [2]error
	var all sync.WaitGroup
	for i, what := range []string{f.a, f.b} {
		all.Go(func() {
			letter := string(rune('A' + i))
			sides[i], stops[i], errs[i] = f.side(letter, what, filepath.Join(temp, letter))
		})
	}
	all.Wait()
	stop = func() {
		for _, s := range stops {
			if s != nil {
				s()
			}
		}
	}
	for _, err := range errs {
		if err != nil {
			stop()
			return sides, nil, err
		}
	}
	return sides, stop, nil
}
