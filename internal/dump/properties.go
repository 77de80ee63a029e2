package dump

import (
	"strconv"
	"strings"

	"github.com/dohle-io/dohle/protocol"
)

// partitionMetadata prints "version: 0" and "topic_id: <id>" (KIP-516).
func (d *dumper) partitionMetadata(s *source) {
	found := map[string]string{}
	d.lines(s, func(line string, at int64) bool {
		key, value, ok := strings.Cut(line, ": ")
		if !ok {
			d.finding(at, "the line is %q, and not `name: value`", clip(line))
			return false
		}
		d.property(key, value)
		if _, twice := found[key]; twice {
			d.finding(at, "%q stands there a second time", clip(key))
			return false
		}
		if len(found) < 16 {
			found[key] = value
		}
		return true
	})
	if d.findings > 0 {
		return
	}
	if v := found["version"]; v != "0" {
		d.finding(-1, "version %q, and only 0 is known", clip(v))
	}
	if id, err := protocol.ParseUUID(found["topic_id"]); err != nil || id.IsZero() {
		d.finding(-1, "topic_id %q is not a topic's id", clip(found["topic_id"]))
	}
}

// metaProperties prints the identity of a log directory (KIP-858), a Java properties file. Comments are left out, but
// for the time of writing that Java puts into the last of them.
func (d *dumper) metaProperties(s *source) {
	found := map[string]string{}
	d.lines(s, func(line string, at int64) bool {
		line = strings.TrimSpace(line)
		if line == "" {
			return true
		}
		if line[0] == '#' || line[0] == '!' {
			if text := strings.TrimSpace(line[1:]); text != "" {
				d.begin("comment", "")
				d.field("comment")
				if d.json {
					d.row = appendJSONText(d.row, text)
				} else {
					d.row = appendQuoted(d.row, []byte(text))
				}
				d.end()
			}
			return true
		}
		key, value, ok := splitProperty(line)
		if !ok {
			d.finding(at, "the line is %q, and not a property", clip(line))
			return true
		}
		d.property(key, value)
		if len(found) < 64 {
			found[key] = value
		}
		return true
	})
	if d.findings > 0 {
		return
	}
	if v := found["version"]; v != "1" {
		d.finding(-1, "version %q, and only 1 is known", clip(v))
	}
	if n, err := strconv.ParseInt(found["node.id"], 10, 32); err != nil || n < 0 {
		d.finding(-1, "node.id %q is not a node's id", clip(found["node.id"]))
	}
	if found["cluster.id"] == "" {
		d.finding(-1, "cluster.id is missing")
	}
	if id, ok := found["directory.id"]; ok {
		if _, err := protocol.ParseUUID(id); err != nil {
			d.finding(-1, "directory.id %q is not an id", clip(id))
		}
	}
}

func (d *dumper) property(key, value string) {
	d.begin("property", "")
	d.name("name", key)
	d.name("value", value)
	d.end()
}

// splitProperty reads one line of a Java properties file: the key ends at the first '=', ':' or blank that has no
// backslash before it. Lines that go on in the next one do not occur in the files Kafka writes.
func splitProperty(line string) (key, value string, ok bool) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
			continue
		}
		if strings.IndexByte("=: \t", line[i]) >= 0 {
			end = i
			break
		}
	}
	value = strings.TrimLeft(line[end:], " \t")
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], " \t")
	}
	key, ok1 := unescapeProperty(line[:end])
	value, ok2 := unescapeProperty(value)
	return key, value, ok1 && ok2 && key != "" && end < len(line)
}

func unescapeProperty(s string) (string, bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", false
		}
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			if len(s)-i < 5 {
				return "", false
			}
			r, err := strconv.ParseUint(s[i+1:i+5], 16, 16)
			if err != nil {
				return "", false
			}
			b.WriteRune(rune(r))
			i += 4
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), true
}
