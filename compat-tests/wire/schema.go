package wire

import (
	_ "embed"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"
)

//go:embed messages.txt
var messagesText string

// Range is an inclusive range of versions; an empty one has Min > Max.
type Range struct{ Min, Max int16 }

const anyVersion = 1<<15 - 1

// Has says whether v is in the range.
func (r Range) Has(v int16) bool { return r.Min <= v && v <= r.Max }

func (r Range) String() string { return fmt.Sprintf("%d-%d", r.Min, r.Max) }

// Message is the shape of a request or a response at all of its versions.
type Message struct {
	Name     string
	Key      int16
	Response bool
	Valid    Range // released versions
	Flexible Range
	Unstable bool     // one more version exists above Valid, not released
	On       []string // kinds of listeners: broker, controller
	Fields   []*Field
}

// Field is one field of a message or of a structure inside it.
type Field struct {
	Name     string
	Kind     string // of one element: int8, …, string, uuid, bytes, records, or struct
	Array    bool
	Versions Range
	Null     Range
	Tag      int // -1: none
	Tagged   Range
	Default  string
	Key      bool
	Fields   []*Field
}

var parsed = sync.OnceValue(func() map[string]*Message {
	all := map[string]*Message{}
	var owners []*Field
	var m *Message
	for n, line := range strings.Split(messagesText, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		depth := len(line) - len(strings.TrimLeft(line, " "))
		words := strings.Fields(line)
		if depth == 0 {
			m = parseMessage(words, n+1)
			all[words[0]+" "+m.Name] = m
			owners = owners[:0]
			continue
		}
		f := parseField(words, n+1)
		owners = append(owners[:depth-1], f)
		if depth == 1 {
			m.Fields = append(m.Fields, f)
		} else {
			parent := owners[depth-2]
			parent.Fields = append(parent.Fields, f)
		}
	}
	return all
})

func parseMessage(words []string, line int) *Message {
	key, err := strconv.Atoi(words[1])
	if err != nil {
		panic(fmt.Sprintf("messages.txt:%d: %v", line, err))
	}
	m := &Message{Name: words[2], Key: int16(key), Response: words[0] == "response", Valid: parseRange(words[3], line), Flexible: Range{1, 0}}
	for _, w := range words[4:] {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "flexible":
			m.Flexible = parseRange(value, line)
		case "unstable":
			m.Unstable = true
			m.Valid.Max--
		case "listeners":
			m.On = strings.Split(value, ",")
		}
	}
	return m
}

func parseField(words []string, line int) *Field {
	f := &Field{Name: strings.ToUpper(words[0][:1]) + words[0][1:], Versions: parseRange(words[2], line), Null: Range{1, 0}, Tagged: Range{1, 0}, Tag: -1}
	f.Kind, f.Array = strings.TrimPrefix(words[1], "[]"), strings.HasPrefix(words[1], "[]")
	if f.Kind[0] >= 'A' && f.Kind[0] <= 'Z' {
		f.Kind = "struct"
	}
	for _, w := range words[3:] {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "null":
			f.Null = parseRange(value, line)
		case "tag":
			tag, versions, _ := strings.Cut(value, "@")
			f.Tag, _ = strconv.Atoi(tag)
			f.Tagged = parseRange(versions, line)
		case "default":
			f.Default = value
		case "key":
			f.Key = true
		}
	}
	return f
}

func parseRange(s string, line int) Range {
	if s == "none" {
		return Range{1, 0}
	}
	low, high, more := strings.Cut(s, "-")
	open := strings.HasSuffix(low, "+")
	from, err := strconv.Atoi(strings.TrimSuffix(low, "+"))
	if err != nil {
		panic(fmt.Sprintf("messages.txt:%d: range %q", line, s))
	}
	to := from
	if open {
		to = anyVersion
	} else if more {
		if to, err = strconv.Atoi(high); err != nil {
			panic(fmt.Sprintf("messages.txt:%d: range %q", line, s))
		}
	}
	return Range{int16(from), int16(to)}
}

// Request is the shape of the requests of an API, which is named as in Kafka's documentation.
func Request(api string) (*Message, error) {
	m := parsed()["request "+api]
	if m == nil {
		return nil, fmt.Errorf("Kafka has no request called %q", api)
	}
	return m, nil
}

// Response is the shape of the answers of an API that Request knows.
func Response(api string) *Message { return parsed()["response "+api] }

// Requests are the shapes of all requests, by key.
func Requests() []*Message {
	var list []*Message
	for _, m := range parsed() {
		if !m.Response {
			list = append(list, m)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Key < list[j].Key })
	return list
}

// ByKey is the request of a key, nil if Kafka has none.
func ByKey(key int16) *Message {
	for _, m := range parsed() {
		if !m.Response && m.Key == key {
			return m
		}
	}
	return nil
}

// FieldNamed is the field of that name anywhere directly in fields, nil if there is none.
func FieldNamed(fields []*Field, name string) *Field {
	for _, f := range fields {
		if f.Name == name {
			return f
		}
	}
	return nil
}

func names(fields []*Field) string {
	var list []string
	for _, f := range fields {
		list = append(list, f.Name)
	}
	return strings.Join(list, ", ")
}
