package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/internal/vfs"
)

// DevOptions ask for one broker that needs no set-up.
type DevOptions struct {
	Port     int      // client listener on 127.0.0.1; 0: a free one
	Dir      string   // log directory
	Override []string // "key=value", over the profile
	Environ  []string
	Strict   bool
	FS       vfs.FS // nil: the machine's
}

// Dev returns the options of one combined node with the development profile (config.DevProfile): shorter waits and
// smaller internal topics, nothing else different from a server. The directory is formatted if it is empty, opened
// if it was made by such a node, and refused otherwise.
func Dev(d DevOptions) (Options, []config.Warning, error) {
	if d.FS == nil {
		d.FS = vfs.OS
	}
	if err := devDirectory(d.FS, d.Dir); err != nil {
		return Options{}, nil, err
	}
	profile := map[string]string{
		"process.roles": "broker,controller", "node.id": "1", "log.dirs": d.Dir,
		"listeners":                           fmt.Sprintf("PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:0", d.Port),
		"controller.listener.names":           "CONTROLLER",
		"controller.quorum.bootstrap.servers": "127.0.0.1:0", // itself: the real port is in the voter set
	}
	maps.Copy(profile, config.DevProfile(1))
	file, warnings, err := config.LoadFrom(config.Sources{FS: d.FS, Base: profile, Environ: d.Environ, Overrides: d.Override, Strict: d.Strict})
	if err != nil {
		return Options{}, nil, err
	}
	return Options{Config: file, FS: d.FS, FormatEmpty: true}, warnings, nil
}

// devDirectory refuses a directory that holds something and is no log directory: nobody wants it filled with logs.
func devDirectory(fsys vfs.FS, dir string) error {
	entries, err := fsys.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0:
		return nil
	case err != nil:
		return fmt.Errorf("--dir %s: %w", dir, err)
	}
	if _, err := fsys.Stat(dir + "/meta.properties"); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--dir %s holds files and is no log directory (it has no meta.properties): name an empty directory, or one that dohle dev made", dir)
	}
	return nil
}
