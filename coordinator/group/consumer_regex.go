package group

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/regex"
)

// patternChange is what a request did to the regular expression of its member.
type patternChange uint8

const (
	patternSame     patternChange = iota
	patternChanged                // the topics of the new one are not known yet: the group epoch moves when they are
	patternResolved               // ... are known
)

// regexPause is the time between two resolutions of a group's regular expressions.
const regexPause = 10 * time.Second

// changePattern deals with a regular expression that m has in place of old's, and has the group's expressions resolved
// when that is due: some are not, there are new topics, or it was long ago. The resolution is a turn of its own, right
// after this one.
func (d *consumerDecision) changePattern(old, m *consumerMember) (patternChange, error) {
	g := d.g
	status, due := patternSame, false
	was, is := old.pattern(), m.pattern()
	if !equalText(old.regex, m.regex) {
		status = patternChanged
		if was != "" && g.patterns[was] == 1 {
			d.write(regexTombstone(g.id, was))
		}
		switch {
		case is != "" && g.patterns[is] == 0:
			if err := checkRegex(is); err != nil {
				return status, err
			}
			due = true
		case is != "":
			if g.resolved[is] != nil {
				status = patternResolved
			}
		case was != "":
			status = patternResolved
		}
	}
	if !due && len(g.patterns) == 0 || g.resolving {
		return status, nil
	}
	last, version := g.lastResolved()
	now := d.now.UnixMilli()
	if last >= 0 && now <= last+regexPause.Milliseconds() {
		return status, nil
	}
	patterns := maps.Clone(g.patterns)
	if was != "" && patterns[was] > 0 {
		addTo(patterns, &was, -1)
	}
	if is != "" {
		addTo(patterns, &is, +1)
	}
	due = due || len(patterns) != len(g.resolved) || version < d.s.newTopicsAt ||
		now > last+config.GroupConsumerRegexRefreshIntervalMs.Get(d.s.view).Milliseconds()
	if due && len(patterns) > 0 {
		d.timers = append(d.timers, at(timerRegexRefresh, g.id, "", d.now))
		d.soft(func(g *consumerGroup) { g.resolving = true })
	}
	return status, nil
}

// lastResolved is when the group's expressions were last resolved, and against which image; -1 and 0 when never.
func (g *consumerGroup) lastResolved() (millis, version int64) {
	for _, p := range sortedKeys(g.resolved) {
		return g.resolved[p].timestamp, g.resolved[p].version
	}
	return -1, 0
}

// resolveRegexes matches the group's regular expressions with the topics that there are.
func (s *State) resolveRegexes(g *consumerGroup, now time.Time) coordinator.Result {
	g.resolving = false
	d := s.decide(g, now)
	topics := maps.Clone(g.topics)
	patterns := sortedKeys(g.patterns)
	if len(patterns) == 0 {
		return coordinator.Result{}
	}
	matches := s.matchTopics(patterns)
	bump := false
	for i, p := range patterns {
		to := &resolvedRegex{topics: matches[i], version: s.image.Offset, timestamp: now.UnixMilli()}
		have := g.resolved[p]
		if have == nil && len(to.topics) > 0 || have != nil && !slices.Equal(have.topics, to.topics) {
			bump = true
			g.uncount(topics, p)
			for _, name := range to.topics {
				change(topics, name, 0, +1)
			}
		}
		d.write(regexRecord(g.id, p, to))
	}
	hash := s.metadataHash(topics)
	if bump || hash != g.metadataHash {
		epoch := g.epoch + 1
		d.write(groupEpochRecord(g.id, epoch, hash))
		refreshAt := now.UnixMilli() + math.MaxInt32
		d.soft(func(g *consumerGroup) { g.refreshAt, g.refreshEpoch = refreshAt, epoch })
	}
	return d.result(0, nil)
}

// matchTopics lists the topics that match each pattern.
func (s *State) matchTopics(patterns []string) [][]string {
	out := make([][]string, len(patterns))
	for i, text := range patterns {
		p, err := regex.Compile(text)
		if err != nil {
			s.logger().Error().Err(err).Msg("a stored regular expression can't be read") // another release accepted it
			continue
		}
		for t := range s.image.Topics.All() {
			if p.Match(t.Name) {
				out[i] = append(out[i], t.Name)
			}
		}
		slices.Sort(out[i])
	}
	return out
}

func checkRegex(text string) error {
	if _, err := regex.Compile(text); err != nil {
		return refusal{kerr.InvalidRegularExpression, err.Error()}
	}
	return nil
}
