package coordinator

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

// maxDecompressed bounds what one batch of an internal topic may grow to.
const maxDecompressed = 1 << 30

// minLoadBuffer is the least that a load reads at a time; a short log does not need the whole buffer.
const minLoadBuffer = 64 << 10

// load replays the whole log into a fresh machine and makes the shard active. What images say meanwhile follows.
func (s *Shards[M]) load(ctx context.Context, sh *shard[M]) {
	began := s.o.Clocks.Real.Now()
	s.mu.Lock()
	img := s.image
	current := s.shards[sh.partition] == sh
	s.mu.Unlock()
	if !current {
		return
	}
	l := loader[M]{machine: s.o.New(sh.partition, img), image: img.Offset, log: sh.log, codecs: s.o.Codecs, at: sh.log.Start(), size: s.o.LoadBuffer}
	defer l.records.Close()
	err := l.run(ctx)
	if err == nil {
		err = sh.activate(&l)
	}
	log := s.o.Log.With().Int32("partition", sh.partition).Int32("epoch", sh.epoch).Logger()
	switch {
	case ctx.Err() != nil:
	case err != nil && failed(clientError(err)):
		log.Info().Err(err).Msg("coordinator was not loaded: the leadership ended")
		sh.resign()
	case err != nil: // the partition stays without a coordinator, and its clients are told so
		log.Error().Err(err).Int64("offset", l.at).Msg("coordinator can't be loaded")
		sh.resign()
	default:
		log.Debug().Int("records", l.count).Dur("took", s.o.Clocks.Real.Now().Sub(began)).Msg("coordinator loaded")
	}
}

// loader reads one log from its start.
type loader[M Machine] struct {
	machine M
	image   int64 // offset of the image that the machine was made with
	log     Log
	codecs  *compress.Codecs
	at      int64 // next offset
	count   int
	size    int
	buf     []byte
	records record.Reader
}

func (l *loader[M]) run(ctx context.Context) error {
	for l.at < l.log.End() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if l.buf == nil {
			l.buf = make([]byte, min(int64(l.size), max(minLoadBuffer, l.log.Bytes())))
		}
		read, err := l.log.Read(l.at, l.buf)
		if errors.Is(err, kerr.OffsetOutOfRange) && l.at < l.log.Start() { // the log start moved meanwhile
			l.at = l.log.Start()
			continue
		}
		if err != nil {
			return err
		}
		if len(read) == 0 {
			l.at = l.log.End()
			return nil
		}
		if err := l.replay(read); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader[M]) replay(batches []byte) error {
	for len(batches) > 0 {
		b, rest, err := record.Next(batches)
		if err != nil {
			return err
		}
		batches = rest
		if err := l.batch(b); err != nil {
			return fmt.Errorf("batch at offset %d: %w", b.BaseOffset(), err)
		}
		l.at = max(l.at, b.NextOffset())
	}
	return nil
}

func (l *loader[M]) batch(b record.Batch) error {
	at := Position{ProducerID: b.ProducerID(), ProducerEpoch: b.ProducerEpoch(), Transactional: b.IsTransactional()}
	l.records.Reset(b, l.codecs, maxDecompressed)
	for l.records.Next() {
		rec := l.records.Record()
		if rec.Offset < l.at {
			continue
		}
		at.Offset, at.Timestamp = rec.Offset, rec.Timestamp
		l.count++
		if b.IsControl() {
			t, err := record.ParseControlKey(rec.Key)
			if err != nil {
				return err
			}
			if t == record.ControlCommit || t == record.ControlAbort {
				l.machine.EndTransaction(at.ProducerID, t == record.ControlCommit, at)
			}
			continue
		}
		if err := l.machine.Replay(Record{rec.Key, rec.Value}, at); err != nil {
			return fmt.Errorf("record at offset %d: %w", rec.Offset, err)
		}
	}
	return l.records.Err()
}

// activate replays what came behind the load, and lets the shard serve.
func (sh *shard[M]) activate(l *loader[M]) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.state != loading {
		return kerr.NotCoordinator
	}
	if err := l.run(context.Background()); err != nil {
		return err
	}
	sh.machine, sh.state, sh.applied = l.machine, active, l.at
	now := sh.all.o.Clocks.Broker.Now()
	sh.applyLocked(Turn{Now: now}, sh.machine.Loaded(now))
	sh.seen = l.image
	missed := sh.missed
	sh.missed = nil
	for _, c := range missed {
		sh.newImageLocked(c)
	}
	return nil
}
