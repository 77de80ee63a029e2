package quorum

import "time"

// follower fetches from a known leader. A voter whose fetches do not succeed for the fetch timeout becomes
// prospective; an observer goes on and looks for the leader among the bootstrap servers too.
type follower struct {
	deadline time.Time   // of the fetch timeout
	fetched  bool        // the leader has answered at least once: no more pre-votes for others (KIP-996)
	snapshot *SnapshotID // being fetched, nil for none
	position int64       // bytes of it on disk
	loading  bool        // it is complete; the node is reading it
}

func (f *follower) name() string { return "follower" }

func (f *follower) enter(c *Core) { f.deadline = c.now.Add(c.cfg.Timeouts.Fetch) }

func (f *follower) tick(c *Core) {
	if c.stopping || f.loading {
		return
	}
	if c.isVoter() {
		if !c.now.Before(f.deadline) {
			c.become(&prospective{})
			return
		}
		c.wakeAt(f.deadline)
	}
	leader, ok := addressOf(c.endpoints, c.cfg.Listener)
	x := c.links.to(c.state.LeaderID)
	timedOut := x.busy && !c.now.Before(x.sent.Add(c.cfg.Timeouts.Request))
	if timedOut {
		x.busy = false
	}
	if ready, _ := x.ready(c.now, c.cfg.Timeouts); !ok || timedOut || (!ready && !x.busy) {
		c.fetchFromAnyone()
		c.wakeAt(c.now.Add(c.cfg.Timeouts.RetryBackoff))
		return
	}
	if busy, until := c.links.anyBusy(c.now, c.cfg.Timeouts); busy {
		c.wakeAt(until)
		return
	}
	c.sendTo(c.state.LeaderID, leader, func() request {
		if f.snapshot != nil {
			return c.snapshotRequest(*f.snapshot, f.position)
		}
		return c.fetchRequest()
	})
}

// heardFromLeader restarts the fetch timeout.
func (f *follower) heardFromLeader(c *Core) {
	f.deadline = c.now.Add(c.cfg.Timeouts.Fetch)
	f.fetched = true
}

// leaderGone: the connection to a leader that had answered broke (rule 9). A voter stands within a tenth of the
// election timeout. A leader that never answered may still be starting: the fetch timeout runs on.
func (f *follower) leaderGone(c *Core) {
	if soon := c.now.Add(time.Duration(c.rng.Int64N(int64(c.cfg.Timeouts.Election/10) + 1))); f.fetched && soon.Before(f.deadline) {
		c.logf("the connection to leader %d broke", c.state.LeaderID)
		f.deadline = soon
	}
}

func (f *follower) dropSnapshot(c *Core) {
	if f.snapshot != nil {
		c.write(Write{Kind: DropSnapshot, Snapshot: *f.snapshot})
		f.snapshot, f.position = nil, 0
	}
}

func (f *follower) grants(c *Core, to ReplicaKey, upToDate, preVote bool) bool {
	if c.bugs.has(bugLeaderIsNoVote) && !preVote {
		return grantsWithoutLeader(c, to, upToDate, preVote)
	}
	return preVote && !f.fetched && upToDate
}
