package regex

import (
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// A translation is a pattern of RE2J as Go reads it.
type translation struct {
	text    string
	problem string // what RE2J has against a pattern that Go would accept; "" = nothing
}

// translate goes over a pattern once. ok is false when it has more than maxClasses classes. The text need not be a pattern:
// what is not is left to Go's parser, which refuses it.
func translate(text string) (t translation, ok bool) {
	text = strings.ToValidUTF8(text, "\ufffd") // as Java decodes it
	s := scanner{text: text}
	brace := false // the token before was a "{" that stands for itself
	for s.rest() != "" {
		token := s.next()
		if s.classes > maxClasses {
			return t, false
		}
		switch {
		case s.problem != "":
			// An earlier one is told.
		case brace && repeats(token):
			// RE2J remembers the place of every "{" as that of a repetition, also when it is none.
			s.problem = string(syntax.ErrInvalidRepeatOp)
		}
		brace = token == "{"
	}
	return translation{s.changed.String() + text[s.kept:], s.problem}, true
}

// repeats reports whether a token is a repetition.
func repeats(token string) bool {
	switch token[0] {
	case '*', '+', '?':
		return true
	}
	return token[0] == '{' && len(token) > 1
}

// A scanner cuts a pattern into tokens: an escape, a quotation, a class, a repetition or a character.
type scanner struct {
	text    string
	pos     int // of what comes next
	classes int // seen so far
	problem string

	changed strings.Builder // what Go reads instead of text[:kept]
	kept    int
}

func (s *scanner) rest() string { return s.text[s.pos:] }

// take goes on by n bytes.
func (s *scanner) take(n int) string {
	s.pos += n
	return s.text[s.pos-n : s.pos]
}

// replace goes on by n bytes, for which Go reads text.
func (s *scanner) replace(n int, text string) {
	s.changed.WriteString(s.text[s.kept:s.pos])
	s.changed.WriteString(text)
	s.pos += n
	s.kept = s.pos
}

// next takes the next token.
func (s *scanner) next() string {
	switch s.rest()[0] {
	case '\\':
		if strings.HasPrefix(s.rest(), `\Q`) {
			if end := strings.Index(s.rest(), `\E`); end >= 0 {
				return s.take(end + 2)
			}
			return s.take(len(s.rest()))
		}
		return s.escape()
	case '[':
		return s.class()
	case '{':
		return s.take(max(1, repetition(s.rest())))
	}
	_, n := utf8.DecodeRuneInString(s.rest())
	return s.take(n)
}

// escape takes an escape, in a class or outside.
func (s *scanner) escape() string {
	if len(s.rest()) == 1 {
		return s.take(1)
	}
	_, n := utf8.DecodeRuneInString(s.rest()[1:])
	n++
	switch c := s.rest()[1]; {
	case c == 'p' || c == 'P':
		s.classes++
		return s.property()
	case c == 'x' && strings.HasPrefix(s.rest()[2:], "{"):
		if end := strings.IndexByte(s.rest(), '}'); end >= 0 {
			n = end + 1
		}
	case c >= utf8.RuneSelf:
		// RE2J takes an escaped character for itself unless it is a letter or digit of ASCII; Go asks that it be ASCII.
		s.replace(1, "")
		n--
	}
	return s.take(n)
}

// property takes \pN, \p{Name} or \p{^Name}.
func (s *scanner) property() string {
	rest := s.rest()
	var before, name, after string
	switch {
	case len(rest) < 3:
		return s.take(len(rest))
	case rest[2] == '{':
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return s.take(len(rest)) // Go refuses it
		}
		before, name, after = rest[:3], rest[3:end], rest[end:end+1]
		if strings.HasPrefix(name, "^") {
			before, name = rest[:4], name[1:]
		}
	default:
		_, size := utf8.DecodeRuneInString(rest[2:])
		before, name = rest[:2], rest[2:2+size]
	}
	whole := rest[:len(before)+len(name)+len(after)]
	switch {
	case !classNames[name]:
		if s.problem == "" {
			s.problem = string(syntax.ErrInvalidCharRange)
		}
	case strings.Contains(name, "_") || name == "Unknown":
		// Go 1.26 does not find scripts of several words, and does not know this one. A topic's name is ASCII, and none
		// of these has a character of that: for a topic they mean what Runic means.
		s.replace(len(whole), before+"Runic"+after)
		return whole
	}
	return s.take(len(whole))
}

// class takes [...].
func (s *scanner) class() string {
	from := s.pos
	s.classes++
	s.take(1)
	if strings.HasPrefix(s.rest(), "^") {
		s.take(1)
	}
	for first := true; s.rest() != "" && (first || s.rest()[0] != ']'); first = false {
		switch {
		case s.rest()[0] == '\\':
			if strings.HasPrefix(s.rest(), `\x{`) {
				s.classes += wideClasses
			}
			s.escape()
		case strings.HasPrefix(s.rest(), "[:"):
			if end := strings.Index(s.rest()[2:], ":]"); end >= 0 {
				s.take(end + 4)
				continue
			}
			s.take(1)
		default:
			_, n := utf8.DecodeRuneInString(s.rest())
			if n > 1 {
				s.classes += wideClasses
			}
			s.take(n)
		}
	}
	if s.rest() != "" {
		s.take(1)
	}
	return s.text[from:s.pos]
}

// repetition is the length of {n}, {n,} or {n,m} at the start of text, with numbers as RE2J reads them; 0 for anything else.
func repetition(text string) int {
	n := 1
	digits := func() bool {
		from := n
		for n < len(text) && '0' <= text[n] && text[n] <= '9' {
			n++
		}
		return n-from == 1 || n-from > 1 && text[from] != '0'
	}
	if !digits() {
		return 0
	}
	if n < len(text) && text[n] == ',' {
		n++
		if n < len(text) && text[n] != '}' && !digits() {
			return 0
		}
	}
	if n >= len(text) || text[n] != '}' {
		return 0
	}
	return n + 1
}
