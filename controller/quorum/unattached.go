package quorum

import "time"

// unattached: the epoch is known, its leader is not (or cannot be reached). Looks for one by fetching from any
// bootstrap server. The vote of the epoch may have been given: see state.Voted.
type unattached struct {
	deadline time.Time // then a voter becomes prospective; zero until entered
}

func (u *unattached) name() string { return "unattached" }

func (u *unattached) enter(c *Core) {
	if u.deadline.IsZero() {
		u.deadline = c.now.Add(c.electionTimeout())
	}
}

func (u *unattached) tick(c *Core) {
	if c.isVoter() && !c.stopping {
		if !c.now.Before(u.deadline) {
			c.become(&prospective{})
			return
		}
		c.wakeAt(u.deadline)
	}
	if !c.stopping {
		c.fetchFromAnyone()
	}
}

func (u *unattached) grants(c *Core, to ReplicaKey, upToDate, preVote bool) bool {
	return grantsWithoutLeader(c, to, upToDate, preVote)
}

// grantsWithoutLeader is the rule of unattached and prospective: a pre-vote for any log as good as ours; a vote once
// per epoch, and not at all when the epoch has a known leader (rule 2).
func grantsWithoutLeader(c *Core, to ReplicaKey, upToDate, preVote bool) bool {
	switch {
	case preVote:
		return upToDate
	case c.state.Voted.ID >= 0:
		return c.state.Voted.covers(to)
	case c.state.LeaderID >= 0 && !c.bugs.has(bugLeaderIsNoVote):
		return false
	}
	return upToDate
}
