package compat

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// long asks for the full figures: 100,000 lines instead of 20,000 for each codec of each client, 60 kills.
var long = os.Getenv("LONG") != ""

func corpusLines() int {
	if long {
		return 100_000
	}
	return 20_000
}

// corpus is a text with lines of every length up to a few hundred bytes, some empty of
// ASCII, none empty: a stock console tool reads an empty line as nothing.
func corpus(t *testing.T) (path string, text []byte) {
	t.Helper()
	var b bytes.Buffer
	words := strings.Fields("Dohle Kavka jackdaw šedohlavá 寒鴉 broker partition offset segment watermark epoch leader replica batch")
	for i := range corpusLines() {
		fmt.Fprintf(&b, "%06d", i)
		for k := range i % 17 {
			b.WriteByte(' ')
			b.WriteString(words[(i*7+k*3)%len(words)])
		}
		b.WriteByte('\n')
	}
	path = filepath.Join(t.TempDir(), "corpus.txt")
	must(t, os.WriteFile(path, b.Bytes(), 0o600))
	return path, b.Bytes()
}

var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// Debian's kcat writes a text and reads it back, byte for byte, with each codec.
func TestKcatRoundTrip(t *testing.T) {
	n := startDev(t)
	path, text := corpus(t)
	for _, codec := range codecs {
		t.Run(codec, func(t *testing.T) {
			topic := "kcat-" + codec
			output(t, "kcat", "-m", "60", "-b", n.bootstrap, "-P", "-t", topic, "-p", "0", "-z", codec, "-l", path)
			same(t, text, output(t, "kcat", "-m", "60", "-b", n.bootstrap, "-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q"))
		})
	}
}

// Kafka's console producer (idempotent by default) and console consumer, without a group.
func TestConsoleToolsRoundTrip(t *testing.T) {
	n := startDev(t)
	path, text := corpus(t)
	for _, codec := range codecs {
		t.Run(codec, func(t *testing.T) {
			topic := "console-" + codec
			file, err := os.Open(path)
			must(t, err)
			defer file.Close()
			pipe(t, file, "java", append(jvm(t), tools+"ConsoleProducer", "--bootstrap-server", n.bootstrap, "--topic", topic, "--compression-codec", codec, "--request-timeout-ms", "30000")...)
			got := kafkaTool(t, tools+"consumer.ConsoleConsumer", "--bootstrap-server", n.bootstrap, "--topic", topic,
				"--partition", "0", "--offset", "earliest", "--max-messages", fmt.Sprint(corpusLines()))
			same(t, text, got)
		})
	}
}

// same fails with the first line that differs.
func same(t *testing.T, want []byte, got string) {
	t.Helper()
	if string(want) == got {
		return
	}
	w, g := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range w {
		if i >= len(g) || w[i] != g[i] {
			line := "(nothing)"
			if i < len(g) {
				line = g[i]
			}
			t.Fatalf("line %d of %d differs: wrote %q, read %q (%d lines)", i+1, len(w), w[i], line, len(g))
		}
	}
	t.Fatalf("read %d lines more than were written", len(g)-len(w))
}
