package group

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
)

func (r *rig) regexConsumer(id, pattern string, topics ...string) *consumer {
	c := r.consumer("g", id, topics...)
	c.regex = &pattern
	return c
}

func TestRegexIsResolvedAfterTheHeartbeat(t *testing.T) {
	r := newConsumerRig(t, nil)
	r.topics(map[string]int32{"ab": 1, "b": 1})
	m := r.regexConsumer("m1", "a.*")
	m.beat()
	require.Equal(t, []string{"member_metadata m1 [] /a.*/", "current_member_assignment m1 1/0 state 0"}, r.trace(0))
	require.Equal(t, "", m.holds())
	n := len(r.log)
	r.advance(0)
	require.Equal(t, []string{"regular_expression a.* [a ab]", "metadata epoch 2"}, r.trace(n))
	r.advance(time.Second)
	m.beat()
	require.Equal(t, "a0 a1 a2 a3 ab0", m.holds())
	require.True(t, r.state.consumer("g").SubscribedTo("ab"))
	require.False(t, r.state.consumer("g").SubscribedTo("b"))
}

func TestRegexFindsNewTopics(t *testing.T) {
	r := newConsumerRig(t, nil)
	m := r.regexConsumer("m1", "a.*")
	m.beat()
	r.advance(time.Second)
	m.beat()
	r.topics(map[string]int32{"ax": 1})
	m.beat()
	r.advance(0)
	require.Equal(t, []string{"a"}, r.state.consumer("g").resolved["a.*"].topics, "not within 10 s of the last time")
	r.advance(10 * time.Second)
	m.beat()
	r.advance(0)
	m.beat()
	require.Equal(t, "a0 a1 a2 a3 ax0", m.holds())
	r.deleteTopic("ax")
	r.advance(time.Second)
	m.beat()
	require.Equal(t, "a0 a1 a2 a3", m.holds())
}

func TestRegexThatIsNoneIsRefused(t *testing.T) {
	r := newConsumerRig(t, nil)
	code, message := r.regexConsumer("m1", "a(").refused(nil)
	require.Equal(t, kerr.InvalidRegularExpression.Code, code)
	require.Equal(t, "SubscribedTopicRegex `a(` is not a valid regular expression: missing closing ).", message)
}

func TestRegexGoesWithItsLastMember(t *testing.T) {
	r := newConsumerRig(t, nil)
	r.topics(map[string]int32{"b": 2})
	one, two, three := r.regexConsumer("m1", "a"), r.regexConsumer("m2", "a"), r.regexConsumer("m3", "b")
	r.settle848(one, two, three)
	r.advance(11 * time.Second)
	r.settle848(one, two, three)
	require.Equal(t, "b0 b1", three.holds())
	one.leave()
	require.Contains(t, r.state.consumer("g").resolved, "a")
	n := len(r.log)
	two.leave()
	require.Contains(t, r.trace(n), "regular_expression a -")
	require.NotContains(t, r.state.consumer("g").topics, "a")

	// Another pattern in place of the old one; the old one goes.
	three.epoch, three.regex = 0, one.regex
	r.advance(11 * time.Second)
	n = len(r.log)
	three.beat()
	require.Equal(t, []string{"member_metadata m3 [] /a/", "regular_expression b -"}, r.trace(n)[:2])
	r.advance(time.Second)
	r.settle848(three)
	require.Equal(t, "a0 a1 a2 a3", three.holds())
}

func TestRegexWithNames(t *testing.T) {
	r := newConsumerRig(t, nil)
	r.topics(map[string]int32{"b": 2, "c": 1})
	one, two := r.regexConsumer("m1", "b|c", "a"), r.consumer("g", "m2", "c")
	r.settle848(one, two)
	require.Equal(t, "a0 a1 a2 a3 b0 b1", one.holds())
	require.Equal(t, "c0", two.holds())
	// Names only, in place of the pattern.
	none := ""
	one.epoch, one.regex = 0, &none
	r.settle848(one, two)
	require.Equal(t, "a0 a1 a2 a3", one.holds())
	require.Empty(t, r.state.consumer("g").resolved)
}

func TestRegexIsResolvedAgainAfterARestart(t *testing.T) {
	r := newConsumerRig(t, nil)
	m := r.regexConsumer("m1", "a.*")
	m.beat()
	r.restart() // before the resolution
	r.advance(11 * time.Second)
	m.beat()
	r.advance(time.Second)
	m.beat()
	require.Equal(t, "a0 a1 a2 a3", m.holds())
}
