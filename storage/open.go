package storage

import (
	"fmt"
	"math/rand/v2"
	"path"

	"github.com/dohle-io/dohle/protocol/compress"
)

// OpenLog opens one partition directory on its own, without the checkpoints of a log directory: what they would say
// stands in o. The quorum's log is opened so. There is no background work; the caller flushes. The directory is made
// at the first append.
func OpenLog(o LogOptions) (*Log, error) {
	if o.MaxOpenFiles == 0 {
		o.MaxOpenFiles = 64
	}
	if o.Rand == nil {
		o.Rand = rand.New(rand.NewPCG(1, 2))
	}
	if o.Codecs == nil {
		o.Codecs = compress.NewCodecs()
	}
	o.Dir = path.Clean(o.Dir)
	e := &env{files: newFileCache(o.FS, o.MaxOpenFiles), clocks: o.Clocks, logger: o.Log, codecs: o.Codecs, rand: o.Rand}
	l := &Log{env: e, tp: o.Partition, name: o.Partition.String(), dir: newDir(nil, path.Dir(o.Dir))}
	l.path.Store(&o.Dir)
	l.cfg.Store(&o.Config)
	if err := l.load(loadState{recoveryPoint: o.RecoveryPoint, logStart: o.LogStart, highWatermark: 0, clean: o.Clean}); err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Dir, err)
	}
	if have := l.TopicID(); have.IsZero() && !o.TopicID.IsZero() {
		if err := l.SetTopicID(o.TopicID); err != nil {
			return nil, err
		}
	} else if !o.TopicID.IsZero() && have != o.TopicID {
		return nil, fmt.Errorf("open %s: it holds topic id %s, not %s", o.Dir, have, o.TopicID)
	}
	return l, nil
}
