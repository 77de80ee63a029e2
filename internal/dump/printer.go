package dump

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"
)

// printer writes rows of named fields, one a line: `name: value name: value` as text, an object as JSON. A row is made
// by begin, a method per field, end.
type printer struct {
	out  *bufio.Writer
	json bool
	err  error // the first of out
	row  []byte

	path     string // of the open file; every JSON row names it
	findings int    // of the open file
	problem  error  // the first of them
	started  bool   // something was printed
}

func newPrinter(w io.Writer, json bool) *printer {
	return &printer{out: bufio.NewWriterSize(w, window), json: json}
}

func (p *printer) failed() bool { return p.err != nil }

func (p *printer) flush() error {
	if p.err == nil {
		p.err = p.out.Flush()
	}
	return p.err
}

// begin starts a row. kind is its "type" in JSON; lead begins its line of text.
func (p *printer) begin(kind, lead string) {
	p.row = p.row[:0]
	if !p.json {
		p.row = append(p.row, lead...)
		return
	}
	p.row = append(p.row, `{"type":"`...)
	p.row = append(p.row, kind...)
	p.row = append(p.row, `","file":`...)
	p.row = appendJSONText(p.row, p.path)
}

func (p *printer) end() {
	if p.json {
		p.row = append(p.row, '}')
	} else {
		for len(p.row) > 0 && p.row[len(p.row)-1] == ' ' {
			p.row = p.row[:len(p.row)-1]
		}
	}
	p.row = append(p.row, '\n')
	p.started = true
	if p.err == nil {
		_, p.err = p.out.Write(p.row)
	}
	if cap(p.row) > 1<<20 {
		p.row = nil // one huge record does not keep its memory
	}
}

func (p *printer) field(name string) {
	if p.json {
		p.row = append(p.row, `,"`...)
		p.row = append(p.row, name...)
		p.row = append(p.row, `":`...)
		return
	}
	if n := len(p.row); n > 0 && p.row[n-1] != ' ' {
		p.row = append(p.row, ' ')
	}
	p.row = append(p.row, name...)
	p.row = append(p.row, ": "...)
}

func (p *printer) int(name string, v int64) {
	p.field(name)
	p.row = strconv.AppendInt(p.row, v, 10)
}

func (p *printer) bool(name string, v bool) {
	p.field(name)
	p.row = strconv.AppendBool(p.row, v)
}

// word prints one of our own words, which needs no escapes.
func (p *printer) word(name, v string) {
	p.field(name)
	if p.json {
		p.row = append(p.row, '"')
		p.row = append(p.row, v...)
		p.row = append(p.row, '"')
		return
	}
	p.row = append(p.row, v...)
}

// null prints a missing value.
func (p *printer) null(name string) {
	p.field(name)
	p.row = append(p.row, "null"...)
}

// name prints a text that is usually a plain name; in text it is quoted only when it is not.
func (p *printer) name(name, v string) {
	p.field(name)
	if p.json {
		p.row = appendJSONText(p.row, v)
		return
	}
	for i := range len(v) {
		if v[i] <= ' ' || v[i] >= 0x7f || v[i] == '"' {
			p.row = strconv.AppendQuote(p.row, v)
			return
		}
	}
	if v == "" {
		v = `""`
	}
	p.row = append(p.row, v...)
}

// bytes prints bytes of a record; nil is null. In text they are quoted with escapes. In JSON bytes that are not UTF-8
// cannot be a string: they are in base64, and the field's name says so.
func (p *printer) bytes(name string, v []byte) {
	switch {
	case v == nil:
		p.null(name)
	case !p.json:
		p.field(name)
		p.row = appendQuoted(p.row, v)
	case utf8.Valid(v):
		p.field(name)
		p.row = appendJSONText(p.row, v)
	default:
		p.field(name + "Base64")
		p.row = appendBase64(p.row, v)
	}
}

// raw prints a value that is JSON in either form.
func (p *printer) raw(name string, v []byte) {
	p.field(name)
	p.row = append(p.row, v...)
}

// millis prints a time in ms since 1970, in text with the date; negative values mean "none".
func (p *printer) millis(name string, v int64) {
	p.int(name, v)
	const year10000 = 253402300800000
	if p.json || v < 0 || v >= year10000 {
		return
	}
	p.row = append(p.row, " ("...)
	p.row = time.UnixMilli(v).UTC().AppendFormat(p.row, "2006-01-02T15:04:05.000Z")
	p.row = append(p.row, ')')
}

// stamp prints a timestamp with its type, as kafka-dump-log does in text: "CreateTime: 1700000000000".
func (p *printer) stamp(kind, name string, v int64) {
	if p.json {
		p.word("timestampType", kind)
		p.int(name, v)
		return
	}
	p.millis(kind, v)
}

// openFile starts the output of a file.
func (p *printer) openFile(name string) {
	p.path, p.findings, p.problem = name, 0, nil
	if p.started && !p.json && p.err == nil {
		p.err = p.out.WriteByte('\n')
	}
}

// appendQuoted is strconv.AppendQuote for bytes, without making a string of them.
func appendQuoted(dst, v []byte) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(v); {
		c := v[i]
		if c >= ' ' && c < 0x7f {
			if c == '"' || c == '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(v[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		} else {
			mark := len(dst)
			dst = strconv.AppendQuoteRune(dst, r)
			dst = append(dst[:mark], dst[mark+1:len(dst)-1]...)
		}
		i += size
	}
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

func appendBase64(dst, v []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, v)
	return append(dst, '"')
}

// appendJSONText quotes a text for JSON. Bytes that are not UTF-8 become U+FFFD.
func appendJSONText[T string | []byte](dst []byte, v T) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(v); {
		c := v[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		case c < ' ' || c == 0x7f:
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, size := utf8.DecodeRuneInString(string(v[i:min(len(v), i+utf8.UTFMax)]))
			dst = utf8.AppendRune(dst, r)
			i += size
			continue
		}
		i++
	}
	return append(dst, '"')
}

// maxFindings is how many findings of one file are printed; the rest is counted.
const maxFindings = 100

// finding reports damage, or a contradiction, at byte pos of the open file; -1 when it is about the whole file.
func (p *printer) finding(pos int64, format string, args ...any) {
	p.findings++
	if p.findings > maxFindings {
		return
	}
	message := fmt.Sprintf(format, args...)
	if p.problem == nil {
		if pos >= 0 {
			p.problem = fmt.Errorf("%s: byte %d: %s", p.path, pos, message)
		} else {
			p.problem = fmt.Errorf("%s: %s", p.path, message)
		}
	}
	p.begin("error", "error: ")
	if p.json {
		if pos >= 0 {
			p.int("position", pos)
		}
		p.field("message")
		p.row = appendJSONText(p.row, message)
	} else {
		if pos >= 0 {
			p.row = fmt.Appendf(p.row, "byte %d: ", pos)
		} else {
			p.started = true
			p.row = append(p.row, p.path...)
			p.row = append(p.row, ": "...)
		}
		p.row = append(p.row, message...)
	}
	p.end()
}

// closeFile ends the output of a file.
func (d *dumper) closeFile() {
	if d.findings > maxFindings {
		more := d.findings - maxFindings
		d.begin("error", "error: ")
		if d.json {
			d.int("more", int64(more))
		} else {
			d.row = fmt.Appendf(d.row, "and %d more like these", more)
		}
		d.end()
	}
	if d.findings > 0 {
		d.bad++
		if d.first == nil {
			d.first = d.problem
		}
	}
}
