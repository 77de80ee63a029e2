// Package steps is what the Go clients' programs have in common: the records they write, the digest of what they read,
// and the loop that prints one line for each step.
package steps

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"hash"
	"os"
	"strings"
	"time"
)

// Records is how many are written with each codec.
const Records = 20

// Codecs are in the order of the partitions they are written to.
var Codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// Key of the record at an offset.
func Key(i int) []byte { return fmt.Appendf(nil, "k%d", i) }

// Value of the record at an offset.
func Value(codec string, i int) []byte {
	return fmt.Appendf(nil, "%s-%02d %s", codec, i, strings.Repeat("dohle", 20))
}

// Time is the record's timestamp.
func Time(i int) time.Time { return time.UnixMilli(1_700_000_000_000 + int64(i)*1000) }

// Digest of records in the order of their offsets.
type Digest struct {
	n   int
	sum hash.Hash
}

// NewDigest of no record.
func NewDigest() *Digest { return &Digest{sum: sha256.New()} }

// Add a record with its one header.
func (d *Digest) Add(offset int64, key, value []byte, header string, headerValue []byte) {
	d.n++
	fmt.Fprintf(d.sum, "%d\t%s\t%s\t%s=%s\n", offset, key, value, header, headerValue)
}

// Len is the number of records.
func (d *Digest) Len() int { return d.n }

func (d *Digest) String() string {
	return fmt.Sprintf("%d records, sha256 %x", d.n, d.sum.Sum(nil)[:4])
}

// Args are the program's arguments: --steps LIST BOOTSTRAP TOPIC.
func Args(args []string) (list []string, bootstrap, topic string) {
	if len(args) != 4 || args[0] != "--steps" {
		fmt.Fprintln(os.Stderr, "usage: --steps connect,create-topic,… BOOTSTRAP TOPIC")
		os.Exit(2)
	}
	return strings.Split(args[1], ","), args[2], args[3]
}

// Run takes the steps in their order and ends the process: with 1 if one failed.
func Run(list []string, do map[string]func() (string, error)) {
	code := 0
	for _, step := range list {
		f, ok := do[step]
		if !ok {
			fmt.Printf("%s: not in this client\n", step)
			code = 1
			continue
		}
		result, err := settled(step, f, do)
		if err != nil {
			result, code = "failed: "+strings.ReplaceAll(err.Error(), "\n", " "), 1
		}
		fmt.Printf("%s: %s\n", step, result)
	}
	os.Exit(code)
}

// settled asks again for ten seconds what a broker may answer from before a change: it learns of it a moment later.
func settled(step string, f func() (string, error), do map[string]func() (string, error)) (string, error) {
	result, err := f()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		switch {
		case step == "alter-config" && result != "max.message.bytes=500000", step == "describe-topic" && !strings.HasPrefix(result, "5 "):
			result, err = f()
		case step == "delete-topic" && result == "still there":
			if there, _ := do["list-topics"](); there != "in the list" {
				return "gone", nil
			}
		case step == "create-partitions" && result == "5 partitions":
			if now, _ := do["describe-topic"](); strings.HasPrefix(now, "6 ") {
				return "6 partitions", nil
			}
		default:
			return result, err
		}
	}
	return result, err
}

// Restart asks for a restart of the broker and waits for it.
func Restart() error {
	fmt.Println("restart please")
	_, err := bufio.NewReader(os.Stdin).ReadString('\n')
	return err
}

// Place is where a record was read.
type Place struct {
	Partition int32
	Offset    int64
}

// CommitAt is the offset that a group step commits in partition 0; in the others it commits the end.
const CommitAt = 12

// Resumed says whether the second member read what was not committed and nothing else.
func Resumed(got []Place) string {
	exact := len(got) == Records-CommitAt
	for i := range got {
		exact = exact && got[i] == Place{0, int64(CommitAt + i)}
	}
	if exact {
		return "resumed exactly"
	}
	return fmt.Sprintf("resumed with %v", got)
}
