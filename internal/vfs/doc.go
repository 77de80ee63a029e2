// Package vfs is the disk as an interface, so that one broker runs on a real file system, in memory, and on a disk
// that fails or loses power at a moment a test chooses.
//
// Three file systems: OS is the machine's. Mem is a disk in memory that remembers what was made durable: file bytes
// by File.Sync, directory entries by FS.SyncDir; Mem.Clone is what a killed process leaves behind, Mem.CrashClone
// what a power cut leaves. Fault wraps another file system, counts its operations and fails the ones a test names.
//
// Who calls it: storage, controller/quorum and controller format; nothing else touches a file.
//
// Invariants: names are slash-separated paths. A write at or past the end of a file extends it, a gap reads as zeros.
// WriteAt and WritevAt write everything or return an error; after an error the bytes of the range are unknown.
// A rename inside one directory is atomic, also across a power cut, but only durable after SyncDir.
//
// Goroutines: none. Locks: Mem.mu guards the tree, each file's own mutex its bytes; Fault.mu its counters.
// Taken in that order: tree, then file.
//
// Not here: memory mapping, asynchronous I/O, permissions beyond the mode given to OpenFile.
package vfs
