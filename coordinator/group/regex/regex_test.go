package regex

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/cost"
)

// A golden is what RE2J says about a pattern; testdata/Patterns.java says how.
type golden struct {
	Pattern string
	Error   string
	Topics  []int // which of the topics match
}

func goldens(t testing.TB) (topics []string, all []golden) {
	file, err := os.Open("testdata/re2j-1.8.json.gz")
	require.NoError(t, err)
	defer file.Close()
	unzipped, err := gzip.NewReader(bufio.NewReader(file))
	require.NoError(t, err)
	d := json.NewDecoder(unzipped)
	require.NoError(t, d.Decode(&topics))
	for d.More() {
		var g golden
		require.NoError(t, d.Decode(&g))
		all = append(all, g)
	}
	return topics, all
}

// harder lists what we refuse and RE2J does not, by description: rows R1 to R3 of docs/divergence.md.
var harder = []string{"invalid repeat count", "expression nests too deeply", "more than 250 character classes", "expression too large"}

func TestPatternsMeanWhatTheyMeanToRE2J(t *testing.T) {
	topics, all := goldens(t)
	seen := map[string]int{}
	for _, g := range all {
		short := g.Pattern[:min(len(g.Pattern), 100)]
		p, err := Compile(g.Pattern)
		if err == nil {
			require.Empty(t, g.Error, "%q is refused", short)
			matches := []int{}
			for i, topic := range topics {
				if p.Match(topic) {
					matches = append(matches, i)
				}
			}
			require.Equal(t, g.Topics, matches, "%q", short)
			seen["equal"]++
			continue
		}
		var e *Error
		require.ErrorAs(t, err, &e)
		switch {
		case e.Description == g.Error:
			seen["refused"]++
		case g.Error != "": // more than one thing is wrong: the parsers notice in another order
			seen["refused for another reason"]++
		default:
			require.Contains(t, harder, e.Description, "%q", short)
			seen[e.Description]++
		}
	}
	t.Log(seen)
	require.Less(t, seen["refused for another reason"], len(all)/200)
	for _, description := range harder {
		require.NotZero(t, seen[description], description)
	}
}

func TestRefusalsReadAsKafkas(t *testing.T) {
	for pattern, want := range map[string]string{
		"[a":                 "SubscribedTopicRegex `[a` is not a valid regular expression: missing closing ].",
		"a)":                 "SubscribedTopicRegex `a)` is not a valid regular expression: regexp/syntax: internal error.",
		"(?P<n>a)(?P<n>b)":   "SubscribedTopicRegex `(?P<n>a)(?P<n>b)` is not a valid regular expression: duplicate capture group name.",
		"*":                  "SubscribedTopicRegex `*` is not a valid regular expression: missing argument to repetition operator.",
		"(?=a)":              "SubscribedTopicRegex `(?=a)` is not a valid regular expression: invalid or unsupported Perl syntax.",
		`\p{Latn}`:           "SubscribedTopicRegex `\\p{Latn}` is not a valid regular expression: invalid character class range.",
		"a{+":                "SubscribedTopicRegex `a{+` is not a valid regular expression: invalid nested repetition operator.",
		"(?<":                "SubscribedTopicRegex `(?<` is not a valid regular expression: invalid named capture.",
		"(?:a{100}){100}":    "SubscribedTopicRegex `(?:a{100}){100}` is not a valid regular expression: invalid repeat count.",
		`(\p{Adlam}|[a-z])+`: "SubscribedTopicRegex `(\\p{Adlam}|[a-z])+` is not a valid regular expression: invalid character class range.",
	} {
		_, err := Compile(pattern)
		require.EqualError(t, err, want)
	}
}

func TestTheWholeNameMustMatch(t *testing.T) {
	for pattern, want := range map[string][]string{
		"foo":         {"foo"},
		"foo|foo.bar": {"foo", "foo.bar"},
		"fo*?":        {"foo"},
		`\Qfoo.bar`:   {"foo.bar"},
		".*bar":       {"foo.bar", "bar"},
		"(?i)BAR":     {"bar"},
		"":            nil,
		`bar\é?|bar`:  {"bar"},
	} {
		p, err := Compile(pattern)
		require.NoError(t, err)
		require.Equal(t, pattern, p.String())
		var got []string
		for _, topic := range []string{"foo", "foo.bar", "bar", "foo-bar-baz"} {
			if p.Match(topic) {
				got = append(got, topic)
			}
		}
		require.Equal(t, want, got, pattern)
	}
}

func TestHostilePatternsAreCheap(t *testing.T) {
	for name, pattern := range map[string]string{
		"large classes":        strings.Repeat(`\pL`, 10_000),
		"many classes":         strings.Repeat(`[a-z]`, 6_000),
		"folded classes":       "(?i)" + strings.Repeat("[B-\U0001E942]", 240),
		"folded ranges":        "(?i)[" + strings.Repeat("B-\U0001E942", 5_000) + "]",
		"a few folded ranges":  "(?i)[" + strings.Repeat(`B-\x{1E942}`, 24) + "]",
		"repeated classes":     strings.Repeat(`\pL{1000}`, 240),
		"repeated repetitions": strings.Repeat("(?:(?:a{10}){10}){10}", 1_500),
		"repetitions of all":   "(?:" + strings.Repeat("a?", 15_000) + "){1000}",
		"deep":                 strings.Repeat("(", 16_000) + strings.Repeat(")", 16_000),
		"alternatives":         strings.Repeat("a|bc|", 6_500),
		"empty alternatives":   strings.Repeat("|", 32_000),
		"quotations":           strings.Repeat(`\Q\E`, 8_000),
		"unclosed quotation":   strings.Repeat(`\Qa`, 10_000),
		"unclosed classes":     strings.Repeat(`[[:`, 10_000),
		"unclosed properties":  strings.Repeat(`\x{`, 10_000),
		"flags":                strings.Repeat(`(?i)(?-i)`, 3_500),
		"names":                strings.Repeat(`(?P<n>a)`, 4_000),
	} {
		cost.Bounded(t, len(pattern), 48<<20, func() {
			if p, err := Compile(pattern); err == nil {
				p.Match(strings.Repeat("a", 249))
			} else if len(err.Error()) < 100+len(pattern) {
				t.Logf("%s: %s", name, err.Error()[len(pattern):])
			}
		})
	}
}

func FuzzCompile(f *testing.F) {
	_, all := goldens(f)
	for i, g := range all {
		if len(g.Pattern) < 100 && i%10 == 0 {
			f.Add(g.Pattern)
		}
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		if len(pattern) > 1<<15 {
			return
		}
		cost.Bounded(t, len(pattern), 48<<20, func() { Compile(pattern) })
		p, err := Compile(pattern)
		if err != nil {
			return
		}
		for _, topic := range []string{"", "a", "foo.bar", strings.Repeat("ab-", 83)} {
			p.Match(topic)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	topics := make([]string, 10_000)
	for i := range topics {
		topics[i] = fmt.Sprintf("team%d.payments-%d.v1", i%7, i)
	}
	for _, pattern := range []string{`team3\..*`, `.*payments-[0-9]*7\.v\d+`, "(team1|team2).*", strings.Join(topics[:50], "|")} {
		b.Run(pattern[:min(len(pattern), 20)], func(b *testing.B) {
			p, err := Compile(pattern)
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				for _, topic := range topics {
					p.Match(topic)
				}
			}
		})
	}
}
