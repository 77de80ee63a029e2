package node

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
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

// launch starts a process and returns once it has printed marker.
func launch(marker, name string, args ...string) (*Process, error) {
	p := &Process{exited: make(chan struct{}), seen: make(chan struct{}), marker: []byte(marker)}
	p.cmd = exec.Command(name, args...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.cmd.Wait()
		close(p.exited)
	}()
	limit := time.NewTimer(90 * time.Second)
	defer limit.Stop()
	select {
	case <-p.seen:
		return p, nil
	case <-p.exited:
		return nil, fmt.Errorf("%s ended before it served: %s", filepath.Base(name), p.Tail(5))
	case <-limit.C:
		p.Stop()
		return nil, fmt.Errorf("%s did not serve within 90 s: %s", filepath.Base(name), p.Tail(5))
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
	p.mu.Lock()
	defer p.mu.Unlock()
	all := strings.Split(strings.TrimSpace(p.text.String()), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
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
