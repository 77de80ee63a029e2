package storage

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dohle-io/dohle/protocol"
)

// Checkpoints are text: a version line, a line with the number of entries, then one line per entry, each ended by a
// newline. Kafka makes them empty before it first writes them, so an empty file is an empty list.

const maxCheckpoint = 256 << 20

func checkpointLines(name string, b []byte) ([]string, error) {
	if len(b) == 0 {
		return nil, nil
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if strings.TrimSpace(lines[0]) != "0" {
		return nil, &CorruptError{name, 0, "unknown version"}
	}
	if len(lines) < 2 {
		return nil, &CorruptError{name, -1, "the number of entries is missing"}
	}
	n, err := strconv.Atoi(strings.TrimSpace(lines[1]))
	if err != nil || n < 0 || n != len(lines)-2 || b[len(b)-1] != '\n' {
		return nil, &CorruptError{name, -1, "the number of entries does not fit"}
	}
	return lines[2:], nil
}

// parseOffsets reads "topic partition offset" lines.
func parseOffsets(name string, b []byte) (map[protocol.TopicPartition]int64, error) {
	lines, err := checkpointLines(name, b)
	if err != nil {
		return nil, err
	}
	out := make(map[protocol.TopicPartition]int64, len(lines))
	for _, line := range lines {
		f := strings.Fields(line)
		if len(f) != 3 {
			return nil, &CorruptError{name, -1, fmt.Sprintf("line %q", line)}
		}
		partition, err := strconv.ParseInt(f[1], 10, 32)
		if err != nil {
			return nil, &CorruptError{name, -1, fmt.Sprintf("line %q", line)}
		}
		offset, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			return nil, &CorruptError{name, -1, fmt.Sprintf("line %q", line)}
		}
		out[protocol.TopicPartition{Topic: f[0], Partition: int32(partition)}] = offset
	}
	return out, nil
}

// offsetEntry is one line of an offset checkpoint.
type offsetEntry struct {
	tp     protocol.TopicPartition
	offset int64
}

func encodeOffsets(list []offsetEntry) []byte {
	slices.SortFunc(list, func(a, b offsetEntry) int {
		return cmp.Or(strings.Compare(a.tp.Topic, b.tp.Topic), cmp.Compare(a.tp.Partition, b.tp.Partition))
	})
	var b []byte
	b = append(b, "0\n"...)
	b = strconv.AppendInt(b, int64(len(list)), 10)
	b = append(b, '\n')
	for _, e := range list {
		b = append(b, e.tp.Topic...)
		b = append(b, ' ')
		b = strconv.AppendInt(b, int64(e.tp.Partition), 10)
		b = append(b, ' ')
		b = strconv.AppendInt(b, e.offset, 10)
		b = append(b, '\n')
	}
	return b
}

// parseEpochs reads "epoch start" lines; both must rise.
func parseEpochs(name string, b []byte) ([]epochStart, error) {
	lines, err := checkpointLines(name, b)
	if err != nil {
		return nil, err
	}
	var out []epochStart
	for _, line := range lines {
		f := strings.Fields(line)
		if len(f) != 2 {
			return nil, &CorruptError{name, -1, fmt.Sprintf("line %q", line)}
		}
		epoch, err1 := strconv.ParseInt(f[0], 10, 32)
		start, err2 := strconv.ParseInt(f[1], 10, 64)
		if err1 != nil || err2 != nil || epoch < 0 || start < 0 {
			return nil, &CorruptError{name, -1, fmt.Sprintf("line %q", line)}
		}
		if n := len(out); n > 0 && (int64(out[n-1].epoch) >= epoch || out[n-1].start >= start) {
			return nil, &CorruptError{name, -1, "epochs are not in order"}
		}
		out = append(out, epochStart{int32(epoch), start})
	}
	return out, nil
}

func encodeEpochs(list []epochStart) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "0\n%d\n", len(list))
	for _, e := range list {
		fmt.Fprintf(&b, "%d %d\n", e.epoch, e.start)
	}
	return b.Bytes()
}
