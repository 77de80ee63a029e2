package quorum

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// leader appends and serves fetches. It knows how far each replica has fetched, hence what a majority holds.
type leader struct {
	granting   []int32   // the voters that elected it
	epochStart int64     // offset of the epoch's first batch
	replicas   []replica // voters and observers, sorted by key
	synced     int64     // own log end on disk
	beginAt    time.Time // next round of BeginQuorumEpoch
	checkAt    time.Time // then a majority must have fetched (rule 9)
	fetchedBy  []int32   // voters that did since the last check
}

// replica is the leader's knowledge of one other node.
type replica struct {
	key        ReplicaKey
	end        int64     // its next fetch offset: all below is on its disk; -1 unknown
	fetchedAt  time.Time // zero: not in this epoch
	caughtUpAt time.Time // when it last held everything that there was
	leaderEnd  int64     // our log end at its last fetch
}

const observerSession = 5 * time.Minute // an observer that is silent for so long is forgotten, as in Kafka

func newLeader(granting []int32) *leader { return &leader{granting: slices.Clone(granting)} }

func (l *leader) name() string { return "leader" }

func (l *leader) enter(c *Core) {
	c.elect(ElectionState{Epoch: c.state.Epoch, LeaderID: c.cfg.Self.ID, Voted: nobody})
	c.endpoints = c.cfg.Endpoints
	l.epochStart = c.log.End
	l.checkAt = c.now.Add(l.checkEvery(c))
	l.beginAt = c.now
	slices.Sort(l.granting)
	if b := c.epochBatch(l); b != nil {
		c.appendAsLeader(b)
	}
	l.advance(c)
}

func (l *leader) checkEvery(c *Core) time.Duration { return c.cfg.Timeouts.Fetch * 3 / 2 }

func (l *leader) tick(c *Core) {
	if len(c.voters()) > 1 && !c.bugs.has(bugNoCheckQuorum) {
		if !c.now.Before(l.checkAt) {
			c.logf("no majority has fetched for %v", l.checkEvery(c))
			c.become(&resigned{successors: l.successors()})
			return
		}
		c.wakeAt(l.checkAt)
	}
	if c.stopping {
		return
	}
	if every := c.cfg.Timeouts.Fetch / 2; !c.now.Before(l.beginAt) {
		for _, v := range c.voters() {
			if v.ID == c.cfg.Self.ID {
				continue
			}
			if r := l.find(v.Key()); r == nil || r.fetchedAt.IsZero() || c.now.Sub(r.fetchedAt) >= every {
				c.sendToVoter(v, func() request { return c.beginQuorumEpoch(v) })
			}
		}
		l.beginAt = c.now.Add(every)
		l.forgetSilent(c)
	}
	if len(c.voters()) > 1 {
		c.wakeAt(l.beginAt)
	}
}

func (l *leader) grants(*Core, ReplicaKey, bool, bool) bool { return false }

// propose appends what was proposed for this epoch.
func (c *Core) propose(ps []Proposal) {
	l, leads := c.role.(*leader)
	for _, p := range ps {
		if !leads || c.stopping || p.Epoch != c.state.Epoch {
			c.out.Proposed = append(c.out.Proposed, Proposed{Err: kerr.NotController})
			continue
		}
		p.Batch.SetBaseOffset(c.log.End)
		p.Batch.SetPartitionLeaderEpoch(c.state.Epoch)
		c.appendAsLeader(p.Batch)
		c.out.Proposed = append(c.out.Proposed, Proposed{LastOffset: c.log.End - 1})
	}
	if leads {
		l.advance(c)
	}
}

// appendAsLeader adds one batch; neighbours join into one write.
func (c *Core) appendAsLeader(b []byte) {
	if n := len(c.out.Writes); n > 0 && c.out.Writes[n-1].Kind == AppendBatches {
		w := &c.out.Writes[n-1]
		w.Bytes = append(w.Bytes, b...) // the batch is ours, with whatever room lies behind it
	} else {
		c.write(Write{Kind: AppendBatches, Bytes: b})
	}
	if err := c.noteBatch(b); err != nil {
		panic(fmt.Sprintf("quorum: own control batch at %d: %v", c.log.End, err))
	}
	c.unsynced = true
}

// find gives what is known of a replica, nil for nothing.
func (l *leader) find(k ReplicaKey) *replica {
	for i := range l.replicas {
		if l.replicas[i].key == k || k.DirectoryID.IsZero() && l.replicas[i].key.ID == k.ID {
			return &l.replicas[i]
		}
	}
	return nil
}

// fetchedFrom notes a Fetch: everything below offset is on that replica's disk.
func (l *leader) fetchedFrom(c *Core, k ReplicaKey, offset int64) {
	if k.ID < 0 || k.ID == c.cfg.Self.ID {
		return
	}
	at, found := slices.BinarySearchFunc(l.replicas, k, func(r replica, k ReplicaKey) int { return r.key.compare(k) })
	if !found {
		l.replicas = slices.Insert(l.replicas, at, replica{key: k, end: -1})
	}
	r := &l.replicas[at]
	if offset >= c.log.End {
		r.caughtUpAt = c.now
	} else if r.leaderEnd > 0 && offset >= r.leaderEnd && r.fetchedAt.After(r.caughtUpAt) {
		r.caughtUpAt = r.fetchedAt
	}
	r.leaderEnd, r.fetchedAt, r.end = c.log.End, c.now, offset
	l.follows(c, k)
	l.advance(c)
}

// follows counts a voter for the check of the majority.
func (l *leader) follows(c *Core, k ReplicaKey) {
	if !c.voters().has(k) || contains(l.fetchedBy, k.ID) {
		return
	}
	l.fetchedBy = append(l.fetchedBy, k.ID)
	needed := len(c.voters())/2 + 1
	if c.isVoter() {
		needed--
	}
	if len(l.fetchedBy) >= needed {
		l.fetchedBy = l.fetchedBy[:0]
		l.checkAt = c.now.Add(l.checkEvery(c))
	}
}

// advance moves the high watermark to what a majority of the voters hold (rule 3): the leader's own log counts, for it
// is on disk before anything of this Step is seen. What older epochs left counts only once a batch of this epoch does.
func (l *leader) advance(c *Core) {
	l.synced = c.log.End
	var ends []int64
	for _, v := range c.voters() {
		end := int64(-1)
		if v.Key().covers(c.cfg.Self) {
			end = l.synced
		} else if r := l.find(v.Key()); r != nil {
			end = r.end
		}
		ends = append(ends, end)
	}
	if len(ends) == 0 {
		return
	}
	slices.Sort(ends)
	held := ends[(len(ends)-1)/2] // of n voters, n/2+1 hold at least this
	if held <= l.epochStart && !c.bugs.has(bugOldEpochCommits) {
		return
	}
	l.commit(c, held)
}

func (l *leader) commit(c *Core, hw int64) {
	if c.raiseHighWatermark(hw) {
		c.tracef("high watermark %d", c.hw)
		c.serveParked(true)
	} else {
		c.serveParked(false)
	}
}

// shown is the high watermark that an answer may name: none before this epoch has committed (rule 3).
func (l *leader) shown(c *Core) int64 {
	if c.hw <= l.epochStart && !c.bugs.has(bugOldEpochCommits) {
		return -1
	}
	return c.hw
}

// forgetSilent drops observers that have not fetched for long.
func (l *leader) forgetSilent(c *Core) {
	l.replicas = slices.DeleteFunc(l.replicas, func(r replica) bool {
		return !c.voters().has(r.key) && c.now.Sub(r.fetchedAt) >= observerSession
	})
}

// successors are the other voters, the longest log first.
func (l *leader) successors() []ReplicaKey {
	rs := slices.Clone(l.replicas)
	slices.SortStableFunc(rs, func(a, b replica) int { return int(b.end - a.end) })
	var keys []ReplicaKey
	for _, r := range rs {
		keys = append(keys, r.key)
	}
	return keys
}
