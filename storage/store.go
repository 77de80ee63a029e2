package storage

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
)

// Options of a Store. FS, Clocks and Dirs are required.
type Options struct {
	FS            vfs.FS
	Clocks        clock.Clocks
	Log           zerolog.Logger
	Codecs        *compress.Codecs
	Rand          *rand.Rand // segment.jitter.ms, directory ids, names of deleted directories; nil: seeded by the clock
	Dirs          []string
	NodeID        int32
	ClusterID     string                       // "": accept any; otherwise a directory that is empty is formatted
	DefaultConfig func(topic string) LogConfig // for logs found at start, until Create or SetConfig; nil: DefaultLogConfig
	BrokerEpoch   func() int64                 // written into the clean shutdown marker; nil: -1

	FlushInterval            time.Duration // default 5 s
	FlushBytes               int64         // default 256 MiB
	CheckpointInterval       time.Duration // high watermarks; default 5 s
	RetentionCheckInterval   time.Duration // log.retention.check.interval.ms; default 5 min
	ProducerExpiration       time.Duration // producer.id.expiration.ms; default 24 h
	ProducerExpirationChecks time.Duration // producer.id.expiration.check.interval.ms; default 10 min
	CacheWindow              int64         // bytes behind each log's end that stay in the page cache, default 1 GiB; negative: nothing is dropped
	MaxOpenFiles             int           // default 4096
	Loaders                  int           // logs loaded at once; default 4

	Cleaner func() CleanerConfig // asked before each log is cleaned; nil: nothing is compacted
}

func (o *Options) defaults() {
	if o.Codecs == nil {
		o.Codecs = compress.NewCodecs()
	}
	if o.Rand == nil {
		o.Rand = rand.New(rand.NewPCG(uint64(o.Clocks.Real.Now().UnixNano()), uint64(o.NodeID)))
	}
	if o.DefaultConfig == nil {
		o.DefaultConfig = func(string) LogConfig { return DefaultLogConfig() }
	}
	if o.BrokerEpoch == nil {
		o.BrokerEpoch = func() int64 { return -1 }
	}
	o.FlushInterval = orDefault(o.FlushInterval, 5*time.Second)
	o.FlushBytes = orDefault(o.FlushBytes, 256<<20)
	o.CheckpointInterval = orDefault(o.CheckpointInterval, 5*time.Second)
	o.RetentionCheckInterval = orDefault(o.RetentionCheckInterval, 5*time.Minute)
	o.ProducerExpiration = orDefault(o.ProducerExpiration, 24*time.Hour)
	o.ProducerExpirationChecks = orDefault(o.ProducerExpirationChecks, 10*time.Minute)
	o.CacheWindow = orDefault(o.CacheWindow, 1<<30)
	o.MaxOpenFiles = orDefault(o.MaxOpenFiles, 4096)
	o.Loaders = orDefault(o.Loaders, 4)
}

func orDefault[T int | int64 | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}

// Store holds the logs of one broker in its log directories.
type Store struct {
	env
	o       Options
	dirs    []*Dir
	offline chan struct{}
	kick    chan struct{} // a sealed segment, or FlushBytes, waits for the flusher
	epoch   int64         // broker epoch of the last clean stop

	mu      sync.RWMutex
	logs    map[protocol.TopicPartition]*Log
	configs map[LogConfig]*LogConfig

	many    int        // logs from which on they are flushed together
	flushMu sync.Mutex // held through a flush of many logs, before theirs

	dirtyMu sync.Mutex
	dirty   []*Log
	bytes   int64 // appended since the last flush

	laterMu sync.Mutex
	later   []removal

	cleanMu  sync.Mutex
	cleaning map[*Log]bool  // a thread of the cleaner is at work
	spoiled  map[*Log]error // why a log is not cleaned any more
	throttle cleanThrottle
}

// removal is a file or directory to remove at a broker time.
type removal struct {
	name  string
	dueMs int64
	dir   *Dir // of a partition directory: its checkpoints are written before
}

func (s *Store) newLog(tp protocol.TopicPartition, cfg LogConfig, d *Dir) *Log {
	l := &Log{env: &s.env, tp: tp, dir: d}
	name := d.path + "/" + tp.String()
	l.path.Store(&name)
	l.name = name[len(d.path)+1:]
	l.cfg.Store(s.shareConfig(cfg))
	l.startEmpty(0)
	return l
}

func (s *Store) shareConfig(c LogConfig) *LogConfig {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.configs[c]; p != nil {
		return p
	}
	if len(s.configs) > 1000 { // configurations that are no longer used
		clear(s.configs)
	}
	s.configs[c] = &c
	return &c
}

// Dirs are the log directories in the order of Options.Dirs, offline ones included.
func (s *Store) Dirs() []*Dir { return s.dirs }

// OfflineDirs ticks after a directory went offline; look at Dirs then. One reader.
func (s *Store) OfflineDirs() <-chan struct{} { return s.offline }

// PreviousBrokerEpoch is the broker epoch of the last clean stop (KIP-966); -1 unless every directory was stopped
// cleanly with the same one.
func (s *Store) PreviousBrokerEpoch() int64 { return s.epoch }

// Log finds a partition's log.
func (s *Store) Log(tp protocol.TopicPartition) (*Log, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	l, ok := s.logs[tp]
	return l, ok
}

// All yields every log as of now, sorted.
func (s *Store) All() iter.Seq2[protocol.TopicPartition, *Log] {
	s.mu.RLock()
	keys := slices.SortedFunc(maps.Keys(s.logs), protocol.TopicPartition.Compare)
	logs := make([]*Log, len(keys))
	for i, tp := range keys {
		logs[i] = s.logs[tp]
	}
	s.mu.RUnlock()
	return func(yield func(protocol.TopicPartition, *Log) bool) {
		for i, tp := range keys {
			if !yield(tp, logs[i]) {
				return
			}
		}
	}
}

// Create makes the log of a partition, or returns the one there is if it has the same topic id. Nothing is written
// before the first append. dir nil: the online directory with the fewest logs.
//
// KAFKA_STORAGE_ERROR when the directory is offline, or held this partition once and its files have vanished (R28);
// INCONSISTENT_TOPIC_ID when another topic's log of that name is here.
func (s *Store) Create(tp protocol.TopicPartition, topicID protocol.UUID, cfg LogConfig, dir *Dir) (*Log, error) {
	if err := checkTopicName(tp.Topic); err != nil || tp.Partition < 0 {
		return nil, fmt.Errorf("partition %s: %w", tp, kerr.InvalidTopicException)
	}
	if l, ok := s.Log(tp); ok {
		if err := l.Err(); err != nil {
			return nil, err
		}
		if err := l.SetTopicID(topicID); err != nil {
			return nil, err
		}
		l.SetConfig(cfg)
		return l, nil
	}
	for _, d := range s.dirs {
		d.mu.Lock()
		hw, missing := d.missing[tp]
		d.mu.Unlock()
		if missing {
			return nil, fmt.Errorf("%s was in %s with records up to offset %d and its directory has vanished: %w", tp, d.path, hw, kerr.KafkaStorageError)
		}
	}
	if dir == nil {
		if dir = s.emptiest(); dir == nil {
			return nil, fmt.Errorf("no log directory is online: %w", kerr.KafkaStorageError)
		}
	}
	if err := dir.Err(); err != nil {
		return nil, fmt.Errorf("log dir %s is offline: %w", dir.path, storageErr(err))
	}
	l := s.newLog(tp, cfg, dir)
	l.configured.Store(true)
	if !topicID.IsZero() {
		l.topicID.Store(&topicID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.logs[tp]; other != nil {
		return other, nil
	}
	s.logs[tp] = l
	dir.hosted++
	return l, nil
}

func (s *Store) emptiest() (best *Dir) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, d := range s.dirs {
		if d.Online() && (best == nil || d.hosted < best.hosted) {
			best = d
		}
	}
	return best
}

// AcceptLoss lets Create make a partition anew whose directory has vanished: the caller knows of another copy, or an
// operator has decided.
func (s *Store) AcceptLoss(tp protocol.TopicPartition) error {
	for _, d := range s.dirs {
		d.mu.Lock()
		_, missing := d.missing[tp]
		delete(d.missing, tp)
		if _, ok := d.cleaned[tp]; ok && missing {
			delete(d.cleaned, tp)
			d.cleanedMoved = true
		}
		d.mu.Unlock()
		if missing {
			return d.writeAll()
		}
	}
	return nil
}

// Delete removes a partition's log: its directory is renamed now and removed after file.delete.delay.ms. Readers that
// hold a Slice keep reading. The log serves nothing from now on.
func (s *Store) Delete(tp protocol.TopicPartition) error { return s.take(tp, deleteDirSuffix) }

// SetAside is Delete for a log of which the cluster does not know: its directory gets a name that ends in -stray, and
// stays until an operator removes it. What nobody asked to delete may be all that is left of something.
func (s *Store) SetAside(tp protocol.TopicPartition) error { return s.take(tp, strayDirSuffix) }

// take renames the directory of a log that is to serve nothing any more.
func (s *Store) take(tp protocol.TopicPartition, suffix string) error {
	s.mu.Lock()
	l := s.logs[tp]
	delete(s.logs, tp)
	if l != nil {
		l.dir.hosted--
	}
	s.mu.Unlock()
	if l == nil {
		for _, d := range s.dirs {
			d.mu.Lock()
			delete(d.missing, tp)
			d.mu.Unlock()
		}
		return nil
	}
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	why := errClosed
	l.failed.Store(&why)
	if !l.made && l.dir.Online() {
		if _, err := s.o.FS.Stat(l.dirPath()); isNotExist(err) {
			return nil
		}
	}
	if err := l.dir.Err(); err != nil {
		return fmt.Errorf("delete %s: log dir %s is offline: %w", tp, l.dir.path, storageErr(err))
	}
	s.randMu.Lock()
	name := l.dir.path + "/" + takenDirName(tp, s.rand, suffix)
	s.randMu.Unlock()
	if err := s.o.FS.Rename(l.dirPath(), name); err != nil {
		return l.fail("delete", err)
	}
	l.path.Store(&name)
	l.dir.forget(tp)
	l.closeFiles(errClosed)
	if suffix == strayDirSuffix {
		s.logger.Warn().Str("partition", tp.String()).Str("renamed_to", name).Msg("a log that the cluster does not know is set aside")
		return nil
	}
	s.removeDirLater(name, l.dir, l.cfg.Load().FileDeleteDelayMs)
	return nil
}

func (s *Store) removeLater(name string, delayMs int64) {
	s.laterMu.Lock()
	defer s.laterMu.Unlock()
	s.later = append(s.later, removal{name: name, dueMs: s.nowMs() + delayMs})
}

func (s *Store) removeDirLater(name string, d *Dir, delayMs int64) {
	s.laterMu.Lock()
	defer s.laterMu.Unlock()
	s.later = append(s.later, removal{name: name, dueMs: s.nowMs() + delayMs, dir: d})
}

// queue puts a log on the list of those to flush, once. Called with the log's mu held, which guards queued.
func (s *Store) queue(l *Log, bytes int, queued *bool) {
	s.dirtyMu.Lock()
	defer s.dirtyMu.Unlock()
	if !*queued {
		*queued = true
		s.dirty = append(s.dirty, l)
	}
	s.bytes += int64(bytes)
	if s.bytes > s.o.FlushBytes {
		s.bytes = 0
		s.kickFlush()
	}
}

func (s *Store) kickFlush() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

func (s *Store) unlock() {
	for _, d := range s.dirs {
		if d.flusher != nil {
			_ = d.flusher.Close()
		}
		if d.lock != nil {
			d.lock.Close()
		}
	}
}

// Close is a clean stop: every log flushed and closed, checkpoints, then the clean shutdown marker of each directory
// in which all of that went well (L5). Stop Run first.
func (s *Store) Close() error {
	s.RemoveDue()
	bad := map[*Dir]bool{}
	var errs []error
	var changed []*Log
	for _, l := range s.All() {
		if _, damaged := asCorrupt(l.Err()); damaged {
			bad[l.dir] = true // the next start must look at it again
		} else if l.Err() == nil && l.prepareClose() {
			changed = append(changed, l)
		}
	}
	errs = append(errs, s.flushAll(changed, true)...)
	for _, l := range s.All() {
		l.closeFiles(errClosed)
	}
	for _, d := range s.dirs {
		if !d.Online() {
			errs = append(errs, d.Err())
			continue
		}
		err := d.writeAll()
		if err == nil && !bad[d] {
			err = vfs.WriteFileAtomic(s.o.FS, path.Join(d.path, cleanShutdownName), encodeCleanShutdown(s.o.BrokerEpoch()), true)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	s.unlock()
	return errors.Join(errs...)
}
