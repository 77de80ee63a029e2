package quorum

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/protocol/record"
)

func TestCutBelowTheHighWatermarkPanics(t *testing.T) {
	c := newCluster(1, 3, 0, 1)
	for _, m := range c.members {
		c.start(m)
	}
	core := c.members[0].core
	core.log.End, core.log.Epochs, core.hw = 10, []EpochStart{{1, 0}}, 8
	require.Panics(t, func() { core.cut(1, 7) })
	core.cut(1, 9)
	require.EqualValues(t, 9, core.log.End)
}

// FuzzRequests feeds a leader and a follower with requests and answers of any content: none may panic, and none may
// move what is committed.
func FuzzRequests(f *testing.F) {
	for _, key := range []int16{1, 52, 53, 54, 55, 59} {
		req := kmsg.RequestForKey(key)
		req.SetVersion(req.MaxVersion())
		f.Add(key, req.MaxVersion(), req.AppendTo(nil), uint64(1))
	}
	f.Fuzz(func(t *testing.T, key, version int16, body []byte, seed uint64) {
		if len(body) > 1<<12 {
			return
		}
		switch key {
		case 1, 52, 53, 54, 55, 59:
		default:
			return
		}
		req := kmsg.RequestForKey(key)
		if version < 0 || version > req.MaxVersion() {
			return
		}
		c := newCluster(seed, 3, 0, 1)
		for _, m := range c.members {
			c.start(m)
		}
		settle(c)
		rng := rand.New(rand.NewPCG(seed, 1))
		m := c.members[rng.IntN(3)]
		hw := m.core.HighWatermark()
		if rng.IntN(2) == 0 {
			req.SetVersion(version)
			if len(body) > 200 || req.ReadFrom(body) != nil {
				return
			}
			m.core.Step(m.now, Request{99, req})
		} else {
			resp := req.ResponseKind()
			resp.SetVersion(version)
			if len(body) > 200 || resp.ReadFrom(body) != nil {
				return
			}
			for _, x := range m.core.links.all {
				m.core.Step(m.now, Response{ID: x.id, Resp: resp})
			}
		}
		require.GreaterOrEqual(t, m.core.HighWatermark(), hw)
	})
}

// settle makes member 1 the leader of epoch 1.
func settle(c *cluster) {
	m := c.members[0]
	m.now = deadline(m.core.role)
	c.step(m, Tick{})
	for range 200 {
		if len(c.mail) == 0 {
			return
		}
		l := c.mail[0]
		c.mail = c.mail[1:]
		c.deliver(l)
	}
}

func TestControlBatchOfTheFutureStopsTheFollower(t *testing.T) {
	w := controlBatch(0, 1)
	addMembership(w, 1, math.MaxInt16, nil, false)
	_, err := membershipIn(mustBuild(w))
	require.ErrorContains(t, err, "kraft.version 32767")
	o := record.NewOptions()
	o.Control = true
	b := record.NewBuilder(o)
	b.AddControl(1, record.ControlVoters, []byte{1, 2, 3})
	_, err = membershipIn(mustBuild(b))
	require.Error(t, err)
}

func TestEpochHistoryAnswersAsKafkas(t *testing.T) {
	l := LogView{Start: 5, End: 30, Epochs: []EpochStart{{2, 5}, {4, 10}, {7, 20}}, Snapshots: []SnapshotID{{5, 2}}}
	for _, c := range []struct {
		epoch, e int32
		end      int64
	}{{1, 1, 5}, {2, 2, 10}, {3, 2, 10}, {4, 4, 20}, {6, 4, 20}, {7, 7, 30}, {9, 7, 30}} {
		e, end := l.endOffsetForEpoch(c.epoch)
		require.Equal(t, []any{c.e, c.end}, []any{e, end}, "epoch %d", c.epoch)
	}
	where, id := l.locate(4, 2)
	require.Equal(t, []any{positionSnapshot, SnapshotID{5, 2}}, []any{where, id})
	where, _ = l.locate(5, 2)
	require.Equal(t, positionValid, where)
	where, id = l.locate(12, 2)
	require.Equal(t, []any{positionDiverging, SnapshotID{10, 2}}, []any{where, id})
	l.raiseStart(15)
	require.Equal(t, []EpochStart{{4, 15}, {7, 20}}, l.Epochs)
	l.truncateTo(20)
	require.Equal(t, []EpochStart{{4, 15}}, l.Epochs)
	require.EqualValues(t, 4, l.lastEpoch())
}

func TestVotersGoBackWhenTheirRecordIsCut(t *testing.T) {
	set := func(ids ...int32) VoterSet {
		var s []Voter
		for _, id := range ids {
			s = append(s, Voter{ID: id})
		}
		return NewVoterSet(s)
	}
	h := voterHistory{static: set(9)}
	voters := func() []int32 { s, _, _ := h.voters(); return s.ids() }
	require.Equal(t, []int32{9}, voters())
	h.add(Membership{Offset: -1, Voters: set(1, 2), HasVoters: true, KRaftVersion: 1, HasVersion: true})
	h.add(Membership{Offset: 10, Voters: set(3, 1, 2), HasVoters: true})
	require.Equal(t, []int32{1, 2, 3}, voters()) // not committed, and in force (rule 7)
	at, _, _ := h.votersAt(9)
	require.Equal(t, []int32{1, 2}, at.ids())
	require.EqualValues(t, 1, h.versionAt(20))
	h.truncateTo(10)
	require.Equal(t, []int32{1, 2}, voters())
	h.truncateTo(0)
	require.Equal(t, []int32{1, 2}, voters()) // a snapshot's membership is never cut
	h.reset()
	require.Equal(t, []int32{9}, voters())
	require.False(t, set(1).has(ReplicaKey{2, dirOf(2)}))
	require.True(t, set(2).has(ReplicaKey{2, dirOf(2)})) // a static voter has no directory id
	require.False(t, NewVoterSet([]Voter{{ID: 2, DirectoryID: dirOf(2)}}).has(ReplicaKey{2, dirOf(3)}))
}
