package regex

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// Bounds on patterns. Their length is bounded by the protocol: a string has at most 32,767 bytes.
const (
	maxClasses  = 250    // [...] and \p: each may be a large table
	wideClasses = 10     // a character beyond ASCII in [...] counts as so many: it may end a range that is folded, in 2 ms
	maxSize     = 50_000 // nodes when repetitions are written out: about 6 MB when compiled
)

// Pattern is a compiled regular expression.
type Pattern struct {
	text string
	re   *regexp.Regexp
	cost int
}

// An Error says why a pattern is not one. Clients see INVALID_REGULAR_EXPRESSION with its text.
type Error struct {
	Pattern     string
	Description string // RE2J's words where it refuses the pattern too
}

func (e *Error) Error() string {
	return fmt.Sprintf("SubscribedTopicRegex `%s` is not a valid regular expression: %s.", e.Pattern, e.Description)
}

// Compile reads a pattern. Every error is an *Error.
func Compile(text string) (*Pattern, error) {
	ours, ok := translate(text)
	if !ok {
		return nil, &Error{text, "more than 250 character classes"}
	}
	tree, err := syntax.Parse(ours.text, syntax.Perl)
	switch {
	case err != nil:
		return nil, &Error{text, description(err, ours.text)}
	case ours.problem != "":
		return nil, &Error{text, ours.problem}
	case twice(tree.CapNames()):
		return nil, &Error{text, "duplicate capture group name"}
	}
	cost := size(tree, maxSize)
	if cost > maxSize {
		return nil, &Error{text, "expression too large"}
	}
	re, err := regexp.Compile(ours.text)
	if err != nil {
		return nil, &Error{text, description(err, ours.text)}
	}
	re.Longest() // the longest match of those that begin first is the whole text when any is
	return &Pattern{text, re, cost}, nil
}

// String is the pattern as the member gave it.
func (p *Pattern) String() string { return p.text }

// Cost is the nodes of the pattern, repetitions written out, at most 50,000: what a topic costs grows with it.
func (p *Pattern) Cost() int { return p.cost }

// Match reports whether the pattern matches the whole name of a topic. It takes microseconds, with the worst of patterns
// 0.2 s.
func (p *Pattern) Match(topic string) bool {
	at := p.re.FindStringIndex(topic)
	return at != nil && at[0] == 0 && at[1] == len(topic)
}

// description is an error of Go's parser in RE2J's words.
func description(err error, text string) string {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	switch {
	case e.Code == syntax.ErrUnexpectedParen:
		return "regexp/syntax: internal error"
	case e.Code == syntax.ErrInvalidPerlOp && (e.Expr == "(?P<" || e.Expr == "(?<") && strings.HasSuffix(text, e.Expr),
		e.Code == syntax.ErrInvalidPerlOp && e.Expr == "(?" && (strings.HasSuffix(text, "(?P<") || strings.HasSuffix(text, "(?<")):
		return string(syntax.ErrInvalidNamedCapture)
	}
	return string(e.Code)
}

// twice reports whether a name, which is not empty, comes twice.
func twice(names []string) bool {
	seen := map[string]bool{}
	for _, name := range names {
		if name != "" && seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}

// size is the number of nodes of a tree when its repetitions are written out; any number above limit when it is above.
func size(tree *syntax.Regexp, limit int) int {
	n := 1
	if tree.Op == syntax.OpLiteral {
		n = len(tree.Rune)
	}
	for _, sub := range tree.Sub {
		if n > limit {
			return n
		}
		n += size(sub, limit)
	}
	if tree.Op == syntax.OpRepeat {
		n *= max(1, tree.Min, tree.Max)
	}
	return n
}
