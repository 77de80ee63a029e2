package storage

import (
	"errors"
	"slices"
)

// FlushDirty flushes every log with unflushed bytes and then moves the recovery points on the disk.
func (s *Store) FlushDirty() error {
	s.dirtyMu.Lock()
	dirty := s.dirty
	s.dirty, s.bytes = nil, 0
	s.dirtyMu.Unlock()
	var errs []error
	for _, l := range dirty {
		if err := l.flushQueued(); err != nil {
			errs = append(errs, err)
		}
	}
	for _, d := range s.dirs {
		if d.Online() {
			errs = append(errs, d.writeMoved())
		}
	}
	return errors.Join(errs...)
}

// flushQueued flushes the log although nothing may lie above its recovery point: a sealed segment's index, a snapshot
// or an epoch may.
func (l *Log) flushQueued() error {
	l.mu.Lock()
	if l.store != nil {
		l.store.dirtyMu.Lock()
		l.queued = false
		l.store.dirtyMu.Unlock()
	}
	l.mu.Unlock()
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	if l.failed.Load() != nil {
		return nil
	}
	return l.flushHolding(false)
}

// flushOverdue honours flush.ms.
func (s *Store) flushOverdue() {
	s.dirtyMu.Lock()
	dirty := slices.Clone(s.dirty)
	s.dirtyMu.Unlock()
	now := s.nowMs()
	for _, l := range dirty {
		if now-l.lastFlushMs.Load() >= l.cfg.Load().FlushMs {
			l.Flush(l.LogEndOffset()) // a failure takes the directory offline
		}
	}
}

// DeleteOldSegments applies retention to every log and returns the number of segments deleted.
func (s *Store) DeleteOldSegments() (n int) {
	for _, l := range s.All() {
		if l.Err() != nil {
			continue
		}
		k, err := l.DeleteOldSegments()
		n += k
		if err != nil {
			s.logger.Warn().Err(err).Str("partition", l.name).Msg("retention failed")
		}
	}
	return n
}

// ExpireProducers forgets producers that have been silent for producer.id.expiration.ms, in every log.
func (s *Store) ExpireProducers() {
	for _, l := range s.All() {
		l.ExpireProducers(s.expirationMs)
	}
}

// RemoveDue removes files and directories whose delay is over, on the broker's clock.
func (s *Store) RemoveDue() {
	now := s.nowMs()
	s.laterMu.Lock()
	var due []removal
	s.later = slices.DeleteFunc(s.later, func(r removal) bool {
		if r.dueMs <= now {
			due = append(due, r)
			return true
		}
		return false
	})
	s.laterMu.Unlock()
	for _, r := range due {
		var err error
		switch {
		case r.dir == nil:
			err = s.o.FS.Remove(r.name)
		case !r.dir.Online():
		default:
			// While a checkpoint names the partition its directory must be there under some name, or the next start
			// would take it for vanished.
			if err = r.dir.forgetDeleted(); err == nil {
				err = s.o.FS.RemoveAll(r.name)
			}
		}
		if err != nil && !isNotExist(err) {
			s.logger.Warn().Err(err).Str("file", r.name).Msg("deleted file could not be removed")
		}
	}
}

func (d *Dir) forgetDeleted() error {
	d.mu.Lock()
	n := len(d.deleted)
	d.mu.Unlock()
	if n == 0 {
		return nil
	}
	return d.writeAll()
}

// WriteCheckpoints writes high watermarks, log starts and recovery points of every directory.
func (s *Store) WriteCheckpoints() error {
	var errs []error
	for _, d := range s.dirs {
		if d.Online() {
			errs = append(errs, d.writeAll())
		}
	}
	return errors.Join(errs...)
}

func (s *Store) writeHighWatermarks() {
	for _, d := range s.dirs {
		if !d.Online() || !d.marks.Load() {
			continue
		}
		d.writeMu.Lock()
		d.writeHighWatermarksHolding() // a failure takes the directory offline
		d.writeMu.Unlock()
	}
}
