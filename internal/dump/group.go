package dump

import (
	"fmt"
	"path"
	"strings"

	"github.com/dohle-io/dohle/coordinator/group/record"
	logrecord "github.com/dohle-io/dohle/protocol/record"
)

// isGroupLog says whether a segment belongs to a partition of __consumer_offsets: by the directory's name.
func isGroupLog(name string) bool {
	return strings.HasPrefix(path.Base(path.Dir(name)), "__consumer_offsets-")
}

// groupRecord prints the rest of the row of a record of the group coordinator, as kafka-dump-log --offsets-decoder, but
// with the type by name: key: {"type":"OFFSET_COMMIT","data":{...}} payload: {"version":3,"data":{...}}. A tombstone has
// the payload null. What members of classic groups say to each other stays bytes.
func (d *dumper) groupRecord(r *logrecord.Record, pos int64) {
	m, err := record.Decode(r.Key, r.Value)
	if err != nil || m.Key == nil { // of a later release
		d.bytes("key", r.Key)
		d.rest(r, pos, err, func() { d.bytes("value", r.Value) })
		return
	}
	key := fmt.Appendf(nil, `{"type":"%s","data":`, record.TypeName(m.Type))
	d.raw("key", append(d.appendMessage(key, m.Key, 0), '}'))
	if m.Value == nil {
		d.null("payload")
	} else {
		payload := fmt.Appendf(nil, `{"version":%d,"data":`, m.Version)
		d.raw("payload", append(d.appendMessage(payload, m.Value, m.Version), '}'))
	}
	d.end()
}
