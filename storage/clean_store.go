package storage

import (
	"context"
	"errors"

	"github.com/dohle-io/dohle/protocol"
)

// cleanJob is a log that is to be cleaned and what of it.
type cleanJob struct {
	log   *Log
	shape int64
	rng   cleanRange
	nowMs int64
}

// CleanOne cleans the filthiest log that is due, in the caller's goroutine, and says whether there was one. Retention of
// compacted logs follows, as in Kafka. Run calls it; so do tests.
func (s *Store) CleanOne(ctx context.Context, c CleanerConfig) (cleaned bool) {
	w := &cleanWorker{store: s, cfg: c}
	return w.cleanOne(ctx)
}

func (w *cleanWorker) cleanOne(ctx context.Context) (cleaned bool) {
	s := w.store
	if job := s.filthiest(); job != nil {
		cleaned = w.clean(ctx, job)
	}
	for _, l := range s.compacted() {
		if _, err := l.DeleteOldSegments(); err != nil {
			s.uncleanable(l, err)
		}
	}
	return cleaned
}

// compacted are the logs that no thread cleans and that can be cleaned, in no order. Those found at start are left alone
// until their topic's settings are known: by the defaults of the broker records would go that must stay.
func (s *Store) compacted() (list []*Log) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.cleanMu.Lock()
	defer s.cleanMu.Unlock()
	for _, l := range s.logs {
		if l.cfg.Load().Compact && l.configured.Load() && l.Err() == nil && !s.cleaning[l] && s.spoiled[l] == nil {
			list = append(list, l)
		}
	}
	for l := range s.spoiled {
		if s.logs[l.tp] != l {
			delete(s.spoiled, l)
		}
	}
	return list
}

// filthiest picks the due log with the largest share of dirty bytes and marks it as being cleaned.
func (s *Store) filthiest() (best *cleanJob) {
	for _, l := range s.compacted() {
		job, err := s.assess(l)
		switch {
		case err != nil && l.Err() == nil && !isNotExist(err): // not there: the list has just changed
			s.uncleanable(l, err)
		case err != nil || !job.rng.due():
		case best == nil, job.rng.ratio() > best.rng.ratio(),
			job.rng.ratio() == best.rng.ratio() && l.tp.Compare(best.log.tp) < 0:
			best = job
		}
	}
	if best == nil {
		return nil
	}
	s.cleanMu.Lock()
	defer s.cleanMu.Unlock()
	if s.cleaning[best.log] { // another thread was faster
		return nil
	}
	s.cleaning[best.log] = true
	return best
}

func (s *Store) assess(l *Log) (*cleanJob, error) {
	j := &cleanJob{log: l, shape: l.shape.Load(), nowMs: s.nowMs()}
	checkpoint, known := l.dir.cleanedTo(l.tp)
	if !known {
		checkpoint = -1
	}
	f, err := l.facts(checkpoint)
	if err != nil {
		return nil, err
	}
	j.rng = cleanable(f, l.cfg.Load(), j.nowMs)
	if j.rng.reset {
		s.logger.Warn().Str("partition", l.name).Int64("checkpoint", checkpoint).Int64("log_start", f.logStart).Int64("log_end", f.logEnd).
			Msg("the cleaner's checkpoint does not fit the log: cleaning begins anew at its start")
		l.dir.setCleaned(l.tp, f.logStart)
		if err := l.dir.writeCleaned(); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// clean does one pass over a log that filthiest has marked.
func (w *cleanWorker) clean(ctx context.Context, j *cleanJob) bool {
	s, l := w.store, j.log
	defer func() {
		s.cleanMu.Lock()
		defer s.cleanMu.Unlock()
		delete(s.cleaning, l)
	}()
	end, err := w.pass(ctx, j)
	if err == nil {
		err = l.cleanedUpTo(end, j.shape)
	}
	switch {
	case err == nil:
		return true
	case errors.Is(err, errCleanAborted):
		s.logger.Info().Str("partition", l.name).Msg("cleaning was aborted")
	case l.Err() != nil: // closed, or the directory is offline, which is in the log
	default:
		s.uncleanable(l, err)
	}
	return false
}

func (w *cleanWorker) pass(ctx context.Context, j *cleanJob) (int64, error) {
	p := &cleanPass{cleanWorker: w, ctx: ctx, log: j.log, shape: j.shape, rng: j.rng, nowMs: j.nowMs}
	// The list as of now holds what the range was computed from: anything else has changed the shape.
	p.segments = j.log.segments()
	p.facts = make([]segmentFacts, len(p.segments))
	for i, seg := range p.segments {
		size, _ := seg.tail()
		p.facts[i] = segmentFacts{base: seg.base, size: size}
	}
	if err := p.log.indexFacts(p.segments, p.facts); err != nil {
		return 0, p.failed(err)
	}
	return p.run()
}

// cleanedUpTo notes the end of a pass, unless the log was truncated since it began.
func (l *Log) cleanedUpTo(end, shape int64) error {
	l.flushMu.Lock()
	same := l.shape.Load() == shape && l.Err() == nil
	if same {
		l.dir.setCleaned(l.tp, end)
	}
	l.flushMu.Unlock()
	if !same {
		return errCleanAborted
	}
	return l.dir.writeCleaned()
}

// uncleanable leaves a log out from now on, until the broker starts again.
func (s *Store) uncleanable(l *Log, err error) {
	if l.Err() != nil {
		return
	}
	s.cleanMu.Lock()
	defer s.cleanMu.Unlock()
	if s.spoiled[l] == nil {
		s.spoiled[l] = err
		s.logger.Warn().Err(err).Str("partition", l.name).Msg("the log cannot be cleaned and is left as it is until the next start")
	}
}

// Uncleanable says which logs the cleaner has given up, and why.
func (s *Store) Uncleanable() map[protocol.TopicPartition]error {
	s.cleanMu.Lock()
	defer s.cleanMu.Unlock()
	m := map[protocol.TopicPartition]error{}
	for l, err := range s.spoiled {
		m[l.tp] = err
	}
	return m
}

// beingCleaned keeps the keeper's retention off a log that a thread is at work on.
func (s *Store) beingCleaned(l *Log) bool {
	s.cleanMu.Lock()
	defer s.cleanMu.Unlock()
	return s.cleaning[l]
}

func (p *cleanPass) logDone(f *cleanFilter, end int64) {
	e := p.store.logger.Info()
	if f.noKey > 0 {
		e = p.store.logger.Warn().Int64("records_without_key", f.noKey)
	}
	e.Str("partition", p.log.name).Int64("from", p.rng.firstDirty).Int64("to", end).Int64("records", f.records).Int64("kept", f.kept).
		Int64("bytes_read", p.bytesRead).Int64("bytes_written", p.bytesWritten).Int("keys", p.keys.used).Msg("log cleaned")
}
