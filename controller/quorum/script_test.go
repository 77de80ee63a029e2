package quorum

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/protocol/record"
)

// TestScripts plays the incident reports in testdata. The output is the whole trace: what every node wrote to its
// operator, and every message in the order of its arrival. -rewrite makes it anew; read the diff.
//
//	new voters=3 [observers=1] [kraft=0] [fetch=1]   a cluster of stopped nodes
//	start 1 2 3 · crash 2 [keep=1] · timeout 1        timeout: node 1's election or fetch timeout expires, no clock else moves
//	advance 100ms                                     all clocks move, all nodes tick
//	deliver [from=1] [to=2] [kind=vote]               letters arrive until none matches; parked fetches stay where they are
//	drop [from=] [to=] [kind=] · hold … · release     letters are lost, or kept back until release
//	cut 1 2 · mend                                    no letter between the two
//	propose 1 a b · snapshot 1 [drop] · resign 1 · stop 1
//	ask 2 vote|prevote|fetch|begin|end|snapshot|describe k=v…   a request made by hand, and its answer
//	state · log 1 · mail
//
// With quiet a command prints nothing.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if filepath.Ext(path) != ".txt" {
			return
		}
		var c *script
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) (out string) {
			defer func() {
				if p := recover(); p != nil {
					out = fmt.Sprintf("panic: %v\n", p)
				}
			}()
			if d.Cmd == "new" {
				c = newScript(d)
				return ""
			}
			out = c.run(t, d)
			for _, b := range c.broken {
				out += "BROKEN: " + b + "\n"
			}
			c.broken = nil
			return out
		})
	})
}

type script struct {
	*cluster
	cuts map[[2]int32]bool
	held []*letter
}

func arg(d *datadriven.TestData, key, otherwise string) string {
	for _, a := range d.CmdArgs {
		if a.Key == key && len(a.Vals) > 0 {
			return a.Vals[0]
		}
	}
	return otherwise
}

func argInt(d *datadriven.TestData, key string, otherwise int) int {
	n, err := strconv.Atoi(arg(d, key, strconv.Itoa(otherwise)))
	if err != nil {
		panic(err)
	}
	return n
}

func newScript(d *datadriven.TestData) *script {
	c := newCluster(7, argInt(d, "voters", 3), argInt(d, "observers", 0), int16(argInt(d, "kraft", 1)))
	c.fetch = int32(argInt(d, "fetch", 1<<20))
	return &script{cluster: c, cuts: map[[2]int32]bool{}}
}

// who are the arguments that are plain node ids.
func (c *script) who(d *datadriven.TestData) []*member {
	var ms []*member
	for _, a := range d.CmdArgs {
		if id, err := strconv.Atoi(a.Key); err == nil && len(a.Vals) == 0 {
			ms = append(ms, c.member(int32(id)))
		}
	}
	return ms
}

func (c *script) run(t *testing.T, d *datadriven.TestData) string {
	c.trace.Reset()
	ms := c.who(d)
	switch d.Cmd {
	case "start":
		for _, m := range ms {
			c.start(m)
		}
	case "crash":
		for _, m := range ms {
			c.crash(m, argInt(d, "keep", 0))
		}
	case "timeout":
		for _, m := range ms {
			m.now = deadline(m.core.role)
			c.step(m, Tick{})
		}
	case "advance":
		by, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range c.members {
			m.now = m.now.Add(by)
			if m.core != nil {
				c.step(m, Tick{})
			}
		}
	case "deliver":
		c.deliverAll(d)
	case "drop", "hold":
		c.mail = slices.DeleteFunc(c.mail, func(l *letter) bool {
			if !matches(d, l) {
				return false
			}
			c.note("%s %s", d.Cmd, letterText(l))
			if d.Cmd == "hold" {
				c.held = append(c.held, l)
			}
			return true
		})
	case "release":
		c.mail, c.held = append(c.mail, c.held...), nil
	case "cut":
		c.cuts[[2]int32{ms[0].id, ms[1].id}], c.cuts[[2]int32{ms[1].id, ms[0].id}] = true, true
	case "mend":
		clear(c.cuts)
	case "propose":
		var values []string
		for _, a := range d.CmdArgs[1:] {
			if a.Key != "quiet" {
				values = append(values, a.Key)
			}
		}
		if p := c.propose(ms[0], values...); p.Err != nil {
			c.note("refused: %v", p.Err)
		} else {
			c.note("last offset %d", p.LastOffset)
		}
	case "snapshot":
		if id, ok := c.snapshot(ms[0], d.HasArg("drop")); ok {
			c.note("snapshot %s", id)
		}
	case "resign":
		c.step(ms[0], Resign{ms[0].core.Election().Epoch})
	case "stop":
		c.step(ms[0], Stop{})
		c.note("stopped: %t", ms[0].core.Stopped())
	case "ask":
		c.ask(ms[0], d)
	case "state":
		c.state()
	case "log":
		c.log(ms[0])
	case "mail":
		for _, l := range c.mail {
			c.note("%s", letterText(l))
		}
	default:
		t.Fatalf("unknown command %s", d.Cmd)
	}
	if d.HasArg("quiet") {
		return ""
	}
	return c.trace.String()
}

func deadline(r role) time.Time {
	switch r := r.(type) {
	case *unattached:
		return r.deadline
	case *prospective:
		return r.deadline
	case *candidate:
		return r.deadline
	case *follower:
		return r.deadline
	case *resigned:
		return r.deadline
	case *leader:
		return r.checkAt
	}
	panic("no deadline")
}

func matches(d *datadriven.TestData, l *letter) bool {
	from, to := l.from, l.to
	if l.resp != nil || l.failed {
		from, to = to, from
	}
	if f := argInt(d, "from", 0); f != 0 && int32(f) != from {
		return false
	}
	if x := argInt(d, "to", 0); x != 0 && int32(x) != to {
		return false
	}
	k := arg(d, "kind", "")
	return k == "" || strings.HasPrefix(requestText(l.req), k)
}

func (c *script) deliverAll(d *datadriven.TestData) {
	for range 500 {
		at := slices.IndexFunc(c.mail, func(l *letter) bool { return matches(d, l) })
		if at < 0 {
			return
		}
		l := c.mail[at]
		c.mail = slices.Delete(c.mail, at, at+1)
		if c.cuts[[2]int32{l.from, l.to}] && !l.failed {
			continue
		}
		c.note("%s", letterText(l))
		c.deliver(l)
	}
	c.note("no end of letters")
}

func (c *script) state() {
	for _, m := range c.members {
		if m.core == nil {
			c.note("%d down          epoch %d leader %d voted %d log [%d,%d)", m.id, m.disk.state.Epoch, m.disk.state.LeaderID, m.disk.state.Voted.ID, m.disk.start, m.disk.end())
			continue
		}
		e := m.core.Election()
		c.note("%d %-13s epoch %d leader %d voted %d log [%d,%d) hw %d", m.id, m.core.RoleName(), e.Epoch, e.LeaderID, e.Voted.ID,
			m.core.Log().Start, m.core.Log().End, m.core.HighWatermark())
	}
}

func (c *script) log(m *member) {
	for i, b := range m.disk.batches {
		text, synced := "", ""
		for r, err := range b.Records(nil, 1<<20) {
			if err != nil {
				panic(err)
			}
			if b.IsControl() {
				t, _ := record.ParseControlKey(r.Key)
				text += " " + t.String()
			} else {
				text += " " + string(r.Value)
			}
		}
		if i >= m.disk.synced {
			synced = " (not on disk)"
		}
		c.note("[%d,%d) epoch %d:%s%s", b.BaseOffset(), b.NextOffset(), b.PartitionLeaderEpoch(), text, synced)
	}
}

// ask sends a request that no Core made.
func (c *script) ask(m *member, d *datadriven.TestData) {
	kind := d.CmdArgs[1].Key
	n := func(key string, otherwise int) int { return argInt(d, key, otherwise) }
	var req kmsg.Request
	from := int32(n("as", 3))
	cluster := arg(d, "cluster", "cluster")
	topic := arg(d, "topic", TopicName)
	switch kind {
	case "vote", "prevote":
		r := (&Core{cfg: Config{ClusterID: cluster, Self: ReplicaKey{from, dirOf(from)}}}).voteRequest(Voter{ID: int32(n("voter", int(m.id))), DirectoryID: dirOf(m.id)}, kind == "prevote").(*kmsg.VoteRequest)
		p := &r.Topics[0].Partitions[0]
		r.Topics[0].Topic = topic
		p.CandidateEpoch, p.LastOffset, p.LastOffsetEpoch = int32(n("epoch", 1)), int64(n("end", 0)), int32(n("last", 0))
		req = r
	case "begin":
		r := (&Core{cfg: Config{ClusterID: cluster, Self: ReplicaKey{from, dirOf(from)}, Endpoints: endpointOf(from)}}).beginQuorumEpoch(Voter{ID: int32(n("voter", int(m.id))), DirectoryID: dirOf(m.id)}).(*kmsg.BeginQuorumEpochRequest)
		r.Topics[0].Topic, r.Topics[0].Partitions[0].LeaderEpoch = topic, int32(n("epoch", 1))
		req = r
	case "end":
		r := (&Core{cfg: Config{ClusterID: cluster, Self: ReplicaKey{from, dirOf(from)}}}).endQuorumEpoch([]ReplicaKey{{m.id, dirOf(m.id)}}).(*kmsg.EndQuorumEpochRequest)
		r.Topics[0].Topic, r.Topics[0].Partitions[0].LeaderEpoch = topic, int32(n("epoch", 1))
		req = r
	case "fetch":
		r := (&Core{cfg: Config{ClusterID: cluster, Self: ReplicaKey{from, dirOf(from)}, FetchBytes: 1 << 20}}).fetchRequest().(*kmsg.FetchRequest)
		p := &r.Topics[0].Partitions[0]
		r.MaxWaitMillis = int32(n("wait", 0))
		p.CurrentLeaderEpoch, p.FetchOffset, p.LastFetchedEpoch, p.HighWatermark = int32(n("epoch", 1)), int64(n("end", 0)), int32(n("last", 0)), int64(n("hw", 1<<40))
		req = r
	case "snapshot":
		r := (&Core{cfg: Config{ClusterID: cluster, Self: ReplicaKey{from, dirOf(from)}, ChunkBytes: 100}}).snapshotRequest(
			SnapshotID{int64(n("end", 0)), int32(n("last", 0))}, int64(n("position", 0))).(*kmsg.FetchSnapshotRequest)
		r.Topics[0].Topic, r.Topics[0].Partitions[0].CurrentLeaderEpoch = topic, int32(n("epoch", 1))
		req = r
	case "describe":
		r := kmsg.NewPtrDescribeQuorumRequest()
		r.Version = 2
		r.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: topic, Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}}}
		req = r
	}
	c.nextMail++
	l := &letter{id: c.nextMail, from: from, to: m.id, life: -1, req: req}
	c.deliver(l)
	if l.resp == nil {
		c.note("parked")
		return
	}
	c.note("%s", answerText(l))
	c.mail = slices.DeleteFunc(c.mail, func(x *letter) bool { return x == l })
}

func letterText(l *letter) string {
	switch {
	case l.failed:
		return fmt.Sprintf("%d -x %d %s: connection lost", l.from, l.to, requestText(l.req))
	case l.resp != nil:
		return fmt.Sprintf("%d <- %d %s", l.from, l.to, answerText(l))
	}
	return fmt.Sprintf("%d -> %d %s", l.from, l.to, requestText(l.req))
}

func requestText(req kmsg.Request) string {
	switch r := req.(type) {
	case *kmsg.VoteRequest:
		p := r.Topics[0].Partitions[0]
		kind := "vote"
		if p.PreVote {
			kind = "prevote"
		}
		return fmt.Sprintf("%s epoch %d, log ends at %d in epoch %d", kind, p.CandidateEpoch, p.LastOffset, p.LastOffsetEpoch)
	case *kmsg.BeginQuorumEpochRequest:
		return fmt.Sprintf("begin epoch %d", r.Topics[0].Partitions[0].LeaderEpoch)
	case *kmsg.EndQuorumEpochRequest:
		return fmt.Sprintf("end epoch %d, next %v", r.Topics[0].Partitions[0].LeaderEpoch, r.Topics[0].Partitions[0].PreferredSuccessors)
	case *kmsg.FetchRequest:
		p := r.Topics[0].Partitions[0]
		return fmt.Sprintf("fetch epoch %d at %d in epoch %d, hw %d", p.CurrentLeaderEpoch, p.FetchOffset, p.LastFetchedEpoch, p.HighWatermark)
	case *kmsg.FetchSnapshotRequest:
		p := r.Topics[0].Partitions[0]
		return fmt.Sprintf("snapshot epoch %d, %d-%d at byte %d", p.CurrentLeaderEpoch, p.SnapshotID.EndOffset, p.SnapshotID.Epoch, p.Position)
	case *kmsg.DescribeQuorumRequest:
		return "describe"
	}
	return ""
}

func codeText(top, code int16) string {
	if top != 0 {
		return " " + kerr.ErrorForCode(top).(*kerr.Error).Message
	}
	if code != 0 {
		return " " + kerr.ErrorForCode(code).(*kerr.Error).Message
	}
	return ""
}

func leaderText(id, epoch int32) string { return fmt.Sprintf(" (leader %d of epoch %d)", id, epoch) }

func answerText(l *letter) string {
	switch r := l.resp.(type) {
	case *kmsg.VoteResponse:
		if r.ErrorCode != 0 {
			return "vote:" + codeText(r.ErrorCode, 0)
		}
		p := r.Topics[0].Partitions[0]
		word := "no"
		if p.VoteGranted {
			word = "granted"
		}
		return requestText(l.req)[:strings.Index(requestText(l.req), " ")] + ": " + word + codeText(0, p.ErrorCode) + leaderText(p.LeaderID, p.LeaderEpoch)
	case *kmsg.BeginQuorumEpochResponse:
		if r.ErrorCode != 0 {
			return "begin:" + codeText(r.ErrorCode, 0)
		}
		p := r.Topics[0].Partitions[0]
		return "begin: heard" + codeText(0, p.ErrorCode) + leaderText(p.LeaderID, p.LeaderEpoch)
	case *kmsg.EndQuorumEpochResponse:
		if r.ErrorCode != 0 {
			return "end:" + codeText(r.ErrorCode, 0)
		}
		p := r.Topics[0].Partitions[0]
		return "end: heard" + codeText(0, p.ErrorCode) + leaderText(p.LeaderID, p.LeaderEpoch)
	case *kmsg.FetchResponse:
		if r.ErrorCode != 0 {
			return "fetch:" + codeText(r.ErrorCode, 0)
		}
		p := r.Topics[0].Partitions[0]
		text := "fetch:" + codeText(0, p.ErrorCode)
		if p.DivergingEpoch.Epoch >= 0 {
			text += fmt.Sprintf(" diverging, epoch %d ends at %d", p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset)
		}
		if p.SnapshotID.Epoch >= 0 {
			text += fmt.Sprintf(" take snapshot %d-%d", p.SnapshotID.EndOffset, p.SnapshotID.Epoch)
		}
		for b := p.RecordBatches; len(b) > 0; {
			batch, rest, err := record.Next(b)
			if err != nil {
				text += fmt.Sprintf(" and %d bytes", len(b))
				break
			}
			text += fmt.Sprintf(" [%d,%d)", batch.BaseOffset(), batch.NextOffset())
			b = rest
		}
		return text + fmt.Sprintf(" hw %d", p.HighWatermark) + leaderText(p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch)
	case *kmsg.FetchSnapshotResponse:
		if r.ErrorCode != 0 {
			return "snapshot:" + codeText(r.ErrorCode, 0)
		}
		p := r.Topics[0].Partitions[0]
		return fmt.Sprintf("snapshot:%s bytes %d to %d of %d", codeText(0, p.ErrorCode), p.Position, p.Position+int64(len(p.Bytes)), p.Size) + leaderText(p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch)
	case *kmsg.DescribeQuorumResponse:
		p := r.Topics[0].Partitions[0]
		text := fmt.Sprintf("describe:%s leader %d epoch %d hw %d", codeText(0, p.ErrorCode), p.LeaderID, p.LeaderEpoch, p.HighWatermark)
		states := func(kind string, ss []kmsg.DescribeQuorumResponseTopicPartitionReplicaState) {
			for _, s := range ss {
				ago := func(ms int64) string {
					if ms < 0 {
						return "never"
					}
					return strconv.FormatInt(ms-epochZero.UnixMilli(), 10) + "ms"
				}
				text += fmt.Sprintf("\n%s %d end %d fetched %s caught up %s", kind, s.ReplicaID, s.LogEndOffset, ago(s.LastFetchTimestamp), ago(s.LastCaughtUpTimestamp))
			}
		}
		states("voter", p.CurrentVoters)
		states("observer", p.Observers)
		for _, n := range r.Nodes {
			text += fmt.Sprintf("\nnode %d %v", n.NodeID, n.Listeners[0].Host)
		}
		return text
	}
	return ""
}
