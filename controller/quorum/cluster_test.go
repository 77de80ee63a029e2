package quorum

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/record"
)

// cluster is a set of Cores with disks and a network in memory. Scripts and the simulation drive it; after every step
// it checks the invariants of the quorum and notes what it found broken.
type cluster struct {
	members  []*member
	mail     []*letter // in flight, oldest first
	nextMail int
	timeouts Timeouts
	static   []Voter // with kraft.version 0
	fetch    int32   // FetchBytes
	trace    *strings.Builder
	broken   []string

	committed []record.Batch // what the cluster has promised, from offset 0 on
	leaders   map[int32]string
	snapshots map[SnapshotID]snapshotContent
	crashNow  func(m *member, out Output) bool // after the writes, before the messages
}

type snapshotContent struct {
	bytes      []byte // all committed batches below its end
	membership Membership
}

type member struct {
	id       int32
	observer bool
	life     int // counts restarts
	core     *Core
	disk     *memDisk
	now      time.Time
	wake     time.Time
	rng      *rand.Rand
	hw       int64
	tokens   uint64
	waiting  map[uint64]*letter  // requests of others, by token
	fetched  map[int32]time.Time // by others, for the majority check
	led      time.Time
}

// letter is a request or, with resp or err, its answer on the way back.
type letter struct {
	id       int
	from, to int32
	life     int // of the sender of the request
	send     uint64
	req      kmsg.Request
	resp     kmsg.Response
	failed   bool
	reset    bool
	at       time.Time // delivery, in the simulation
}

// memDisk keeps what was synced and loses the rest.
type memDisk struct {
	state   ElectionState
	batches []record.Batch
	synced  int // batches
	start   int64
	snaps   []SnapshotID
	part    []byte
}

func (d *memDisk) end() int64 {
	if n := len(d.batches); n > 0 {
		return d.batches[n-1].NextOffset()
	}
	if d.start > 0 {
		return d.start
	}
	return 0
}

var epochZero = time.Unix(1_700_000_000, 0)

func dirOf(id int32) protocol.UUID { return protocol.UUID{0: 0xd0, 15: byte(id)} }

func newCluster(seed uint64, voters, observers int, kraft int16) *cluster {
	c := &cluster{trace: &strings.Builder{}, leaders: map[int32]string{}, snapshots: map[SnapshotID]snapshotContent{}, fetch: 1 << 20,
		timeouts: Timeouts{}.withDefaults()}
	var set []Voter
	for i := range int32(voters) {
		set = append(set, Voter{ID: i + 1, DirectoryID: dirOf(i + 1), Endpoints: endpointOf(i + 1), MinVersion: 0, MaxVersion: 1})
	}
	m := Membership{Offset: -1, Voters: NewVoterSet(set), HasVoters: true, KRaftVersion: 1, HasVersion: true}
	if kraft == 0 {
		m = Membership{Offset: -1}
		for i := range set {
			set[i].DirectoryID = protocol.UUID{}
		}
		c.static = set
	}
	c.snapshots[SnapshotID{}] = snapshotContent{membership: m}
	for i := range int32(voters + observers) {
		x := &member{id: i + 1, observer: int(i) >= voters, now: epochZero, rng: rand.New(rand.NewPCG(seed, uint64(i+1))),
			disk: &memDisk{state: noElection(), snaps: []SnapshotID{{}}}}
		c.members = append(c.members, x)
	}
	return c
}

func endpointOf(id int32) []Endpoint {
	return []Endpoint{{"CONTROLLER", "n" + strconv.Itoa(int(id)), 9093}}
}

func (c *cluster) member(id int32) *member {
	for _, m := range c.members {
		if m.id == id {
			return m
		}
	}
	return nil
}

// start opens a member from its disk.
func (c *cluster) start(m *member) {
	m.life++
	m.hw, m.waiting, m.fetched, m.led = -1, map[uint64]*letter{}, map[int32]time.Time{}, time.Time{}
	cfg := Config{Self: ReplicaKey{m.id, dirOf(m.id)}, ClusterID: "cluster", Observer: m.observer, Endpoints: endpointOf(m.id),
		Listener: "CONTROLLER", Static: c.static, Timeouts: c.timeouts, FetchBytes: c.fetch, ChunkBytes: 100, Trace: true}
	for _, x := range c.members {
		if !x.observer && x.id != m.id {
			cfg.Bootstrap = append(cfg.Bootstrap, Address{"n" + strconv.Itoa(int(x.id)), 9093})
		}
	}
	st := Stored{State: m.disk.state, Log: LogView{Start: m.disk.start, End: m.disk.end(), Snapshots: slices.Clone(m.disk.snaps)}}
	if id, ok := st.Log.latestSnapshot(); ok {
		st.Membership = append(st.Membership, c.snapshots[id].membership)
		if id.EndOffset > st.Log.End {
			c.fail("member %d opens with a log below its snapshot", m.id)
		}
	}
	for _, b := range m.disk.batches {
		if n := len(st.Log.Epochs); n == 0 || st.Log.Epochs[n-1].Epoch < b.PartitionLeaderEpoch() {
			st.Log.Epochs = append(st.Log.Epochs, EpochStart{b.PartitionLeaderEpoch(), b.BaseOffset()})
		}
		if ms, err := membershipIn(b); b.IsControl() && err == nil {
			for _, x := range ms {
				if id, ok := st.Log.latestSnapshot(); !ok || x.Offset >= id.EndOffset {
					st.Membership = append(st.Membership, x)
				}
			}
		}
	}
	m.core = NewCore(cfg, st, m.rng)
	m.core.bugs = planted()
	c.step(m, Tick{})
}

// crash stops a member; kept is how many of its unsynced batches survive.
func (c *cluster) crash(m *member, kept int) {
	m.core = nil
	m.disk.part = nil
	m.disk.batches = m.disk.batches[:min(len(m.disk.batches), m.disk.synced+kept)]
	m.disk.synced = len(m.disk.batches)
	// Connections of the dead process break: what others asked of it fails at once, what it asked is forgotten.
	rest := c.mail[:0]
	for _, l := range c.mail {
		switch {
		case l.to == m.id && l.resp == nil && !l.failed:
			l.failed, l.reset = true, true
			rest = append(rest, l)
		case l.from == m.id:
		default:
			rest = append(rest, l)
		}
	}
	c.mail = rest
	tokens := make([]uint64, 0, len(m.waiting))
	for t := range m.waiting {
		tokens = append(tokens, t)
	}
	slices.Sort(tokens)
	for _, t := range tokens {
		l := m.waiting[t]
		l.failed, l.reset = true, true
		c.post(l)
	}
}

func (c *cluster) post(l *letter) { c.mail = append(c.mail, l) }

func (c *cluster) fail(format string, args ...any) {
	c.broken = append(c.broken, fmt.Sprintf(format, args...))
}

func (c *cluster) note(format string, args ...any) { fmt.Fprintf(c.trace, format+"\n", args...) }

// step steps a member and carries out what it asks for, as the node's loop does.
func (c *cluster) step(m *member, ev Event) []Proposed {
	before := m.disk.state
	out := m.core.Step(m.now, ev)
	m.wake = out.Wake
	for _, l := range out.Log {
		c.note("  %d: %s", m.id, l)
	}
	for _, w := range out.Writes {
		c.apply(m, w)
	}
	if m.disk.state.Epoch < before.Epoch {
		c.fail("epoch of %d fell from %d to %d", m.id, before.Epoch, m.disk.state.Epoch)
	}
	if !slices.ContainsFunc(out.Writes, func(w Write) bool { return w.Kind == InstallSnapshot }) {
		c.check(m) // else the Core is told below
	}
	if c.crashNow != nil && c.crashNow(m, out) {
		c.crash(m, 0)
		return nil
	}
	if (len(out.Sends) > 0 || len(out.Replies) > 0) && !m.observer {
		if got, want := m.disk.state, m.core.Election(); got.Epoch != want.Epoch || got.LeaderID != want.LeaderID || got.Voted != want.Voted {
			c.fail("member %d speaks before its vote is on disk: %+v, disk %+v", m.id, want, got)
		}
		if m.disk.synced < len(m.disk.batches) {
			c.fail("member %d speaks before its log is on disk", m.id)
		}
	}
	for _, r := range out.Replies {
		c.answer(m, r)
	}
	for _, s := range out.Sends {
		to, _ := strconv.Atoi(strings.TrimPrefix(s.To.Host, "n"))
		c.nextMail++
		c.post(&letter{id: c.nextMail, from: m.id, to: int32(to), life: m.life, send: s.ID, req: s.Req})
	}
	for _, w := range out.Writes {
		if w.Kind == InstallSnapshot {
			c.step(m, SnapshotInstalled{w.Snapshot, c.snapshots[w.Snapshot].membership})
			break
		}
	}
	return out.Proposed
}

func (c *cluster) apply(m *member, w Write) {
	d := m.disk
	switch w.Kind {
	case SaveState:
		d.state = w.State
		d.state.Voters = nil
	case AppendBatches:
		for b := w.Bytes; len(b) > 0; {
			batch, rest, err := record.Next(b)
			if err != nil {
				c.fail("member %d wrote a torn batch", m.id)
				return
			}
			if batch.BaseOffset() != d.end() {
				c.fail("member %d wrote a batch at %d behind its log end %d", m.id, batch.BaseOffset(), d.end())
			}
			if !batch.VerifyCRC() {
				c.fail("member %d wrote a damaged batch at %d", m.id, batch.BaseOffset())
			}
			if n := len(d.batches); (n == 0 && d.start == 0 || n > 0 && d.batches[n-1].PartitionLeaderEpoch() != batch.PartitionLeaderEpoch()) &&
				controlType(batch) != record.ControlLeaderChange {
				c.fail("epoch %d does not begin with LeaderChange", batch.PartitionLeaderEpoch())
			}
			d.batches = append(d.batches, slices.Clone(batch))
			b = rest
		}
	case SyncLog:
		d.synced = len(d.batches)
	case TruncateLog:
		if m.hw > w.Offset {
			c.fail("member %d cuts at %d below its high watermark %d", m.id, w.Offset, m.hw)
		}
		for n := len(d.batches); n > 0 && d.batches[n-1].NextOffset() > w.Offset; n-- {
			d.batches = d.batches[:n-1]
		}
		if d.end() != w.Offset && d.start < w.Offset {
			c.fail("member %d cuts inside a batch at %d", m.id, w.Offset)
		}
		d.synced = min(d.synced, len(d.batches))
	case SnapshotChunk:
		if int64(len(d.part)) != w.Offset {
			c.fail("member %d writes snapshot bytes at %d, has %d", m.id, w.Offset, len(d.part))
		}
		d.part = append(d.part, w.Bytes...)
	case InstallSnapshot:
		if !bytes.Equal(d.part, c.snapshots[w.Snapshot].bytes) {
			c.fail("member %d fetched other bytes than snapshot %s holds", m.id, w.Snapshot)
		}
		d.part, d.batches, d.synced, d.start, d.snaps = nil, nil, 0, w.Snapshot.EndOffset, []SnapshotID{w.Snapshot}
	case DropSnapshot:
		d.part = nil
	}
}

func controlType(b record.Batch) record.ControlType {
	if !b.IsControl() {
		return -1
	}
	for r, err := range b.Records(nil, 1<<20) {
		if err == nil {
			if t, err := record.ParseControlKey(r.Key); err == nil {
				return t
			}
		}
		break
	}
	return -1
}

// answer reads what the reply asks for and puts it on its way.
func (c *cluster) answer(m *member, r Reply) {
	l, ok := m.waiting[r.Token]
	if !ok {
		return
	}
	delete(m.waiting, r.Token)
	switch resp := r.Resp.(type) {
	case *kmsg.FetchResponse:
		if r.Read != nil {
			resp.Topics[0].Partitions[0].RecordBatches = m.disk.read(r.Read.Offset, int(r.Read.MaxBytes))
		}
		if len(resp.Topics) > 0 {
			if since, leads := m.core.LeaderSince(); leads {
				if hw := resp.Topics[0].Partitions[0].HighWatermark; hw >= 0 && hw <= since {
					c.fail("leader %d of epoch %d shows high watermark %d below its epoch's start %d", m.id, m.core.Election().Epoch, hw, since)
				}
			}
		}
	case *kmsg.FetchSnapshotResponse:
		if r.Read != nil {
			p, all := &resp.Topics[0].Partitions[0], c.snapshots[*r.Read.Snapshot].bytes
			p.Size = int64(len(all))
			if r.Read.Offset <= p.Size {
				p.Bytes = all[r.Read.Offset:min(int(r.Read.Offset)+int(r.Read.MaxBytes), len(all))]
			}
		}
	}
	l.resp = r.Resp
	c.post(l)
}

// read gives bytes as Kafka does: the last batch may be cut by the limit, the first never.
func (d *memDisk) read(offset int64, limit int) []byte {
	var out []byte
	first := 0
	for _, b := range d.batches {
		if b.NextOffset() > offset {
			if out == nil {
				first = len(b)
			}
			out = append(out, b...)
		}
	}
	return out[:min(len(out), max(limit, first))]
}

// deliver hands over one letter.
func (c *cluster) deliver(l *letter) {
	if l.resp == nil && !l.failed {
		m := c.member(l.to)
		if m == nil || m.core == nil {
			l.failed, l.reset = true, true
			c.post(l)
			return
		}
		m.tokens++
		m.waiting[m.tokens] = l
		if f, ok := l.req.(*kmsg.FetchRequest); ok {
			if x := c.member(l.from); x != nil && !x.observer && f.Topics[0].Partitions[0].CurrentLeaderEpoch == m.core.Election().Epoch {
				m.fetched[l.from] = m.now
			}
		}
		if _, ok := l.req.(*kmsg.FetchSnapshotRequest); ok && c.member(l.from) != nil && !c.member(l.from).observer {
			m.fetched[l.from] = m.now
		}
		c.step(m, Request{m.tokens, reread(l.req)})
		return
	}
	m := c.member(l.from)
	if m == nil || m.core == nil || m.life != l.life {
		return
	}
	ev := Response{ID: l.send, Resp: l.resp, Reset: l.reset}
	if l.failed {
		ev.Resp, ev.Err = nil, errLost
	}
	c.step(m, ev)
}

var errLost = fmt.Errorf("connection lost")

// reread passes a request through its bytes, so that nothing crosses that the wire would not carry.
func reread(req kmsg.Request) kmsg.Request {
	r := kmsg.RequestForKey(req.Key())
	r.SetVersion(req.GetVersion())
	if err := r.ReadFrom(req.AppendTo(nil)); err != nil {
		panic(err)
	}
	return r
}

// check holds a member against what must always be so.
func (c *cluster) check(m *member) {
	core := m.core
	if hw := core.HighWatermark(); hw < m.hw {
		c.fail("high watermark of %d fell from %d to %d", m.id, m.hw, hw)
	} else {
		m.hw = hw
	}
	if core.Log().End != m.disk.end() {
		c.fail("member %d thinks its log ends at %d, it ends at %d", m.id, core.Log().End, m.disk.end())
	}
	if _, leads := core.LeaderSince(); leads {
		epoch, who := core.Election().Epoch, fmt.Sprintf("%d in its life %d", m.id, m.life)
		if old, ok := c.leaders[epoch]; ok && old != who {
			c.fail("epoch %d is led by %s and by %s", epoch, old, who)
		} else if !ok {
			c.leaders[epoch] = who
			m.led = m.now
			clear(m.fetched)
			if end := c.committedEnd(); m.disk.end() < end {
				c.fail("leader %d of epoch %d has its log end at %d, %d are committed", m.id, epoch, m.disk.end(), end)
			}
		}
		c.checkMajority(m)
		if core.history.version() > 0 && m.disk.start == 0 && len(m.disk.batches) > 0 && !c.votersInLog(m) {
			c.fail("leader %d of epoch %d has no Voters record in its log", m.id, epoch)
		}
	}
	for _, f := range core.parked {
		if d := f.deadline.Sub(m.now); d > c.timeouts.Fetch/2 {
			c.fail("member %d parks a fetch for %v", m.id, d)
		}
	}
	c.checkCommitted(m)
}

func (c *cluster) votersInLog(m *member) bool {
	for _, b := range m.disk.batches {
		if ms, err := membershipIn(b); b.IsControl() && err == nil && len(ms) > 0 {
			return true
		}
	}
	return false
}

// checkMajority: a leader is heard by a majority at least every 1.5 fetch timeouts (and a tick).
func (c *cluster) checkMajority(m *member) {
	heard := 1
	limit := c.timeouts.Fetch*3/2*2 + time.Second
	for _, at := range m.fetched {
		if m.now.Sub(at) <= limit {
			heard++
		}
	}
	if n := len(m.core.voters()); heard < n/2+1 && m.now.Sub(m.led) > limit {
		c.fail("member %d leads epoch %d without a majority", m.id, m.core.Election().Epoch)
	}
}

func (c *cluster) committedEnd() int64 {
	if n := len(c.committed); n > 0 {
		return c.committed[n-1].NextOffset()
	}
	return 0
}

// checkCommitted: what is below a member's high watermark is the same everywhere, for ever.
func (c *cluster) checkCommitted(m *member) {
	for _, b := range m.disk.batches {
		if b.NextOffset() > m.hw {
			break
		}
		if b.BaseOffset() >= c.committedEnd() {
			c.committed = append(c.committed, b)
			continue
		}
		at, ok := slices.BinarySearchFunc(c.committed, b.BaseOffset(), func(x record.Batch, o int64) int { return int(x.BaseOffset() - o) })
		if !ok || !bytes.Equal(c.committed[at], b) {
			c.fail("member %d holds other bytes than were committed at %d", m.id, b.BaseOffset())
			return
		}
	}
}

// propose offers one record to a member.
func (c *cluster) propose(m *member, values ...string) Proposed {
	var ps []Proposal
	for _, v := range values {
		w := record.NewBuilder(record.NewOptions())
		w.Add(m.now.UnixMilli(), nil, []byte(v))
		b, err := w.Build()
		if err != nil {
			panic(err)
		}
		ps = append(ps, Proposal{m.core.Election().Epoch, b})
	}
	out := c.step(m, Propose{ps})
	if len(out) == 0 {
		return Proposed{}
	}
	return out[len(out)-1]
}

// snapshot makes a member write a snapshot of all it knows to be committed; with drop the log below goes.
func (c *cluster) snapshot(m *member, drop bool) (SnapshotID, bool) {
	end := m.hw
	var at *record.Batch
	for i, b := range m.disk.batches {
		if b.NextOffset() == end {
			at = &m.disk.batches[i]
		}
	}
	if at == nil || end <= m.disk.start {
		return SnapshotID{}, false
	}
	id := SnapshotID{end, at.PartitionLeaderEpoch()}
	var all []byte
	for _, b := range c.committed {
		if b.NextOffset() <= end {
			all = append(all, b...)
		}
	}
	c.snapshots[id] = snapshotContent{all, m.core.MembershipAt(end)}
	for i, b := range m.disk.batches {
		if b.NextOffset() <= end {
			m.disk.synced = max(m.disk.synced, i+1)
		}
	}
	if drop {
		m.disk.snaps = []SnapshotID{id}
		m.disk.start = end
		kept := m.disk.batches[:0:0]
		for _, b := range m.disk.batches {
			if b.NextOffset() > end {
				kept = append(kept, b)
			}
		}
		m.disk.synced -= len(m.disk.batches) - len(kept)
		m.disk.batches = kept
	} else if !slices.Contains(m.disk.snaps, id) {
		m.disk.snaps = append(m.disk.snaps, id)
		slices.SortFunc(m.disk.snaps, SnapshotID.Compare)
	}
	c.step(m, SnapshotsChanged{m.disk.start, slices.Clone(m.disk.snaps)})
	return id, true
}
