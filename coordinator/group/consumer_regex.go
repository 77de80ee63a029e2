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
	recent := func(t int64) bool { return t >= 0 && t <= now && now <= t+regexPause.Milliseconds() } // a later time is of a clock that was ahead
	if recent(last) || recent(g.failedAt) {
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
		now > last+config.GroupConsumerRegexRefreshIntervalMs.Get(d.s.view).Milliseconds() || now < last
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

// resolution is the matching of a group's regular expressions with the topics that there were when it began. It is done in
// turns of the shard, each a few milliseconds, so that others get theirs in between; one pattern after the other, for a
// compiled one takes up to 6 MB.
type resolution struct {
	texts   []string
	topics  []string // ascending
	matches [][]string
	at      int            // place in texts
	pattern *regex.Pattern // texts[at] compiled; nil = not yet
	next    int            // place in topics, for that pattern
	size    int            // bytes of matches
	version int64          // of the image
	millis  int64          // when it began
}

// maxResolution bounds the bytes of a resolution. What is larger does not fit a batch, even of a topic with compression, by
// far: all topics of a large cluster for each of thousands of patterns.
const maxResolution = 64 << 20

// resolutionTurn is what a turn may cost: the costs of the patterns that it compiles, and matches with topics. The most
// costly of patterns takes one turn to be compiled and one for each topic.
const resolutionTurn = 50_000

// resolveRegexes goes on with the resolution of the group's regular expressions, and writes what came of it at its end.
func (s *State) resolveRegexes(g *consumerGroup, now time.Time) coordinator.Result {
	if g.resolution == nil {
		g.resolution = s.newResolution(g, now)
	}
	r := g.resolution
	for cost := 0; r.at < len(r.texts); {
		if r.pattern == nil {
			p, err := regex.Compile(r.texts[r.at])
			if err != nil { // another release accepted it: it matches nothing
				s.logger().Error().Err(err).Str("group", g.id).Msg("a stored regular expression can't be read")
				r.at++
				continue
			}
			r.pattern = p
			cost += p.Cost()
		}
		for ; r.next < len(r.topics); r.next++ {
			if cost += 1 + r.pattern.Cost(); cost > resolutionTurn && cost > 1+r.pattern.Cost() {
				return coordinator.Result{Timers: []coordinator.Set{at(timerRegexRefresh, g.id, "", now)}}
			}
			if topic := r.topics[r.next]; r.pattern.Match(topic) {
				r.matches[r.at] = append(r.matches[r.at], topic)
				if r.size += len(topic) + stringRoom; r.size > maxResolution {
					return s.failedResolution(g, now, kerr.MessageTooLarge)
				}
			}
		}
		r.at, r.pattern, r.next = r.at+1, nil, 0
	}
	g.resolution, g.resolving = nil, false
	result := s.resolvedRegexes(g, r, now)
	result.Refused = func(err error) coordinator.Result { return s.failedResolution(g, now, err) }
	return result
}

// stringRoom is what a string takes besides its bytes.
const stringRoom = 16

// failedResolution gives up. Heartbeats begin another one after the pause between two, not at once.
func (s *State) failedResolution(g *consumerGroup, now time.Time, err error) coordinator.Result {
	s.logger().Error().Err(err).Str("group", g.id).Msg("regular expressions can't be resolved")
	g.resolution, g.resolving, g.failedAt = nil, false, now.UnixMilli()
	return coordinator.Result{}
}

func (s *State) newResolution(g *consumerGroup, now time.Time) *resolution {
	r := &resolution{texts: sortedKeys(g.patterns), version: s.image.Offset, millis: now.UnixMilli()}
	r.matches = make([][]string, len(r.texts))
	for t := range s.image.Topics.All() {
		r.topics = append(r.topics, t.Name)
	}
	slices.Sort(r.topics)
	return r
}

// resolvedRegexes writes a resolution, and raises the group epoch when it changes what the group reads.
func (s *State) resolvedRegexes(g *consumerGroup, r *resolution, now time.Time) coordinator.Result {
	d := s.decide(g, now)
	topics := maps.Clone(g.topics)
	bump := false
	for i, p := range r.texts {
		if g.patterns[p] == 0 { // nobody subscribes to it any more
			continue
		}
		to := &resolvedRegex{topics: r.matches[i], version: r.version, timestamp: r.millis}
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

func checkRegex(text string) error {
	if _, err := regex.Compile(text); err != nil {
		return refusal{kerr.InvalidRegularExpression, err.Error()}
	}
	return nil
}
