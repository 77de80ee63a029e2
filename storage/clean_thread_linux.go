package storage

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// cleanerNice is how much nicer a cleaner's thread is than the process: it gets a third of the share of a thread that
// serves clients where both want a core, all of it where none does.
const cleanerNice = 5

// behindClients keeps the calling goroutine on an OS thread of its own, which clients' work comes before: on few cores
// a pass would otherwise let an append wait for the kernel's time slices. The thread ends with the goroutine. Asking for
// less needs no privilege; where a sandbox refuses it nevertheless, the thread stays as it is.
func behindClients() {
	runtime.LockOSThread()
	me := unix.Gettid()
	if raw, err := unix.Getpriority(unix.PRIO_PROCESS, me); err == nil { // the kernel says 20 - nice
		_ = unix.Setpriority(unix.PRIO_PROCESS, me, 20-raw+cleanerNice)
	}
}
