package vfs

import "os"

// TempDir makes a new directory for a process's own use under the machine's directory for temporary files.
func TempDir(prefix string) (string, error) { return os.MkdirTemp("", prefix) }
