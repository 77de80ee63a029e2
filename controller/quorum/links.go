package quorum

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// links is who has been asked what. One request per node is under way at a time; an answer counts only for the
// request that waits for it (rule 6). A bootstrap server, whose id nobody knows yet, has an id below -1.
type links struct {
	all    []*link // sorted by node
	nextID uint64
	stale  []pending // only filled by a planted bug
}

type link struct {
	pending
	busy     bool
	sent     time.Time
	failedAt time.Time // zero: not backing off
	told     bool      // the operator knows that this node does not answer as it should
}

// pending is one request under way. It belongs to the role and epoch that sent it, for become resets all links.
type pending struct {
	id   uint64
	node int32
	req  kmsg.Request
}

// reset forgets everything under way: the role or the epoch has changed.
func (l *links) reset(b bugs) {
	if b.has(bugAnyAnswerCounts) {
		for _, x := range l.all {
			if x.busy {
				l.stale = append(l.stale, x.pending)
			}
		}
	}
	l.all = nil
}

func (l *links) to(node int32) *link {
	at := 0
	for at < len(l.all) && l.all[at].node < node {
		at++
	}
	if at < len(l.all) && l.all[at].node == node {
		return l.all[at]
	}
	x := &link{pending: pending{node: node}}
	l.all = append(l.all, nil)
	copy(l.all[at+1:], l.all[at:])
	l.all[at] = x
	return x
}

// take ends the request with that id; false when nobody waits for it any more.
func (l *links) take(id uint64) (*link, bool) {
	for _, x := range l.all {
		if x.busy && x.id == id {
			x.busy = false
			return x, true
		}
	}
	for _, p := range l.stale {
		if p.id == id {
			return &link{pending: p}, true
		}
	}
	return nil, false
}

// ready says whether the node may be asked now; if not, when.
func (x *link) ready(now time.Time, t Timeouts) (bool, time.Time) {
	if x.busy {
		if until := x.sent.Add(t.Request); now.Before(until) {
			return false, until
		}
		x.busy = false
	}
	if !x.failedAt.IsZero() {
		if until := x.failedAt.Add(t.RetryBackoff); now.Before(until) {
			return false, until
		}
		x.failedAt = time.Time{}
	}
	return true, time.Time{}
}

// anyBusy says whether some request is under way, and until when it may be.
func (l *links) anyBusy(now time.Time, t Timeouts) (bool, time.Time) {
	for _, x := range l.all {
		if x.busy {
			if until := x.sent.Add(t.Request); now.Before(until) {
				return true, until
			}
		}
	}
	return false, time.Time{}
}

// request is what sendTo builds only when it may send.
type request = kmsg.Request

// sendTo sends to a node unless a request is under way to it or it is backing off; then it wakes the role in time.
func (c *Core) sendTo(node int32, to Address, build func() request) bool {
	x := c.links.to(node)
	if ok, at := x.ready(c.now, c.cfg.Timeouts); !ok {
		c.wakeAt(at)
		return false
	}
	c.links.nextID++
	x.pending = pending{id: c.links.nextID, node: node, req: build()}
	x.busy, x.sent = true, c.now
	c.wakeAt(c.now.Add(c.cfg.Timeouts.Request))
	c.out.Sends = append(c.out.Sends, Send{ID: x.id, To: to, Node: node, Req: x.req, Timeout: c.cfg.Timeouts.Request})
	return true
}

func (c *Core) sendToVoter(v Voter, build func() request) bool {
	to, ok := addressOf(v.Endpoints, c.cfg.Listener)
	return ok && c.sendTo(v.ID, to, build)
}

// fetchFromAnyone fetches from a bootstrap server chosen by chance: whoever answers names the leader.
func (c *Core) fetchFromAnyone() {
	n := len(c.cfg.Bootstrap)
	if n == 0 {
		return
	}
	if busy, until := c.links.anyBusy(c.now, c.cfg.Timeouts); busy {
		c.wakeAt(until)
		return
	}
	first := c.rng.IntN(n)
	for i := range n {
		at := (first + i) % n
		if c.sendTo(int32(-2-at), c.cfg.Bootstrap[at], c.fetchRequest) {
			return
		}
	}
}

// response handles an answer. Unless it was understood, the node is asked again only after the retry back-off.
func (c *Core) response(ev Response) {
	x, ok := c.links.take(ev.ID)
	if !ok {
		return // rule 6
	}
	understood := false
	if ev.Err != nil {
		understood = c.onFailure(x, ev)
	} else {
		switch resp := ev.Resp.(type) {
		case *kmsg.VoteResponse:
			understood = c.onVoteAnswer(x, resp)
		case *kmsg.BeginQuorumEpochResponse:
			understood = c.onBeginAnswer(x, resp)
		case *kmsg.EndQuorumEpochResponse:
			understood = c.onEndAnswer(x, resp)
		case *kmsg.FetchResponse:
			understood = c.onFetchAnswer(resp)
		case *kmsg.FetchSnapshotResponse:
			understood = c.onSnapshotAnswer(resp)
		}
	}
	if !understood {
		x.failedAt = c.now
	}
	c.tellOfFailure(x, ev)
}

// tellOfFailure logs the first of a row of failures, with its reason.
func (c *Core) tellOfFailure(x *link, ev Response) {
	err := ev.Err
	if err == nil {
		err = kerr.ErrorForCode(topLevelCode(ev.Resp))
	}
	if err == nil {
		x.told = false
	} else if !x.told {
		x.told = true
		c.logf("node %d does not answer %s: %v", x.node, kmsg.NameForKey(x.req.Key()), err)
	}
}

func topLevelCode(resp kmsg.Response) int16 {
	switch resp := resp.(type) {
	case *kmsg.VoteResponse:
		return resp.ErrorCode
	case *kmsg.BeginQuorumEpochResponse:
		return resp.ErrorCode
	case *kmsg.EndQuorumEpochResponse:
		return resp.ErrorCode
	case *kmsg.FetchResponse:
		return resp.ErrorCode
	case *kmsg.FetchSnapshotResponse:
		return resp.ErrorCode
	}
	return 0
}
