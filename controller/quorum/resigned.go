package quorum

import "time"

// resigned led this epoch and never will again (rule 2): it was told to stop, lost its majority, or was restarted. It
// tells the voters by EndQuorumEpoch, so that they need not wait for their fetch timeouts.
type resigned struct {
	successors []ReplicaKey // by descending fetch offset; empty after a restart
	unacked    []int32
	deadline   time.Time
}

func (r *resigned) name() string { return "resigned" }

func (r *resigned) enter(c *Core) {
	r.deadline = c.now.Add(c.electionTimeout())
	c.endpoints = c.cfg.Endpoints
	for _, v := range c.voters() {
		if v.ID != c.cfg.Self.ID {
			r.unacked = append(r.unacked, v.ID)
		}
	}
}

func (r *resigned) tick(c *Core) {
	for _, id := range r.unacked {
		if v, ok := c.voters().byID(id); ok {
			c.sendToVoter(v, func() request { return c.endQuorumEpoch(r.successors) })
		}
	}
	if c.stopping {
		return
	}
	if !c.now.Before(r.deadline) {
		c.toUnattached(c.state.Epoch+1, -1)
		return
	}
	c.wakeAt(r.deadline)
}

func (r *resigned) acknowledged(id int32) {
	kept := r.unacked[:0]
	for _, x := range r.unacked {
		if x != id {
			kept = append(kept, x)
		}
	}
	r.unacked = kept
}

func (r *resigned) grants(_ *Core, _ ReplicaKey, upToDate, preVote bool) bool {
	return preVote && upToDate
}
