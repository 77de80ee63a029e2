package dump

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/dohle-io/dohle/protocol"
)

// maxState bounds the JSON files, in bytes; real ones have about a hundred, and a few per voter.
const maxState = 64 << 10

// quorumFields are the fields of quorum-state in the order of the schema, with the versions of the file that need them.
var quorumFields = []struct {
	name     string
	versions []int16
}{
	{"clusterId", nil},
	{"leaderId", []int16{0, 1}},
	{"leaderEpoch", []int16{0, 1}},
	{"votedId", []int16{0, 1}},
	{"votedDirectoryId", []int16{1}},
	{"appliedOffset", nil},
	{"currentVoters", []int16{0}},
	{"data_version", []int16{0, 1}},
}

// quorumState prints what a node must remember of elections: one object of JSON, version 0 with kraft.version 0,
// version 1 with kraft.version 1.
func (d *dumper) quorumState(s *source) {
	fields, ok := d.object(s)
	if !ok {
		return
	}
	var order []string
	for _, f := range quorumFields {
		order = append(order, f.name)
	}
	d.showFields("quorumState", fields, order)
	version, ok := d.number(fields, "data_version", 16)
	if !ok {
		return
	}
	if version < 0 || version > 1 {
		d.finding(-1, "data_version %d; 0 and 1 are known", version)
		return
	}
	for _, f := range quorumFields {
		_, there := fields[f.name]
		switch needed := slices.Contains(f.versions, int16(version)); {
		case !there && needed:
			d.finding(-1, "%s is missing", f.name)
		case !there:
		case f.name == "votedDirectoryId":
			var id protocol.UUID
			if json.Unmarshal(fields[f.name], &id) != nil {
				d.finding(-1, "votedDirectoryId is not an id")
			}
		case f.name == "currentVoters":
			var voters []struct {
				VoterID *int32 `json:"voterId"`
			}
			if json.Unmarshal(fields[f.name], &voters) != nil {
				d.finding(-1, "currentVoters is not a list of voters")
			}
		case f.name != "clusterId" && f.name != "data_version":
			bits := 32
			if f.name == "appliedOffset" {
				bits = 64
			}
			d.number(fields, f.name, bits)
		}
	}
}

// cleanShutdown prints the marker of a clean stop, with the broker's epoch since KIP-966; older ones are empty.
func (d *dumper) cleanShutdown(s *source) {
	if s.size == 0 {
		return
	}
	fields, ok := d.object(s)
	if !ok {
		return
	}
	d.showFields("cleanShutdown", fields, []string{"version", "brokerEpoch"})
	d.number(fields, "version", 32)
	d.number(fields, "brokerEpoch", 64)
}

// object reads a file that is one object of JSON.
func (d *dumper) object(s *source) (map[string]json.RawMessage, bool) {
	if s.size > maxState {
		d.finding(-1, "%d bytes, more than the %d such a file can have", s.size, maxState)
		return nil, false
	}
	b, err := io.ReadAll(s.reader(0))
	if err != nil {
		d.unread(0, err)
		return nil, false
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil || fields == nil {
		at := int64(0)
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			at = max(syntax.Offset-1, 0)
		}
		if err == nil {
			d.finding(at, "null, and not a JSON object")
		} else {
			d.finding(at, "not a JSON object: %v", err)
		}
		return nil, false
	}
	return fields, true
}

// showFields prints a row of the fields in the given order, then those that are unknown, by name.
func (d *dumper) showFields(kind string, fields map[string]json.RawMessage, order []string) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	d.begin(kind, "")
	for _, name := range order {
		v, there := fields[name]
		if !there {
			continue
		}
		label := name
		if !plain(label) {
			label = string(appendJSONText(nil, label))
			if d.json {
				label = label[1 : len(label)-1]
			}
		}
		var compact bytes.Buffer
		if json.Compact(&compact, v) != nil {
			continue // it was valid a moment ago
		}
		d.raw(label, compact.Bytes())
	}
	d.end()
}

// number reads a whole number of so many bits.
func (d *dumper) number(fields map[string]json.RawMessage, name string, bits int) (int64, bool) {
	v, there := fields[name]
	if !there {
		d.finding(-1, "%s is missing", name)
		return 0, false
	}
	n, err := strconv.ParseInt(string(v), 10, bits)
	if err != nil {
		d.finding(-1, "%s is %s, and not a whole number of %d bits", name, clip(string(v)), bits)
		return 0, false
	}
	return n, true
}
