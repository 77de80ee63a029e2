package quorum

import "time"

// candidate has raised the epoch and given itself its vote, on disk, before it asks anybody.
type candidate struct {
	votes    election
	deadline time.Time
}

func (d *candidate) name() string { return "candidate" }

// toCandidate raises the epoch.
func (c *Core) toCandidate() {
	c.elect(ElectionState{Epoch: c.state.Epoch + 1, LeaderID: -1, Voted: c.cfg.Self})
	c.endpoints = nil
	c.become(&candidate{})
}

func (d *candidate) enter(c *Core) {
	d.deadline = c.now.Add(c.electionTimeout())
	d.votes = election{voters: c.voters()}
	d.votes.record(c.cfg.Self.ID, true)
	if d.votes.won() { // the only voter
		c.become(newLeader(d.votes.granted))
	}
}

func (d *candidate) tick(c *Core) {
	if !c.stopping && !c.now.Before(d.deadline) {
		c.become(&prospective{})
		return
	}
	c.wakeAt(d.deadline)
	c.sendVotes(&d.votes, false)
}

func (d *candidate) grants(*Core, ReplicaKey, bool, bool) bool { return false }
