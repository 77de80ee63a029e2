package dump

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol/record"
)

// records prints the records of one batch as far as they can be read.
func (d *dumper) records(b record.Batch, pos int64, st *logState) {
	st.reader.Reset(b, d.codecs, d.maxDecompressed)
	last := b.BaseOffset() - 1
	for st.reader.Next() && !d.failed() {
		r := st.reader.Record()
		d.record(b, r, pos, st)
		if r.Offset <= last || r.Offset > b.LastOffset() {
			d.finding(pos, "a record of the batch has offset %d, which is not between %d and %d", r.Offset, last+1, b.LastOffset())
		}
		last = r.Offset
		if st.first < 0 {
			st.first = r.Offset
		} else if r.Offset > st.lastSeen+1 {
			st.missing += r.Offset - st.lastSeen - 1
		}
		st.lastSeen = r.Offset
		st.records++
	}
	if err := st.reader.Err(); err != nil {
		d.finding(pos, "the records of the batch at offset %d cannot be read further: %s", b.BaseOffset(), reason(err))
	}
}

func (d *dumper) record(b record.Batch, r *record.Record, pos int64, st *logState) {
	d.begin("record", "| ")
	d.int("offset", r.Offset)
	d.stamp(b.TimestampType().String(), "timestamp", r.Timestamp)
	d.int("keySize", size(r.Key))
	d.int("valueSize", size(r.Value))
	sequence := record.NoSequence
	if b.BaseSequence() != record.NoSequence && r.OffsetDelta >= 0 {
		sequence = record.AddSequence(b.BaseSequence(), r.OffsetDelta)
	}
	d.int("sequence", int64(sequence))
	d.headers(r)
	control := record.ControlType(-1)
	switch {
	case b.IsControl():
		control = d.control(r, pos)
	case st.metadata:
		d.metadataValue(r, pos)
	case st.group:
		d.groupRecord(r, pos)
	default:
		d.bytes("key", r.Key)
		d.bytes("value", r.Value)
		d.end()
	}
	if st.records == 0 {
		st.firstControl = control
	}
	st.lastControl = control
}

// reason is an error's text without the sentence that Kafka's protocol has for its kind.
func reason(err error) string {
	text := err.Error()
	if named := (*kerr.Error)(nil); errors.As(err, &named) {
		text = strings.TrimSuffix(text, ": "+named.Error())
	}
	return text
}

// size is the length of a key or value, -1 for null.
func size(b []byte) int64 {
	if b == nil {
		return -1
	}
	return int64(len(b))
}

// headers prints a record's headers: [key="value",...] as text, a list of objects as JSON.
func (d *dumper) headers(r *record.Record) {
	d.field("headers")
	d.row = append(d.row, '[')
	n := 0
	for key, value := range r.AllHeaders() {
		if n > 0 {
			d.row = append(d.row, ',')
		}
		n++
		if d.json {
			d.row = append(d.row, '{')
			d.headerPart("key", key)
			d.row = append(d.row, ',')
			d.headerPart("value", value)
			d.row = append(d.row, '}')
			continue
		}
		if plain(key) {
			d.row = append(d.row, key...)
		} else {
			d.row = appendQuoted(d.row, key)
		}
		d.row = append(d.row, '=')
		if value == nil {
			d.row = append(d.row, "null"...)
		} else {
			d.row = appendQuoted(d.row, value)
		}
	}
	d.row = append(d.row, ']')
}

func (d *dumper) headerPart(name string, v []byte) {
	text := utf8.Valid(v)
	if !text {
		name += "Base64"
	}
	d.row = strconv.AppendQuote(d.row, name)
	d.row = append(d.row, ':')
	switch {
	case v == nil:
		d.row = append(d.row, "null"...)
	case text:
		d.row = appendJSONText(d.row, v)
	default:
		d.row = appendBase64(d.row, v)
	}
}

// plain says that a text needs no quotes.
func plain[T string | []byte](v T) bool {
	for i := range len(v) {
		if c := v[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == ',' || c == '[' || c == ']' {
			return false
		}
	}
	return len(v) > 0
}
