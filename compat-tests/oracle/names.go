package oracle

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dohle-io/dohle/compat-tests/wire"
)

// names gives what differs between any two clusters a name, in the order of appearance: equal values have equal names,
// so answers that confuse two ids still differ.
type names struct {
	known map[string]string // value → name
	order []string          // values of known, to be looked for in texts
	count map[string]int    // kind → how many
	ports map[string]string
	dir   string
}

func newNames(s *Side) *names {
	n := &names{known: map[string]string{}, count: map[string]int{}, ports: map[string]string{}, dir: s.Dir}
	for what, address := range map[string]string{"<client port>": s.Address, "<controller port>": s.Controller} {
		if _, port, err := net.SplitHostPort(address); err == nil {
			n.ports[port] = what
		}
	}
	return n
}

func (n *names) know(value, name string) {
	if value == "" || value == wire.ZeroUUID || value == "-1" || n.known[value] != "" {
		return
	}
	n.known[value] = name
	n.order = append(n.order, value)
}

func (n *names) name(kind, value string) string {
	key := kind + " " + value
	if name := n.known[value]; name != "" && strings.HasPrefix(name, "$") {
		return name
	}
	if n.known[key] == "" {
		n.count[kind]++
		n.known[key] = fmt.Sprintf("<%s %d>", kind, n.count[kind])
		if len(value) > 6 {
			n.order = append(n.order, value)
			n.known[value] = n.known[key]
		}
	}
	return n.known[key]
}

// value names what is in v, which stands under a field called key.
func (n *names) value(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		fields := make([]string, 0, len(v))
		for field := range v {
			fields = append(fields, field)
		}
		slices.Sort(fields)
		for _, field := range fields {
			v[field] = n.value(field, v[field])
		}
		return v
	case []any:
		v = slices.DeleteFunc(v, ours)
		for i := range v {
			v[i] = n.value(key, v[i])
		}
		return v
	case string:
		return n.string(key, v)
	case int64:
		return n.number(key, v)
	}
	return v
}

// ours says whether something is a config that package node sets for Dohle's sake: Apache Kafka lists it too, without a value.
func ours(v any) bool {
	m, _ := v.(map[string]any)
	name, _ := m["Name"].(string)
	return strings.HasPrefix(name, "dohle.")
}

func (n *names) string(key, v string) any {
	switch key {
	case "ClusterId":
		return n.name("cluster", v)
	case "LogDir":
		if n.dir == "" {
			return n.name("directory", v)
		}
	}
	if len(v) == 22 && v != wire.ZeroUUID && !strings.HasPrefix(v, "AAAAAAAAAAAAAAAAAAAAA") && (strings.Contains(key, "Id") || strings.HasSuffix(key, "Directory")) {
		if _, err := wire.ParseUUID(v); err == nil {
			return n.name("id", v)
		}
	}
	return generated.ReplaceAllStringFunc(n.text(v), func(id string) string { return n.name("uuid", id) })
}

// generated are ids that brokers make for members of groups.
var generated = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// text names ids, ports and directories inside a sentence.
func (n *names) text(v string) string {
	if n.dir != "" {
		v = strings.ReplaceAll(v, n.dir, "<dir>")
	}
	for _, value := range n.order {
		if len(value) > 6 {
			v = strings.ReplaceAll(v, value, n.known[value])
		}
	}
	for port, what := range n.ports {
		v = strings.ReplaceAll(v, ":"+port, ":"+what)
	}
	return v
}

// around is how far from now a time may be to count as now.
const around = time.Hour

func (n *names) number(key string, v int64) any {
	if now := time.Now().UnixMilli(); v > now-around.Milliseconds() && v < now+around.Milliseconds() {
		return "<now>"
	}
	switch key {
	case "Port":
		if name := n.ports[fmt.Sprint(v)]; name != "" {
			return name
		}
	case "SubscriptionId":
		if v != 0 {
			return "<subscription>"
		}
	case "SessionId":
		if v != 0 {
			return n.name("session", fmt.Sprint(v))
		}
	case "ProducerId", "producerId":
		if v >= 0 {
			return n.name("producer", fmt.Sprint(v))
		}
	case "FinalizedFeaturesEpoch", "BrokerEpoch", "TotalBytes", "UsableBytes":
		if v > 0 {
			return "<" + key + ">"
		}
	}
	return v
}

// order sorts a list by its elements' text.
func order(v any) {
	if list, ok := v.([]any); ok {
		slices.SortStableFunc(list, func(a, b any) int { return strings.Compare(wire.JSON(a), wire.JSON(b)) })
	}
}
