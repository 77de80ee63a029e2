package quorum

import "time"

// prospective asks whether it would be elected, without raising the epoch (KIP-996): a voter that lost its network
// comes back without deposing anybody.
type prospective struct {
	votes    election
	deadline time.Time
}

func (p *prospective) name() string { return "prospective" }

func (p *prospective) enter(c *Core) {
	p.deadline = c.now.Add(c.electionTimeout())
	p.votes = election{voters: c.voters()}
	p.votes.record(c.cfg.Self.ID, true)
	if p.votes.won() { // the only voter
		c.toCandidate()
	}
}

func (p *prospective) tick(c *Core) {
	if !c.stopping && !c.now.Before(p.deadline) {
		p.lost(c)
		return
	}
	c.wakeAt(p.deadline)
	c.sendVotes(&p.votes, true)
}

// lost goes back to the leader that is known, or to looking for one.
func (p *prospective) lost(c *Core) {
	if c.state.LeaderID >= 0 && len(c.endpoints) > 0 {
		c.toFollower(c.state.Epoch, c.state.LeaderID, c.endpoints)
	} else {
		c.toUnattached(c.state.Epoch, c.state.LeaderID)
	}
}

func (p *prospective) grants(c *Core, to ReplicaKey, upToDate, preVote bool) bool {
	return grantsWithoutLeader(c, to, upToDate, preVote)
}
