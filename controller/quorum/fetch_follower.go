package quorum

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/protocol/record"
)

// fetchRequest asks for what comes after the local log. For a voter it also says that all below is on its disk.
func (c *Core) fetchRequest() request {
	req := kmsg.NewPtrFetchRequest()
	req.SetVersion(req.MaxVersion())
	req.ClusterID = &c.cfg.ClusterID
	req.ReplicaState.ID = c.cfg.Self.ID
	req.MaxWaitMillis = int32(c.cfg.Timeouts.FetchMaxWait.Milliseconds())
	req.MaxBytes = c.cfg.FetchBytes
	req.SessionEpoch = -1
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.CurrentLeaderEpoch, p.ReplicaDirectoryID = Partition, c.state.Epoch, c.cfg.Self.DirectoryID
	p.FetchOffset, p.LastFetchedEpoch, p.HighWatermark = c.log.End, c.log.lastEpoch(), c.hw
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID, t.Partitions = TopicName, TopicID, []kmsg.FetchRequestTopicPartition{p}
	req.Topics = []kmsg.FetchRequestTopic{t}
	return req
}

// onFetchAnswer appends, cuts, or starts to fetch a snapshot.
func (c *Core) onFetchAnswer(resp *kmsg.FetchResponse) bool {
	if resp.ErrorCode != 0 || len(resp.Topics) != 1 || resp.Topics[0].TopicID != TopicID ||
		len(resp.Topics[0].Partitions) != 1 || resp.Topics[0].Partitions[0].Partition != Partition {
		return false
	}
	p := &resp.Topics[0].Partitions[0]
	h := heard{code: p.ErrorCode, leaderID: p.CurrentLeader.LeaderID, epoch: p.CurrentLeader.LeaderEpoch}
	for _, e := range resp.Brokers {
		if e.NodeID == h.leaderID {
			h.endpoints = []Endpoint{{c.cfg.Listener, e.Host, uint16(e.Port)}}
		}
	}
	before := c.role
	if v := c.common(h); v != goOn {
		return v == done && c.role != before // else it knew nothing new: ask again later
	}
	f, ok := c.role.(*follower)
	if !ok || p.ErrorCode != 0 {
		return false
	}
	switch {
	case p.DivergingEpoch.Epoch >= 0:
		c.cut(p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset)
	case p.SnapshotID.Epoch >= 0 || p.SnapshotID.EndOffset >= 0:
		if p.SnapshotID.Epoch < 0 || p.SnapshotID.EndOffset < 0 {
			return false
		}
		f.dropSnapshot(c)
		if id := (SnapshotID{p.SnapshotID.EndOffset, p.SnapshotID.Epoch}); !c.log.hasSnapshot(id) {
			f.snapshot, f.position = &id, 0
			c.logf("fetching snapshot %s from %d", id, c.state.LeaderID)
		} else if id.EndOffset > c.log.End {
			// It is here already, but the log is behind it: a crash came between its rename and the cut.
			f.loading = true
			c.write(Write{Kind: InstallSnapshot, Snapshot: id})
		}
	default:
		c.appendFetched(p.RecordBatches)
		if p.HighWatermark >= 0 && c.raiseHighWatermark(min(p.HighWatermark, c.log.End)) {
			c.tracef("high watermark %d", c.hw)
		}
	}
	f.heardFromLeader(c)
	return true
}

// cut follows the leader's word that our last epoch ends elsewhere (rule 5). What is committed is never cut.
func (c *Core) cut(epoch int32, end int64) {
	at := c.log.cutFor(epoch, end)
	if c.bugs.has(bugCutTooLittle) {
		at = min(end, c.log.End)
	}
	if at < c.hw {
		panic(fmt.Sprintf("quorum: leader %d of epoch %d asks to cut the log at %d, below the high watermark %d",
			c.state.LeaderID, c.state.Epoch, at, c.hw))
	}
	if at < c.log.Start {
		// The next answer names a snapshot, which replaces the log as a whole.
		at = c.log.Start
	}
	if at >= c.log.End {
		return
	}
	c.logf("cutting the log at %d: leader %d ends epoch %d at %d", at, c.state.LeaderID, epoch, end)
	c.write(Write{Kind: TruncateLog, Offset: at})
	c.log.truncateTo(at)
	c.history.truncateTo(at)
}

// appendFetched takes the whole batches that continue the log. A batch that the fetch limit cut off is left out: it
// comes again. Whatever does not continue the log ends the answer.
func (c *Core) appendFetched(b []byte) {
	first := b
	for taken := 0; ; {
		batch, rest, err := record.Next(b)
		if errors.Is(err, record.ErrShort) && c.bugs.has(bugTornBatch) && len(b) >= record.HeaderSize {
			batch, rest, err = record.Batch(b), nil, nil
		}
		switch {
		case errors.Is(err, record.ErrShort):
		case err != nil:
			c.logf("fetched bytes after offset %d are no batch: %v", c.log.End, err)
		case batch.BaseOffset() != c.log.End && !c.bugs.has(bugAnyAnswerCounts):
			c.logf("fetched batch starts at %d, the log ends at %d", batch.BaseOffset(), c.log.End)
		case batch.PartitionLeaderEpoch() < c.log.lastEpoch() || batch.PartitionLeaderEpoch() > c.state.Epoch:
			c.logf("fetched batch at %d is of epoch %d, the log of %d, the quorum of %d", batch.BaseOffset(),
				batch.PartitionLeaderEpoch(), c.log.lastEpoch(), c.state.Epoch)
		case !batch.VerifyCRC() && !c.bugs.has(bugTornBatch):
			c.logf("fetched batch at %d fails its checksum", batch.BaseOffset())
		default:
			if err := c.noteBatch(batch); err != nil {
				c.logf("fetched control batch at %d: %v", batch.BaseOffset(), err)
				break
			}
			taken += len(batch)
			b = rest
			if len(b) > 0 {
				continue
			}
		}
		if taken > 0 {
			c.write(Write{Kind: AppendBatches, Bytes: first[:taken]})
			c.unsynced = true
		}
		return
	}
}

// noteBatch moves the view of the log over one batch to be appended and reads the membership in it. Nothing changes
// when a control record cannot be read: this code must not go on in a log whose membership it does not understand.
func (c *Core) noteBatch(b record.Batch) error {
	var ms []Membership
	if b.IsControl() {
		var err error
		if ms, err = membershipIn(b); err != nil {
			return err
		}
	}
	c.log.assign(b.PartitionLeaderEpoch())
	c.log.End = b.NextOffset()
	for _, m := range ms {
		c.history.add(m)
	}
	return nil
}

// snapshotRequest asks for the next bytes of a snapshot.
func (c *Core) snapshotRequest(id SnapshotID, position int64) request {
	req := kmsg.NewPtrFetchSnapshotRequest()
	req.SetVersion(req.MaxVersion())
	req.ClusterID = &c.cfg.ClusterID
	req.ReplicaID = c.cfg.Self.ID
	req.MaxBytes = c.cfg.ChunkBytes
	p := kmsg.NewFetchSnapshotRequestTopicPartition()
	p.Partition, p.CurrentLeaderEpoch, p.Position, p.ReplicaDirectoryID = Partition, c.state.Epoch, position, c.cfg.Self.DirectoryID
	p.SnapshotID.EndOffset, p.SnapshotID.Epoch = id.EndOffset, id.Epoch
	t := kmsg.NewFetchSnapshotRequestTopic()
	t.Topic, t.Partitions = TopicName, []kmsg.FetchSnapshotRequestTopicPartition{p}
	req.Topics = []kmsg.FetchSnapshotRequestTopic{t}
	return req
}

// onSnapshotAnswer takes the next bytes of a snapshot; with the last ones it replaces the log.
func (c *Core) onSnapshotAnswer(resp *kmsg.FetchSnapshotResponse) bool {
	if resp.ErrorCode != 0 || len(resp.Topics) != 1 || resp.Topics[0].Topic != TopicName ||
		len(resp.Topics[0].Partitions) != 1 || resp.Topics[0].Partitions[0].Partition != Partition {
		return false
	}
	p := &resp.Topics[0].Partitions[0]
	h := heard{code: p.ErrorCode, leaderID: p.CurrentLeader.LeaderID, epoch: p.CurrentLeader.LeaderEpoch}
	for _, e := range resp.NodeEndpoints {
		if e.NodeID == h.leaderID {
			h.endpoints = []Endpoint{{c.cfg.Listener, e.Host, e.Port}}
		}
	}
	if v := c.common(h); v != goOn {
		return v == done
	}
	f, ok := c.role.(*follower)
	if !ok || f.snapshot == nil {
		return false
	}
	if p.ErrorCode == kerr.SnapshotNotFound.Code || p.SnapshotID.EndOffset < 0 || p.SnapshotID.Epoch < 0 {
		f.dropSnapshot(c) // deleted meanwhile; the next Fetch names a newer one
		f.heardFromLeader(c)
		return true
	}
	id := SnapshotID{p.SnapshotID.EndOffset, p.SnapshotID.Epoch}
	if p.ErrorCode != 0 || id != *f.snapshot || p.Position != f.position || p.Position+int64(len(p.Bytes)) > p.Size ||
		(len(p.Bytes) == 0 && p.Position < p.Size) {
		c.logf("bytes of snapshot %s at %d do not continue %s at %d", id, p.Position, *f.snapshot, f.position)
		f.dropSnapshot(c)
		return false
	}
	c.write(Write{Kind: SnapshotChunk, Snapshot: id, Offset: f.position, Bytes: p.Bytes})
	f.position += int64(len(p.Bytes))
	if f.position == p.Size {
		f.loading, f.snapshot = true, nil
		c.write(Write{Kind: InstallSnapshot, Snapshot: id})
	}
	f.heardFromLeader(c)
	return true
}

// snapshotInstalled: the log is empty behind the snapshot. All in it was committed.
func (c *Core) snapshotInstalled(ev SnapshotInstalled) {
	if f, ok := c.role.(*follower); ok {
		f.loading = false
		f.heardFromLeader(c)
	}
	c.log.startAt(ev.ID)
	c.history.reset()
	c.history.add(ev.Membership)
	c.unsynced = false
	c.raiseHighWatermark(ev.ID.EndOffset)
	c.logf("loaded snapshot %s", ev.ID)
}
