package storage

import "github.com/dohle-io/dohle/internal/vfs"

// The page cache behind the tail. Bytes that were written start on their way to the disk behindStep later, so that
// neither a flush nor the kernel's own write-back meets them all at once; and once they are CacheWindow behind the log
// end their pages are given back. A log that grows then lives in pages that it has used before, instead of taking new
// ones from the machine until there are none: on a virtual machine, where the first use of a page is dear, that halves
// the cost of an append. Who reads further back than the window reads the disk.
//
// All of it is advice: nothing depends on whether it is taken. A write-out that fails is told by the next fsync.

// behindStep is the unit of both, in bytes, and how far behind the log end write-out starts.
const behindStep = 8 << 20

// adviseLocked is called after a write to the active segment that moved its end from before to after.
func (l *Log) adviseLocked(seg *segment, f vfs.File, before, after int64) {
	step := after / behindStep * behindStep // the last whole step that is full
	if step <= before {
		return
	}
	if at := step - 2*behindStep; at >= 0 {
		vfs.WriteOut(f, at, behindStep)
	}
	if l.store == nil || l.store.o.CacheWindow < 0 {
		return
	}
	list := l.segments()
	i, at := len(list)-1, step-behindStep-l.store.o.CacheWindow
	for at < 0 && i > 0 {
		i--
		at += list[i].size
	}
	if at < 0 {
		return
	}
	if list[i] == seg {
		vfs.Forget(f, at, behindStep)
		return
	}
	old, err := list[i].acquire()
	if err != nil {
		return // whoever needs the file will say so
	}
	defer list[i].release()
	vfs.Forget(old, at, behindStep)
}
