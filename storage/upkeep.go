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
	for _, l := range dirty {
		l.unqueue()
	}
	errs := s.flushAll(dirty, false)
	for _, d := range s.dirs {
		if d.Online() {
			errs = append(errs, d.writeMoved())
		}
	}
	return errors.Join(errs...)
}

// manyLogs is from how many on one sync of the file system is cheaper than those of each log.
const manyLogs = 12

// flushAll flushes logs although nothing may lie above their recovery points: a sealed segment's index, a snapshot or
// an epoch may.
func (s *Store) flushAll(logs []*Log, closing bool) (errs []error) {
	s.flushMu.Lock()
	defer s.flushMu.Unlock()
	byDir := map[*Dir][]*Log{}
	for _, l := range logs {
		byDir[l.dir] = append(byDir[l.dir], l)
	}
	for _, d := range s.dirs {
		logs := byDir[d]
		if d.flusher != nil && len(logs) >= s.many {
			if err := d.flushTogether(logs, closing); err != nil {
				errs = append(errs, err)
			}
			continue
		}
		for _, l := range logs {
			if err := l.flushAnyway(closing); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errs
}

func (l *Log) flushAnyway(closing bool) error {
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	if l.failed.Load() != nil {
		return nil
	}
	return l.flushHolding(closing)
}

func (l *Log) unqueue() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.store.dirtyMu.Lock()
	defer l.store.dirtyMu.Unlock()
	l.queued = false
}

// flushOverdue honours flush.ms.
func (s *Store) flushOverdue() {
	s.dirtyMu.Lock()
	dirty := slices.Clone(s.dirty)
	s.dirtyMu.Unlock()
	now := s.nowMs()
	for _, l := range dirty {
		if now-l.lastFlushMs.Load() >= l.cfg.Load().FlushMs {
			_ = l.Flush(l.LogEndOffset()) // a failure takes the directory offline
		}
	}
}

// DeleteOldSegments applies retention to every log whose topic's settings are known and returns the number of segments
// deleted.
func (s *Store) DeleteOldSegments() (n int) {
	for _, l := range s.All() {
		if l.Err() != nil || !l.configured.Load() || s.beingCleaned(l) {
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
		_ = d.writeHighWatermarksHolding() // a failure takes the directory offline
		d.writeMu.Unlock()
	}
}
