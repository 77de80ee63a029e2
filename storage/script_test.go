package storage

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

// TestScripts plays testdata/scripts/*.txt: one log, and what happens to it. Commands:
//
//	open                                      start the broker's store on the disk as it is
//	append [n=1] [size=100] [ts=MS] [step=MS] [times=1] [pid= epoch= seq=] [txn] [codec=] [leader-epoch=0] [follower at=OFFSET]
//	marker pid= [epoch=0] [abort]
//	roll | flush | checkpoints | close        close is a clean stop
//	hw to=  | start to= | truncate to= | restart-at to= | delete
//	config [segment-bytes=] [segment-ms=] [retention-ms=] [retention-bytes=] [flush-messages=]
//	advance by=DURATION                       the broker's clock
//	retention | remove                        what the keeper does
//	kill                                      the process dies
//	power-cut seed=                           and everything that was not synced is lost, in part
//	fail op=write|sync|rename nth=1 file=     the nth such operation from now on fails
//	damage file= at= | cut file= at= | remove-file file=
//	read from= [max=] [end=] | time of= | state | producers | epochs | ls | cat file=
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		w := &script{t: t, disk: vfs.NewMem()}
		w.fault = vfs.NewFault(w.disk)
		w.bed = newBed(t, w.fault)
		w.bed.cfg.SegmentBytes = 1000
		w.bed.logs = &w.trace
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			w.trace.Reset()
			out, err := w.run(d)
			if err != nil {
				out += "error: " + errorText(err) + "\n"
			}
			return w.logLines() + out
		})
	})
}

type script struct {
	t     *testing.T
	disk  *vfs.Mem
	fault *vfs.Fault
	bed   *bed
	log   *Log
	trace bytes.Buffer
}

// errorText shortens Kafka's sentences to their names.
func errorText(err error) string {
	var k *kerr.Error
	s := err.Error()
	if errors.As(err, &k) {
		s = strings.ReplaceAll(s, k.Error(), k.Message)
	}
	return s
}

// logLines are the messages of the log, without their fields but the telling ones.
func (w *script) logLines() (out string) {
	for line := range strings.Lines(w.trace.String()) {
		msg := between(line, `"message":"`, `"`)
		if reason := between(line, `"reason":"`, `"`); reason != "" {
			msg += " (" + reason + ")"
		}
		out += "log: " + msg + "\n"
	}
	return out
}

func between(s, before, after string) string {
	_, s, ok := strings.Cut(s, before)
	if !ok {
		return ""
	}
	s, _, _ = strings.Cut(s, after)
	return s
}

func (w *script) run(d *datadriven.TestData) (string, error) {
	num := func(key string, def int64) int64 {
		v := def
		d.MaybeScanArgs(w.t, key, &v)
		return v
	}
	text := func(key string) (v string) {
		d.MaybeScanArgs(w.t, key, &v)
		return v
	}
	file := "/data/t-0/" + text("file")
	switch d.Cmd {
	case "open":
		if err := w.bed.tryOpen(); err != nil {
			return "", err
		}
		if l, ok := w.bed.store.Log(tp0); ok {
			w.log = l
		} else {
			l, err := w.bed.store.Create(tp0, testTopicID, w.bed.cfg, nil)
			if err != nil {
				return "", err
			}
			w.log = l
		}
		if err := w.log.Err(); err != nil {
			return "", err
		}
		return w.state(), nil
	case "append":
		return w.append(d, num)
	case "marker":
		b := markerBatch(num("pid", 0), int16(num("epoch", 0)), !d.HasArg("abort"), 0, w.bed.clock.now.UnixMilli())
		info, err := w.log.AppendAsLeader(b, 0, AppendOptions{Origin: record.Coordinator})
		return fmt.Sprintf("marker at %d\n", info.FirstOffset), err
	case "roll":
		return w.state(), w.log.Roll()
	case "flush":
		err := w.bed.store.FlushDirty()
		return fmt.Sprintf("recovery point %d\n", w.log.RecoveryPoint()), err
	case "checkpoints":
		return "", w.bed.store.WriteCheckpoints()
	case "close":
		return "", w.bed.store.Close()
	case "hw":
		w.log.UpdateHighWatermark(num("to", 0))
		return fmt.Sprintf("high watermark %d, last stable %d\n", w.log.HighWatermark(), w.log.LastStableOffset()), nil
	case "start":
		err := w.log.IncrementLogStartOffset(num("to", 0))
		return w.state(), err
	case "truncate":
		err := w.log.TruncateTo(num("to", 0))
		return w.state(), err
	case "restart-at":
		err := w.log.TruncateFullyAndStartAt(num("to", 0))
		return w.state(), err
	case "delete":
		return "", w.bed.store.Delete(tp0)
	case "config":
		c := w.bed.cfg
		c.SegmentBytes = int32(num("segment-bytes", int64(c.SegmentBytes)))
		c.SegmentMs = num("segment-ms", c.SegmentMs)
		c.RetentionMs = num("retention-ms", c.RetentionMs)
		c.RetentionBytes = num("retention-bytes", c.RetentionBytes)
		c.FlushMessages = num("flush-messages", c.FlushMessages)
		w.bed.cfg = c
		if w.log != nil {
			w.log.SetConfig(c)
		}
		return "", nil
	case "advance":
		by, err := time.ParseDuration(text("by"))
		w.bed.clock.now = w.bed.clock.now.Add(by)
		return "", err
	case "retention":
		n, err := w.log.DeleteOldSegments()
		return fmt.Sprintf("%d segments deleted\n", n) + w.state(), err
	case "remove":
		w.bed.store.RemoveDue()
		return "", nil
	case "kill", "power-cut":
		if d.Cmd == "kill" {
			w.disk = w.disk.Clone()
		} else {
			w.disk = w.disk.CrashClone(newRand(uint64(num("seed", 1))))
		}
		w.fault = vfs.NewFault(w.disk)
		w.bed.fs, w.bed.store, w.log = w.fault, nil, nil
		return "", nil
	case "fail":
		kind := map[string]vfs.Kind{"write": vfs.KindWrite, "sync": vfs.KindSync, "rename": vfs.KindRename}[text("op")]
		w.fault.Fail(vfs.Rule{Kinds: kind, Pattern: text("file"), Nth: int(num("nth", 1))})
		return "", nil
	case "damage", "cut":
		f, err := w.disk.OpenFile(file, 2, 0)
		if err != nil {
			return "", err
		}
		if d.Cmd == "cut" {
			return "", f.Truncate(num("at", 0))
		}
		_, err = f.WriteAt([]byte{0xde, 0xad}, num("at", 0))
		return "", err
	case "remove-file":
		return "", w.disk.Remove(file)
	case "read":
		s, err := w.log.Read(num("from", 0), int(num("max", 1<<20)), num("end", w.log.LogEndOffset()), true)
		if err != nil || s.Len() == 0 {
			return "nothing\n", err
		}
		defer s.Release()
		b := make([]byte, s.Len())
		if _, err := s.ReadAt(b, 0); err != nil {
			return "", err
		}
		var out strings.Builder
		for len(b) > 0 {
			batch, rest, err := record.Next(b)
			if err != nil {
				return out.String(), err
			}
			fmt.Fprintf(&out, "%d-%d epoch %d, %d bytes\n", batch.BaseOffset(), batch.LastOffset(), batch.PartitionLeaderEpoch(), len(batch))
			b = rest
		}
		return out.String(), nil
	case "time":
		offset, ts, epoch, found, err := w.log.OffsetForTimestamp(num("of", 0))
		return fmt.Sprintf("offset %d, timestamp %d, epoch %d, %v\n", offset, ts, epoch, found), err
	case "state":
		return w.state(), nil
	case "producers":
		var out strings.Builder
		for _, p := range w.log.ActiveProducers() {
			fmt.Fprintf(&out, "%+v\n", p)
		}
		aborted, err := w.log.AbortedTransactions(0, w.log.LogEndOffset())
		fmt.Fprintf(&out, "aborted %+v\n", aborted)
		return out.String(), err
	case "epochs":
		return fmt.Sprintf("%+v\n", w.log.epochs.list), nil
	case "ls":
		var out strings.Builder
		entries, err := w.disk.ReadDir("/data/t-0")
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&out, "%6d %s\n", info.Size(), e.Name())
		}
		return out.String(), err
	case "cat":
		b, err := vfs.ReadFile(w.disk, "/data/"+text("file"), 1<<20)
		return strings.TrimSuffix(string(b), "\n") + "\n", err
	}
	return "", fmt.Errorf("unknown command %s", d.Cmd)
}

func (w *script) append(d *datadriven.TestData, num func(string, int64) int64) (string, error) {
	var out strings.Builder
	seq := int32(num("seq", 0))
	n := int(num("n", 1))
	ts := num("ts", w.bed.clock.now.UnixMilli())
	for range num("times", 1) {
		b := batchOf(n, int(num("size", 100)), ts, func(o *record.Options) {
			if d.HasArg("pid") {
				o.ProducerID, o.ProducerEpoch, o.BaseSequence = num("pid", 0), int16(num("epoch", 0)), seq
			}
			o.Transactional = d.HasArg("txn")
			var name string
			if d.MaybeScanArgs(w.t, "codec", &name) {
				o.Codec, _ = compress.ParseCodec(name)
			}
		})
		seq += int32(n)
		ts += num("step", 0)
		var info AppendInfo
		var err error
		if d.HasArg("follower") {
			record.Batch(b).SetBaseOffset(num("at", 0))
			record.Batch(b).SetPartitionLeaderEpoch(int32(num("leader-epoch", 0)))
			info, err = w.log.AppendAsFollower(b)
		} else {
			info, err = w.log.AppendAsLeader(b, int32(num("leader-epoch", 0)), AppendOptions{})
		}
		if err != nil {
			return out.String(), err
		}
		what := "appended"
		if info.Duplicate {
			what = "duplicate of"
		}
		fmt.Fprintf(&out, "%s %d-%d\n", what, info.FirstOffset, info.LastOffset)
	}
	return out.String(), nil
}

func (w *script) state() string {
	var bases []string
	for _, seg := range w.log.segments() {
		bases = append(bases, fmt.Sprint(seg.base))
	}
	return fmt.Sprintf("start %d, recovery point %d, hw %d, lso %d, end %d; segments %s\n", w.log.LogStartOffset(), w.log.RecoveryPoint(),
		w.log.HighWatermark(), w.log.LastStableOffset(), w.log.LogEndOffset(), strings.Join(bases, " "))
}
