package quorum

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/protocol"
)

// TopicName, Partition and TopicID name the metadata log on the wire; the id is Kafka's reserved one.
const (
	TopicName = "__cluster_metadata"
	Partition = 0
)

// TopicID is the topic id of the metadata log, AAAAAAAAAAAAAAAAAAAAAQ.
var TopicID = protocol.UUID{15: 1}

// Config is what a Core knows from its configuration.
type Config struct {
	Self       ReplicaKey
	ClusterID  string
	Observer   bool       // never a voter, whatever the voter set says
	Endpoints  []Endpoint // our controller listeners
	Listener   string     // the listener by which we reach others
	Static     []Voter    // controller.quorum.voters
	Bootstrap  []Address  // asked while no leader is known
	Timeouts   Timeouts
	FetchBytes int32 // limit of our own Fetch
	ChunkBytes int32 // limit of our own FetchSnapshot
	Trace      bool  // Output.Log tells of every move of the high watermark too
}

// Stored is what the disk held when the node opened.
type Stored struct {
	State      ElectionState
	Log        LogView
	Membership []Membership // from the newest snapshot, then from the log, in order
}

// supported range of kraft.version of this code (KIP-853: 1 is dynamic voters).
const (
	minKRaftVersion = 0
	maxKRaftVersion = 1
)

// role is what a node is in its current epoch. Each lives in a file of its own:
//
//	unattached   no leader known, perhaps a vote given    -> prospective at its election timeout
//	prospective  asks for pre-votes (KIP-996)             -> candidate with a majority, else follower or unattached
//	candidate    has raised the epoch and asks for votes  -> leader with a majority, prospective at its timeout
//	leader       appends, serves fetches                  -> resigned when a majority does not fetch, or told to
//	follower     fetches from the leader                  -> prospective when the leader is silent
//	resigned     led this epoch, never again              -> unattached in the next epoch
//
// A higher epoch makes any of them unattached or follower. An observer is unattached or follower and never asks.
type role interface {
	name() string
	// enter runs once, right after the Core took the role.
	enter(c *Core)
	// tick does what is due, sends what should be under way, and says by c.wakeAt when it wants to be called again.
	tick(c *Core)
	// grants says whether a vote (or a pre-vote) may be given now.
	grants(c *Core, to ReplicaKey, upToDate, preVote bool) bool
}

// Core is the consensus of one node: Step takes an event and the time and says what to write and to send. It has no
// I/O, no clock, no goroutine. One goroutine calls it.
type Core struct {
	cfg  Config
	rng  *rand.Rand
	bugs bugs
	now  time.Time

	// The election. Invariant: epoch never falls; saved before anything is said that depends on it.
	state     ElectionState
	endpoints []Endpoint // of state.LeaderID, empty when unknown
	role      role

	log     LogView
	history voterHistory
	hw      int64 // exclusive; -1 unknown. Never falls.

	links    links
	parked   []parkedFetch
	stopping bool
	dirty    bool // state is to be saved
	unsynced bool // the log has bytes that were not fsynced
	out      Output
}

// NewCore continues from what the disk held. The first Step starts it.
func NewCore(cfg Config, stored Stored, rng *rand.Rand) *Core {
	cfg.Timeouts = cfg.Timeouts.withDefaults()
	c := &Core{cfg: cfg, rng: rng, state: stored.State, log: stored.Log, hw: -1}
	c.history.static = NewVoterSet(cfg.Static)
	for _, m := range stored.Membership {
		c.history.add(m)
	}
	return c
}

// Step tells the Core of an event and returns what follows from it.
func (c *Core) Step(now time.Time, ev Event) Output {
	c.now, c.out = now, Output{}
	if c.role == nil {
		c.start()
	}
	c.handle(ev)
	for r := role(nil); r != c.role; {
		r = c.role
		c.out.Wake = time.Time{}
		r.tick(c)
	}
	c.expireParked()
	if c.unsynced && c.mayVoteSoon() {
		c.write(Write{Kind: SyncLog})
		c.unsynced = false
	}
	if c.dirty {
		// First of all: an epoch is on disk before the batches that were written in it.
		w := Write{Kind: SaveState, State: c.state, KRaftVersion: c.history.version()}
		w.State.Voters = c.voters().ids()
		c.out.Writes = append([]Write{w}, c.out.Writes...)
		c.dirty = false
	}
	if c.bugs.has(bugWordBeforeDisk) {
		c.out.Writes = withoutSync(c.out.Writes)
	}
	return c.out
}

// withoutSync plants a bug: nothing is made durable.
func withoutSync(writes []Write) []Write {
	kept := writes[:0]
	for _, w := range writes {
		if w.Kind != SyncLog {
			kept = append(kept, w)
		}
	}
	return kept
}

func (c *Core) handle(ev Event) {
	switch ev := ev.(type) {
	case Tick:
	case Request:
		c.request(ev)
	case Cancel:
		c.unpark(ev.Token)
	case Response:
		c.response(ev)
	case Propose:
		c.propose(ev.Proposals)
	case SnapshotInstalled:
		c.snapshotInstalled(ev)
	case SnapshotsChanged:
		c.log.Snapshots = ev.IDs
		c.log.raiseStart(ev.LogStart)
	case Resign:
		if l, ok := c.role.(*leader); ok && ev.Epoch == c.state.Epoch {
			c.become(&resigned{successors: l.successors()})
		}
	case Stop:
		c.stopping = true
		if l, ok := c.role.(*leader); ok && len(c.voters()) > 1 {
			c.become(&resigned{successors: l.successors()})
		}
	}
}

func (c *Core) request(ev Request) {
	switch req := ev.Req.(type) {
	case *kmsg.VoteRequest:
		c.reply(ev.Token, c.onVote(req))
	case *kmsg.BeginQuorumEpochRequest:
		c.reply(ev.Token, c.onBeginQuorumEpoch(req))
	case *kmsg.EndQuorumEpochRequest:
		c.reply(ev.Token, c.onEndQuorumEpoch(req))
	case *kmsg.FetchRequest:
		c.onFetch(ev.Token, req)
	case *kmsg.FetchSnapshotRequest:
		c.onFetchSnapshot(ev.Token, req)
	case *kmsg.DescribeQuorumRequest:
		c.reply(ev.Token, c.onDescribeQuorum(req))
	default:
		panic(fmt.Sprintf("quorum: request of key %d", ev.Req.Key()))
	}
}

// start takes the role that the stored state asks for.
func (c *Core) start() {
	st := c.state
	switch {
	case st.Epoch < c.log.lastEpoch():
		c.logf("quorum-state is at epoch %d, the log at %d: going on from the log's", st.Epoch, c.log.lastEpoch())
		c.state = ElectionState{Epoch: c.log.lastEpoch(), LeaderID: -1, Voted: nobody}
		c.dirty = true
		c.become(&unattached{})
	case !c.cfg.Observer && st.LeaderID == c.cfg.Self.ID && c.bugs.has(bugLeadsAgain):
		c.become(newLeader(c.voters().ids()))
	case !c.cfg.Observer && st.LeaderID == c.cfg.Self.ID:
		// Rule 2: what was appended but not fsynced in this epoch may be gone; nobody leads an epoch twice.
		c.become(&resigned{})
	case st.LeaderID >= 0:
		c.endpoints = c.voters().endpoints(st.LeaderID)
		if len(c.endpoints) == 0 {
			c.become(&unattached{})
		} else {
			c.become(&follower{})
		}
	case c.isVoter() && st.Voted.ID >= 0 && st.Voted.covers(c.cfg.Self):
		c.become(&candidate{})
	default:
		c.become(&unattached{})
	}
	if _, isCandidate := c.role.(*candidate); !isCandidate && c.isOnlyVoter() {
		c.become(&prospective{})
	}
}

// become takes a role. Every answer to what the old role sent is void from here on (rule 6).
func (c *Core) become(r role) {
	old := "start"
	if c.role != nil {
		old = c.role.name()
	}
	if f, ok := c.role.(*follower); ok {
		f.dropSnapshot(c)
	}
	c.role = r
	c.links.reset(c.bugs)
	if old != r.name() {
		c.logf("%s -> %s in epoch %d", old, r.name(), c.state.Epoch)
	}
	if _, leads := r.(*leader); !leads {
		c.refuseParked()
	}
	r.enter(c)
}

// elect changes the stored election; it is on disk before anything leaves.
func (c *Core) elect(st ElectionState) {
	if st.Epoch < c.state.Epoch {
		panic(fmt.Sprintf("quorum: epoch %d after %d", st.Epoch, c.state.Epoch))
	}
	c.state = st
	c.dirty = true
}

// toUnattached follows a higher epoch whose leader cannot be asked, or falls back from prospective. leaderID is -1
// when unknown; a known one is kept, for it is a vote (rule 2).
func (c *Core) toUnattached(epoch, leaderID int32) {
	voted := nobody
	if epoch == c.state.Epoch {
		voted = c.state.Voted
	}
	next := &unattached{deadline: c.electionDeadlineAfter()}
	c.elect(ElectionState{Epoch: epoch, LeaderID: leaderID, Voted: voted})
	c.endpoints = nil
	c.become(next)
}

// electionDeadlineAfter keeps the remaining time of the old role, so that a stream of higher epochs cannot hold a
// voter back for ever.
func (c *Core) electionDeadlineAfter() time.Time {
	switch r := c.role.(type) {
	case *unattached:
		return r.deadline
	case *candidate:
		return r.deadline
	case *resigned:
		return r.deadline
	case *prospective:
		if !r.votes.rejected() {
			return r.deadline
		}
	}
	return time.Time{}
}

// toFollower accepts a leader. The vote of the epoch is kept: quorum-state shows both.
func (c *Core) toFollower(epoch, leaderID int32, endpoints []Endpoint) {
	voted := nobody
	if epoch == c.state.Epoch {
		voted = c.state.Voted
	}
	c.elect(ElectionState{Epoch: epoch, LeaderID: leaderID, Voted: voted})
	c.endpoints = endpoints
	c.become(&follower{})
}

// learn takes the leader and epoch that a request or an answer names. It reports false when they contradict what is
// known here: two leaders of one epoch, or this node named as a leader that it is not.
func (c *Core) learn(leaderID, epoch int32, endpoints []Endpoint) bool {
	if leaderID == c.cfg.Self.ID {
		if epoch > c.state.Epoch {
			c.logf("told that this node leads epoch %d, which it does not", epoch)
			return false
		}
		return true // nothing that this node would not know better
	}
	if len(endpoints) == 0 && leaderID >= 0 {
		endpoints = c.voters().endpoints(leaderID)
	}
	known := c.state.LeaderID
	switch {
	case epoch == c.state.Epoch && leaderID >= 0 && known >= 0 && known != leaderID:
		c.logf("told of leader %d in epoch %d, which %d leads", leaderID, epoch, known)
		return false
	case epoch > c.state.Epoch:
		if leaderID >= 0 && len(endpoints) > 0 {
			c.toFollower(epoch, leaderID, endpoints)
		} else {
			c.toUnattached(epoch, leaderID)
		}
	case epoch == c.state.Epoch && leaderID >= 0 && len(endpoints) > 0 &&
		(known < 0 || len(endpoints) > len(c.endpoints)):
		c.toFollower(epoch, leaderID, endpoints)
	}
	return true
}

func (c *Core) voters() VoterSet { set, _, _ := c.history.voters(); return set }

func (c *Core) isVoter() bool { return !c.cfg.Observer && c.voters().has(c.cfg.Self) }

func (c *Core) isOnlyVoter() bool { return !c.cfg.Observer && c.voters().isOnly(c.cfg.Self) }

// mayVoteSoon says whether what this node holds can count for a majority: such a node fsyncs before it fetches again.
// A broker's copy is never counted and is fetched again after a crash.
func (c *Core) mayVoteSoon() bool { return !c.cfg.Observer }

func (c *Core) self() Voter {
	return Voter{ID: c.cfg.Self.ID, DirectoryID: c.cfg.Self.DirectoryID, Endpoints: c.cfg.Endpoints,
		MinVersion: minKRaftVersion, MaxVersion: maxKRaftVersion}
}

func (c *Core) end() SnapshotID { return SnapshotID{EndOffset: c.log.End, Epoch: c.log.lastEpoch()} }

// electionTimeout is drawn between once and twice the configured time.
func (c *Core) electionTimeout() time.Duration {
	t := c.cfg.Timeouts.Election
	return t + time.Duration(c.rng.Int64N(int64(t)))
}

func (c *Core) wakeAt(t time.Time) {
	if c.out.Wake.IsZero() || t.Before(c.out.Wake) {
		c.out.Wake = t
	}
}

func (c *Core) write(w Write) { c.out.Writes = append(c.out.Writes, w) }

func (c *Core) reply(token uint64, resp kmsg.Response) {
	c.out.Replies = append(c.out.Replies, Reply{Token: token, Resp: resp})
}

func (c *Core) logf(format string, args ...any) {
	c.out.Log = append(c.out.Log, fmt.Sprintf(format, args...))
}

// tracef is logf for what happens too often to be written for an operator.
func (c *Core) tracef(format string, args ...any) {
	if c.cfg.Trace {
		c.logf(format, args...)
	}
}

// raiseHighWatermark never lowers it.
func (c *Core) raiseHighWatermark(hw int64) bool {
	if hw <= c.hw {
		return false
	}
	c.hw = hw
	return true
}

// Role, Election, Leader and the rest show the Core's state after a Step.

// RoleName is one of unattached, prospective, candidate, leader, follower, resigned.
func (c *Core) RoleName() string { return c.role.name() }

// Election is what quorum-state holds.
func (c *Core) Election() ElectionState { return c.state }

// HighWatermark is the end of what is committed, exclusive; -1 while unknown.
func (c *Core) HighWatermark() int64 { return c.hw }

// Log shows the Core's view of the log. It must not be changed.
func (c *Core) Log() *LogView { return &c.log }

// Leader is the leader of the current epoch and its address, when both are known. A resigned leader is none.
func (c *Core) Leader() (id, epoch int32, addr Address, ok bool) {
	if _, gone := c.role.(*resigned); gone || c.state.LeaderID < 0 {
		return -1, c.state.Epoch, Address{}, false
	}
	addr, ok = addressOf(c.endpoints, c.cfg.Listener)
	return c.state.LeaderID, c.state.Epoch, addr, ok
}

// LeaderSince is the offset at which this node's own epoch starts; false when it does not lead.
func (c *Core) LeaderSince() (offset int64, ok bool) {
	l, ok := c.role.(*leader)
	if !ok {
		return 0, false
	}
	return l.epochStart, true
}

// MembershipAt is the kraft.version and, with version 1, the voter set that a snapshot ending at end contains.
func (c *Core) MembershipAt(end int64) Membership {
	m := Membership{Offset: end - 1, KRaftVersion: c.history.versionAt(end - 1)}
	m.HasVersion = m.KRaftVersion > 0
	if set, _, ok := c.history.votersAt(end - 1); ok && m.HasVersion {
		m.Voters, m.HasVoters = set, true
	}
	return m
}

// Stopped says whether a node told to Stop may go: it does not lead, or everyone knows that it resigned.
func (c *Core) Stopped() bool {
	if !c.stopping {
		return false
	}
	r, ok := c.role.(*resigned)
	return !ok || len(r.unacked) == 0
}
