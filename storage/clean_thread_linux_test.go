package storage

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// The thread of a cleaner yields to clients; the threads that serve them stay as they were, also those the runtime
// starts from it.
func TestACleanersThreadAloneYieldsToClients(t *testing.T) {
	nice := func() int {
		raw, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid()) // the kernel says 20 - nice
		if err != nil {
			t.Error(err)
		}
		return 20 - raw
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := nice()
	if before+cleanerNice > 19 {
		t.Skipf("this process has nice %d: there is no room below", before)
	}
	got, others, done := make(chan int), make(chan int), make(chan struct{})
	defer close(done)
	go func() {
		behindClients()
		got <- nice()
		for range 20 { // each needs a thread of its own: this one is taken
			go func() {
				runtime.LockOSThread()
				others <- nice()
				<-done
			}()
		}
		<-done
	}()
	if n := <-got; n != before+cleanerNice {
		t.Errorf("the cleaner's thread has nice %d, want %d", n, before+cleanerNice)
	}
	for range 20 {
		if n := <-others; n != before {
			t.Errorf("another thread has nice %d, had %d", n, before)
		}
	}
	if n := nice(); n != before {
		t.Errorf("the caller's thread has nice %d, had %d", n, before)
	}
}
