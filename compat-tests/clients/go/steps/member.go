package steps

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
)

// Member is what a program prints as a member of a group: what it has, what it reads, that it left.
type Member struct {
	ID       string          // of the group
	Consumer bool            // the protocol of KIP-848, else the classic one
	Open     context.Context // until standard input is closed
	mu       sync.Mutex
	has      []int32
}

// AsMember runs f and ends the process if "member" is the only step; f leaves the group when Open ends.
func AsMember(list []string, f func(*Member) error) {
	if !slices.Equal(list, []string{"member"}) {
		return
	}
	open, closed := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		closed()
	}()
	if err := f(&Member{ID: os.Getenv("GROUP"), Consumer: os.Getenv("GROUP_PROTOCOL") == "consumer", Open: open}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("member left")
	os.Exit(0)
}

// Has prints all partitions: those had before with the added ones and without the removed ones.
func (m *Member) Has(added, removed []int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.has = slices.DeleteFunc(append(m.has, added...), func(p int32) bool { return slices.Contains(removed, p) })
	slices.SortFunc(m.has, cmp.Compare)
	m.has = slices.Compact(m.has)
	var line strings.Builder
	line.WriteString("member has")
	for _, p := range m.has {
		fmt.Fprintf(&line, " %d", p)
	}
	fmt.Println(line.String())
}

// HasOnly prints the partitions of a session that began with nothing.
func (m *Member) HasOnly(p []int32) {
	m.mu.Lock()
	m.has = nil
	m.mu.Unlock()
	m.Has(p, nil)
}

// Read prints a record's value.
func (m *Member) Read(value []byte) { fmt.Printf("member read %s\n", value) }

// Met notes an error that the member lives through: a broker that is away, a commit that a rebalance overtook.
func (m *Member) Met(err error) { fmt.Fprintln(os.Stderr, "met:", err) }
