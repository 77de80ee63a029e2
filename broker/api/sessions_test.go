package api

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/replica"
)

func TestSessionEpochs(t *testing.T) {
	for in, want := range map[int32]int32{0: 1, 1: 2, math.MaxInt32: 1, -1: -1} {
		require.Equal(t, want, nextEpoch(in))
	}
}

// sessionOf opens a session with n partitions of a topic.
func sessionOf(c *FetchSessions, n int, privileged bool, now int64) *fetchSession {
	var order []*fetchPart
	for i := range n {
		order = append(order, &fetchPart{partKey: partKey{topic: "a", index: int32(i)}})
	}
	return c.open(order, replica.NewWake(), "User:a", privileged, false, now)
}

func newSessions(slots int) *FetchSessions {
	return NewFetchSessions(slots, rand.New(rand.NewPCG(1, 1)))
}

func incremental(version int16, id, epoch int32, add []int32, forget []int32) *kmsg.FetchRequest {
	req := fetchRequest(version)
	req.SessionID, req.SessionEpoch = id, epoch
	for _, i := range add {
		t := kmsg.NewFetchRequestTopic()
		p := kmsg.NewFetchRequestTopicPartition()
		t.Topic, p.Partition = "a", i
		t.Partitions = append(t.Partitions, p)
		req.Topics = append(req.Topics, t)
	}
	if len(forget) > 0 {
		f := kmsg.NewFetchRequestForgottenTopic()
		f.Topic, f.Partitions = "a", forget
		req.ForgottenTopics = append(req.ForgottenTopics, f)
	}
	return req
}

func indexes(order []*fetchPart) (out []int32) {
	for _, p := range order {
		out = append(out, p.index)
	}
	return out
}

func TestSessionIsResumed(t *testing.T) {
	cases := []struct {
		name      string
		version   int16
		id, epoch int32 // 0 id = the session's
		principal string
		add       []int32
		forget    []int32
		want      *kerr.Error
		order     []int32
	}{
		{name: "as it was", version: 12, epoch: 1, order: []int32{0, 1, 2}},
		{name: "added", version: 12, epoch: 1, add: []int32{1, 7}, order: []int32{0, 1, 2, 7}},
		{name: "forgotten", version: 12, epoch: 1, forget: []int32{1, 9}, order: []int32{0, 2}},
		{name: "added and forgotten at once", version: 12, epoch: 1, add: []int32{7}, forget: []int32{7, 0}, order: []int32{1, 2}},
		{name: "unknown id", version: 12, id: 99, epoch: 1, want: kerr.FetchSessionIDNotFound},
		{name: "somebody else", version: 12, epoch: 1, principal: "User:b", want: kerr.FetchSessionIDNotFound},
		{name: "epoch that has passed", version: 12, epoch: 2, want: kerr.InvalidFetchSessionEpoch},
		{name: "ids where names were used", version: 13, epoch: 1, want: kerr.FetchSessionTopicIDError},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			sessions := newSessions(10)
			s := sessionOf(sessions, 3, false, 0)
			if c.id == 0 {
				c.id = s.id
			}
			if c.principal == "" {
				c.principal = "User:a"
			}
			got, epoch, err := sessions.resume(incremental(c.version, c.id, c.epoch, c.add, c.forget), c.principal, 5)
			if c.want != nil {
				require.Equal(t, c.want, err)
				require.EqualValues(t, 1, s.epoch, "a refused request changes nothing")
				return
			}
			require.Nil(t, err)
			require.Same(t, s, got)
			require.EqualValues(t, 2, epoch)
			require.Equal(t, c.order, indexes(s.order))
			require.Len(t, s.parts, len(c.order))
			require.EqualValues(t, 5, s.lastUsed)
		})
	}
}

func TestSessionWithoutPartitionsEnds(t *testing.T) {
	sessions := newSessions(10)
	s := sessionOf(sessions, 2, false, 0)
	got, _, err := sessions.resume(incremental(12, s.id, 1, nil, []int32{0, 1}), "User:a", 0)
	require.Nil(t, err)
	require.Nil(t, got)
	require.Zero(t, sessions.Len())
}

func TestSessionEviction(t *testing.T) {
	const old = minSessionEviction
	type existing struct {
		privileged       bool
		size             int
		created, touched int64
	}
	cases := []struct {
		name       string
		have       []existing
		privileged bool
		size       int
		now        int64
		evicted    int // index, -1 = the new one is refused
	}{
		{"a free slot", nil, false, 1, 0, -2},
		{"stale one goes", []existing{{size: 50, touched: 0}, {size: 1, touched: 5}}, false, 1, old + 1, 0},
		{"not stale at the limit", []existing{{size: 50}, {size: 50}}, false, 1, old, -1},
		{"young ones are safe from consumers", []existing{{size: 1}, {size: 1}}, false, 9, 10, -1},
		{"aged and smaller goes", []existing{{size: 5, touched: old + 1}, {size: 3, touched: old + 1}}, false, 4, old + 2, 1},
		{"aged and as large stays", []existing{{size: 4, touched: old + 1}, {size: 4, touched: old + 1}}, false, 4, old + 2, -1},
		{"aged but never used since stays", []existing{{size: 1, created: 5, touched: 5}, {size: 1, created: 5, touched: 5}}, false, 4, old + 2, -1},
		{"a follower takes a young consumer's", []existing{{size: 9}, {size: 8}}, true, 1, 10, 1},
		{"a follower's is safe from consumers", []existing{{privileged: true, size: 1, touched: old + 1}, {privileged: true, size: 1, touched: old + 1}}, false, 9, old + 2, -1},
		{"a follower's aged and smaller goes for a follower", []existing{{privileged: true, size: 1, touched: old + 1}, {privileged: true, size: 2, touched: old + 1}}, true, 9, old + 2, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			sessions := newSessions(2)
			var have []*fetchSession
			for _, e := range c.have {
				s := sessionOf(sessions, e.size, e.privileged, e.created)
				s.lastUsed = e.touched
				have = append(have, s)
			}
			s := sessionOf(sessions, c.size, c.privileged, c.now)
			require.Equal(t, c.evicted != -1, s != nil)
			for i, e := range have {
				require.Equal(t, i == c.evicted, sessions.byID[e.id] == nil, "session %d", i)
				require.Equal(t, i == c.evicted, e.epoch == finalEpoch)
			}
		})
	}
	require.Nil(t, sessionOf(newSessions(0), 1, true, 0), "no slots, no sessions")
}

func TestSessionRotation(t *testing.T) {
	s := sessionOf(newSessions(1), 5, false, 0)
	s.rotate(func(p *fetchPart) bool { return p.index == 0 || p.index == 3 })
	require.Equal(t, []int32{1, 2, 4, 0, 3}, indexes(s.order))
}
