package storage

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
)

// Open locks the directories, reads their identity, removes the clean shutdown markers and loads every partition but
// the quorum's. A directory that cannot be read is offline if another is left. What makes it fail: no readable
// directory, a lock that is held, a directory that is not formatted or belongs to another cluster or node, two
// directories with one id, a damaged checkpoint.
//
// A partition that is damaged is in the store with Err set, and serves nothing.
func Open(o Options) (_ *Store, err error) {
	o.defaults()
	s := &Store{o: o, offline: make(chan struct{}, 1), kick: make(chan struct{}, 1), epoch: -1, many: manyLogs,
		logs: map[protocol.TopicPartition]*Log{}, configs: map[LogConfig]*LogConfig{},
		cleaning: map[*Log]bool{}, spoiled: map[*Log]error{}}
	s.env = env{files: newFileCache(o.FS, o.MaxOpenFiles), clocks: o.Clocks, logger: o.Log, codecs: o.Codecs, store: s,
		rand: o.Rand, expirationMs: o.ProducerExpiration.Milliseconds()}
	defer func() {
		if err != nil {
			s.unlock()
		}
	}()
	for _, name := range o.Dirs {
		d := newDir(s, path.Clean(name))
		s.dirs = append(s.dirs, d)
		if err := s.identify(d); err != nil {
			return nil, err
		}
	}
	if !slices.ContainsFunc(s.dirs, (*Dir).Online) {
		if len(s.dirs) == 0 {
			return nil, errors.New("no log directory is configured")
		}
		return nil, fmt.Errorf("none of the log directories can be used: %w", s.dirs[0].Err())
	}
	var epochs []int64
	for _, d := range s.dirs {
		if !d.Online() {
			epochs = append(epochs, -1)
			continue
		}
		epoch, err := s.loadDir(d)
		if err != nil {
			return nil, err
		}
		epochs = append(epochs, epoch)
	}
	if !slices.ContainsFunc(s.dirs, (*Dir).Online) {
		return nil, fmt.Errorf("none of the log directories can be read: %w", s.dirs[0].Err())
	}
	if slices.Min(epochs) == slices.Max(epochs) {
		s.epoch = epochs[0]
	}
	return s, nil
}

// identify locks d and checks who it belongs to.
func (s *Store) identify(d *Dir) error {
	_, err := s.o.FS.Stat(d.path)
	if isNotExist(err) {
		if err = s.o.FS.MkdirAll(d.path); err == nil {
			err = s.o.FS.SyncDir(path.Dir(d.path))
		}
	}
	if err != nil {
		d.fail(fmt.Errorf("%s: %w", d.path, err))
		return nil
	}
	lock, err := s.o.FS.Lock(path.Join(d.path, lockName))
	if errors.Is(err, vfs.ErrLocked) {
		return fmt.Errorf("log directory %s is in use (%w): stop the broker that has it, or name another directory in log.dirs", d.path, err)
	}
	if err != nil {
		return fmt.Errorf("log directory %s: %w", d.path, err)
	}
	d.lock = lock
	m, err := ReadMetaProperties(s.o.FS, d.path)
	if errors.Is(err, ErrNotFormatted) && s.o.ClusterID != "" {
		s.randMu.Lock()
		m = MetaProperties{ClusterID: s.o.ClusterID, NodeID: s.o.NodeID, DirectoryID: protocol.RandomUUID(s.rand)}
		s.randMu.Unlock()
		if err := s.checkNoPartitions(d); err != nil {
			return err
		}
		err = WriteMetaProperties(s.o.FS, d.path, m, s.o.Clocks.Broker.Now())
	}
	if err != nil {
		return fmt.Errorf("log directory %s: %w", d.path, err)
	}
	switch {
	case s.o.ClusterID != "" && m.ClusterID != s.o.ClusterID:
		return fmt.Errorf("log directory %s belongs to cluster %q, not to %q as the other directories of this node: take it out of log.dirs, or empty it to start it anew", d.path, m.ClusterID, s.o.ClusterID)
	case m.NodeID != s.o.NodeID:
		return fmt.Errorf("log directory %s belongs to node %d, not to %d: set node.id=%d, or name the directories of this node in log.dirs", d.path, m.NodeID, s.o.NodeID, m.NodeID)
	}
	for _, other := range s.dirs {
		if other != d && !m.DirectoryID.IsZero() && other.id == m.DirectoryID {
			return fmt.Errorf("log directories %s and %s have the same directory.id %s", other.path, d.path, m.DirectoryID)
		}
	}
	d.id = m.DirectoryID
	if f, err := vfs.OpenFlusher(s.o.FS, d.path); err == nil {
		d.flusher = f
	} else if !errors.Is(err, errors.ErrUnsupported) {
		d.fail(fmt.Errorf("%s: %w", d.path, err))
	}
	return nil
}

// checkNoPartitions refuses to format a directory that holds data: whose it is nobody can tell.
func (s *Store) checkNoPartitions(d *Dir) error {
	entries, err := s.o.FS.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, _, ok := parseDirName(e.Name()); ok && e.IsDir() {
			return fmt.Errorf("log directory %s holds %s but no meta.properties: %w", d.path, e.Name(), ErrNotFormatted)
		}
	}
	return nil
}

// loadDir loads the partitions of d and returns the broker epoch of its clean shutdown marker, -1 without one.
func (s *Store) loadDir(d *Dir) (epoch int64, err error) {
	marker := path.Join(d.path, cleanShutdownName)
	epoch = -1
	b, err := vfs.ReadFile(s.o.FS, marker, maxMetaFile)
	clean := err == nil
	if clean {
		epoch = parseCleanShutdown(b)
		// First of all, so that a crash from here on is an unclean stop (L2).
		if err := s.o.FS.Remove(marker); err != nil {
			return -1, err
		}
		if err := s.o.FS.SyncDir(d.path); err != nil {
			return -1, err
		}
	}
	points, err := d.checkpoint(recoveryPointName)
	if err != nil {
		return -1, err
	}
	starts, err := d.checkpoint(logStartName)
	if err != nil {
		return -1, err
	}
	marks, err := d.checkpoint(highWatermarkName)
	if err != nil {
		return -1, err
	}
	maps.Copy(d.saved, points)
	if err := d.loadCleaned(); err != nil {
		return -1, err
	}
	// The cleaner writes the recovery points before anything else, so somebody has removed them, as one does to have
	// Apache Kafka recover everything. Holes in a compacted log are then no sign of lost bytes.
	holes := len(points) == 0 && len(d.cleaned) > 0
	entries, err := s.o.FS.ReadDir(d.path)
	if err != nil {
		return -1, err
	}
	var logs []*Log
	gone := map[protocol.TopicPartition]bool{}
	for _, e := range entries {
		if !e.IsDir() || isMetadataDir(e.Name()) {
			continue
		}
		tp, kind, ok := parseDirName(e.Name())
		switch {
		case !ok:
			s.logger.Warn().Str("dir", d.path).Str("name", e.Name()).Msg("not a partition directory, left alone")
		case kind == dirStray:
			gone[tp] = true
			s.logger.Warn().Str("dir", d.path).Str("name", e.Name()).Msg("a log that was set aside")
		case kind == dirDelete:
			gone[tp] = true
			s.removeDirLater(path.Join(d.path, e.Name()), d, 0)
		case kind == dirCurrent:
			l := s.newLog(tp, s.o.DefaultConfig(tp.Topic), d)
			if other := s.logs[tp]; other != nil {
				return -1, fmt.Errorf("partition %s is in %s and in %s", tp, other.dir.path, d.path)
			}
			s.logs[tp] = l
			d.hosted++
			logs = append(logs, l)
		}
	}
	parallel(s.o.Loaders, len(logs), func(i int) {
		l := logs[i]
		state := loadState{recoveryPoint: points[l.tp], logStart: starts[l.tp], highWatermark: marks[l.tp], clean: clean, holes: holes}
		if err := l.load(state); err != nil {
			l.damaged(err)
		}
	})
	for tp := range gone {
		if s.logs[tp] == nil || s.logs[tp].dir != d { // else one was made again, and the checkpoints speak of that
			d.forget(tp)
		}
	}
	for _, l := range logs {
		d.logs[l.tp] = l
		if err := l.Err(); err != nil {
			if _, corrupt := asCorrupt(err); !corrupt {
				d.fail(err) // the disk, not the bytes
				return -1, nil
			}
		}
	}
	for tp, hw := range marks {
		if d.logs[tp] == nil && !gone[tp] && !isMetadataDir(tp.String()) && hw > 0 {
			d.missing[tp] = hw
			s.logger.Error().Str("dir", d.path).Stringer("partition", tp).Int64("high_watermark", hw).
				Msg("the directory of a partition has vanished; it is not made anew empty")
		}
	}
	return epoch, nil
}

// damaged makes a log that could not be loaded refuse everything. Its files stay as they are.
func (l *Log) damaged(err error) {
	err = fmt.Errorf("%s: %w", l.tp, storageErr(err))
	l.failed.Store(&err)
	l.setSegments([]*segment{newSegment(l, 0)})
	l.logger.Error().Err(err).Str("partition", l.name).Str("dir", l.dir.path).
		Msg("the log is damaged and serves nothing; its files are left as they are")
}
