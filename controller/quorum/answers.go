package quorum

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// heard is what every answer of the quorum carries beside its own content.
type heard struct {
	code      int16
	leaderID  int32
	epoch     int32
	endpoints []Endpoint // of the leader; empty when the answer names none
}

// verdict is what common found.
type verdict int8

const (
	goOn    verdict = iota // the answer's own content counts
	done                   // the epoch or the leader was news, or the answer was old: nothing more in it
	dropped                // not understood: back off
)

// common does what all answers share: old epochs are ignored, newer ones followed, a leader learned.
func (c *Core) common(h heard) verdict {
	switch err := kerr.ErrorForCode(h.code); {
	case h.epoch < c.state.Epoch || errors.Is(err, kerr.UnknownLeaderEpoch):
		return done
	case h.epoch > c.state.Epoch || errors.Is(err, kerr.FencedLeaderEpoch) || errors.Is(err, kerr.NotLeaderForPartition):
		if !c.learn(h.leaderID, h.epoch, h.endpoints) {
			return dropped
		}
		return done
	case h.leaderID >= 0 && (c.state.LeaderID < 0 || len(h.endpoints) > len(c.endpoints)):
		// The second half: restarted, this node knows the leader's id from quorum-state but not where it is.
		if !c.learn(h.leaderID, h.epoch, h.endpoints) {
			return dropped
		}
		if err != nil {
			return done
		}
		return goOn
	case errors.Is(err, kerr.BrokerNotAvailable):
		return dropped
	case errors.Is(err, kerr.InvalidVoterKey):
		return done
	case errors.Is(err, kerr.InvalidRequest):
		c.logf("a peer calls our request invalid in epoch %d", h.epoch)
		return dropped
	}
	return goOn
}

// onFailure handles an answer that never came.
func (c *Core) onFailure(x *link, ev Response) bool {
	switch req := x.req.(type) {
	case *kmsg.VoteRequest:
		if _, asks := c.role.(*prospective); asks && errors.Is(ev.Err, kerr.UnsupportedVersion) && isPreVote(req) {
			c.logf("voter %d knows no pre-vote: standing for election at once", x.node)
			c.toCandidate()
			return true
		}
	case *kmsg.FetchRequest, *kmsg.FetchSnapshotRequest:
		// Rule 9: the leader's process is gone; do not wait for the fetch timeout. A little chance keeps two
		// followers from standing against each other.
		if f, ok := c.role.(*follower); ok && ev.Reset && x.node == c.state.LeaderID {
			f.leaderGone(c)
		}
	}
	return false
}

func (c *Core) validCluster(id *string) bool { return id == nil || *id == c.cfg.ClusterID }

// named gives the endpoint of the leader for an answer, when both are known.
func (c *Core) named() (id int32, host string, port int32, ok bool) {
	addr, ok := addressOf(c.endpoints, c.cfg.Listener)
	if c.state.LeaderID < 0 || !ok {
		return -1, "", 0, false
	}
	return c.state.LeaderID, addr.Host, addr.Port, true
}

// voterOnly checks a request that only voters send.
func (c *Core) voterOnly(from, epoch int32) int16 {
	switch {
	case epoch < c.state.Epoch:
		return kerr.FencedLeaderEpoch.Code
	case from < 0:
		return kerr.InvalidRequest.Code
	}
	return 0
}

// leaderOnly checks a request that only the leader of that epoch serves.
func (c *Core) leaderOnly(epoch int32) int16 {
	_, leads := c.role.(*leader)
	switch {
	case epoch < c.state.Epoch:
		return kerr.FencedLeaderEpoch.Code
	case epoch > c.state.Epoch:
		return kerr.UnknownLeaderEpoch.Code
	case !leads:
		return kerr.NotLeaderForPartition.Code
	case c.stopping:
		return kerr.BrokerNotAvailable.Code
	}
	return 0
}

// meantForUs: a request that names its receiver names this node. A negative id names nobody.
func (c *Core) meantForUs(id int32, dir [16]byte) bool {
	return id < 0 || (ReplicaKey{id, dir}).covers(c.cfg.Self)
}
