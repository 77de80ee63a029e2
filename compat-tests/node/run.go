package node

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a process started here. Its goroutine waits for its end.
type Process struct {
	cmd    *exec.Cmd
	exited chan struct{}

	mu     sync.Mutex
	text   bytes.Buffer // what it has printed
	marker []byte
	seen   chan struct{}
}

// What runs, so that a signal can end exactly that.
var (
	mu      sync.Mutex
	running = map[*Process]bool{}
	ended   bool
)

// EndAll ends every process that was started here; none starts afterwards.
func EndAll() {
	mu.Lock()
	ended = true
	all := slices.Collect(maps.Keys(running))
	mu.Unlock()
	together(len(all), func(i int) { all[i].Stop() })
}

// Ended says whether EndAll was called.
func Ended() bool {
	mu.Lock()
	defer mu.Unlock()
	return ended
}

// together calls f for 0…n-1 at once and returns when all are done.
func together(n int, f func(int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

// Ended is an error with what a process printed last once it has ended without being told to.
func (p *Process) Ended() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s has ended by itself: %s", filepath.Base(p.cmd.Path), p.Tail(40))
	default:
		return nil
	}
}

// Pid is the number that the system gave it.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// launch starts a process and returns once it has printed marker.
func launch(marker, name string, args ...string) (*Process, error) {
	p := &Process{exited: make(chan struct{}), seen: make(chan struct{}), marker: []byte(marker)}
	p.cmd = exec.Command(name, args...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	mu.Lock()
	if ended {
		mu.Unlock()
		return nil, errors.New("it was told to end")
	}
	err := p.cmd.Start()
	if err == nil {
		running[p] = true
	}
	mu.Unlock()
	if err != nil {
		return nil, err
	}
	go func() {
		p.cmd.Wait()
		mu.Lock()
		delete(running, p)
		mu.Unlock()
		close(p.exited)
	}()
	limit := time.NewTimer(3 * time.Minute)
	defer limit.Stop()
	select {
	case <-p.seen:
		return p, nil
	case <-p.exited:
		return nil, fmt.Errorf("%s ended before it served: %s", filepath.Base(name), p.Tail(5))
	case <-limit.C:
		p.Stop()
		return nil, fmt.Errorf("%s did not serve within three minutes: %s", filepath.Base(name), p.Tail(5))
	}
}

// Write takes the process's output.
func (p *Process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.Write(b)
	if p.marker != nil && bytes.Contains(p.text.Bytes(), p.marker) {
		p.marker = nil
		close(p.seen)
	}
	return len(b), nil
}

// Tail is the last lines that it has printed.
func (p *Process) Tail(lines int) string {
	all := strings.Split(strings.TrimSpace(p.Printed()), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Printed is all it has printed.
func (p *Process) Printed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// Stop ends the process, kindly for five seconds.
func (p *Process) Stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	limit := time.NewTimer(5 * time.Second)
	defer limit.Stop()
	select {
	case <-p.exited:
	case <-limit.C:
		p.cmd.Process.Kill()
		<-p.exited
	}
}
