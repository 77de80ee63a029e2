package dump

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

// maxLine bounds one line of a text file, in bytes; a checkpoint's longest has a topic name and two numbers.
const maxLine = 4 << 10

// lines yields the lines of a text file without their ends, each with its position. A line that is too long or that
// cannot be read is a finding and ends it.
func (d *dumper) lines(s *source, visit func(line string, at int64) bool) {
	in := s.reader(0)
	for at := int64(0); at < s.size && !d.failed(); {
		b, err := readLine(in)
		if errors.Is(err, bufio.ErrTooLong) {
			d.finding(at, "a line of more than %d bytes; the rest is not read", maxLine)
			return
		}
		if err != nil && (!errors.Is(err, io.EOF) || len(b) == 0) {
			d.unread(at, err)
			return
		}
		if !visit(string(bytes.TrimRight(b, "\r\n")), at) {
			return
		}
		at += int64(len(b))
	}
}

func readLine(in *bufio.Reader) (line []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return nil, bufio.ErrTooLong
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// checkpoint reads Kafka's checkpoint form: a line with the version 0, a line with the number of entries, a line per
// entry. Kafka makes the files empty, so an empty one has no entries.
func (d *dumper) checkpoint(s *source, entry func(fields []string, at int64) bool) {
	n, want := int64(0), int64(0)
	stage := 0
	d.lines(s, func(line string, at int64) bool {
		fields := strings.Fields(line)
		stage++
		switch stage {
		case 1:
			if line != "0" {
				d.finding(at, "the version line is %q, and only 0 is known", clip(line))
				return false
			}
		case 2:
			var err error
			if want, err = strconv.ParseInt(line, 10, 32); err != nil || want < 0 {
				d.finding(at, "the number of entries is %q", clip(line))
				return false
			}
		default:
			if !entry(fields, at) {
				d.finding(at, "the entry is %q", clip(line))
				return true
			}
			n++
		}
		return true
	})
	d.begin("summary", "summary: ")
	d.int("entries", n)
	d.end()
	switch {
	case stage == 1 && d.findings == 0:
		d.finding(s.size, "the number of entries is missing")
	case stage > 1 && d.findings == 0 && n != want:
		d.finding(-1, "the head counts %d entries, and the file holds %d", want, n)
	}
}

// offsets prints an offset checkpoint: "topic partition offset" lines.
func (d *dumper) offsets(s *source) {
	d.checkpoint(s, func(f []string, _ int64) bool {
		if len(f) != 3 {
			return false
		}
		partition, err1 := strconv.ParseInt(f[1], 10, 32)
		offset, err2 := strconv.ParseInt(f[2], 10, 64)
		if err1 != nil || err2 != nil {
			return false
		}
		d.begin("checkpoint", "")
		d.name("topic", f[0])
		d.int("partition", partition)
		d.int("offset", offset)
		d.end()
		return true
	})
}

// epochs prints a leader epoch checkpoint: "epoch start" lines, both rising.
func (d *dumper) epochs(s *source) {
	lastEpoch, lastStart := int64(-1), int64(-1)
	d.checkpoint(s, func(f []string, at int64) bool {
		if len(f) != 2 {
			return false
		}
		epoch, err1 := strconv.ParseInt(f[0], 10, 32)
		start, err2 := strconv.ParseInt(f[1], 10, 64)
		if err1 != nil || err2 != nil {
			return false
		}
		d.begin("leaderEpoch", "")
		d.int("epoch", epoch)
		d.int("startOffset", start)
		d.end()
		if epoch <= lastEpoch || start <= lastStart {
			d.finding(at, "epoch %d from offset %d on does not lie above the one before it", epoch, start)
		}
		lastEpoch, lastStart = epoch, start
		return true
	})
}

// clip keeps a quoted piece of a file short.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
