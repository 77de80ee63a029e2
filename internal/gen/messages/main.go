// Command messages reads Kafka's message schemas and writes the codecs and tables made from them:
//
//	metadata/records_gen.go                  the KRaft metadata records
//	protocol/record/control_gen.go           the control records of a log
//	coordinator/group/record/records_gen.go  the records of __consumer_offsets
//	protocol/schema_gen.go                   versions and shapes of every request and response
//
// The schemas lie in Kafka's jars: give a file holding a class path (-classpath), or a folder into
// which they were unpacked (-schemas). Only names, types, versions and defaults are taken over.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	dir := flag.String("schemas", "", "folder with unpacked schemas")
	classpath := flag.String("classpath", "", "file holding a class path with Kafka's jars")
	root := flag.String("root", ".", "root of the module")
	flag.Parse()
	if err := run(*dir, *classpath, *root); err != nil {
		fmt.Fprintln(os.Stderr, "messages:", err)
		os.Exit(1)
	}
}

func run(dir, classpath, root string) error {
	if (dir == "") == (classpath == "") {
		return fmt.Errorf("one of -schemas and -classpath is needed")
	}
	all, err := load(dir, classpath)
	if err != nil {
		return err
	}
	var records []*message
	for _, m := range all {
		if m.Type == "metadata" && strings.Contains(m.path, "common/metadata/") /* tiered storage has records of its own */ {
			records = append(records, m)
		}
	}
	slices.SortFunc(records, func(a, b *message) int { return int(*a.APIKey) - int(*b.APIKey) })
	var logControl []*message
	for _, name := range controlRecords {
		m := all[name]
		if m == nil {
			return fmt.Errorf("no schema for %s", name)
		}
		logControl = append(logControl, m)
	}
	var group []*message
	for _, m := range all {
		if strings.HasPrefix(m.Type, "coordinator-") && strings.Contains(m.path, "group-coordinator") {
			group = append(group, m)
		}
	}
	slices.SortFunc(group, func(a, b *message) int {
		return cmp.Or(int(*a.APIKey)-int(*b.APIKey), strings.Compare(a.Type, b.Type))
	})
	outputs := []struct {
		path string
		make func() (string, error)
	}{
		{"metadata/records_gen.go", func() (string, error) { return emitRecords("metadata", records, metadata) }},
		{"protocol/schema_gen.go", func() (string, error) { return emitTable(all) }},
		{"coordinator/group/record/records_gen.go", func() (string, error) { return emitRecords("record", group, coordinator) }},
		{"protocol/record/control_gen.go", func() (string, error) { return emitRecords("record", logControl, control) }},
	}
	for _, o := range outputs {
		text, err := o.make()
		if err != nil {
			return fmt.Errorf("%s: %w", o.path, err)
		}
		if err := write(filepath.Join(root, o.path), text); err != nil {
			return err
		}
	}
	return nil
}

// controlRecords are the control records of any log, in the order of their types.
var controlRecords = []string{"EndTxnMarker", "LeaderChangeMessage", "SnapshotHeaderRecord", "SnapshotFooterRecord", "KRaftVersionRecord", "VotersRecord"}

func write(path, text string) error {
	out, err := format.Source([]byte(text))
	if err != nil {
		lines := strings.Split(text, "\n")
		for i := range lines {
			lines[i] = fmt.Sprintf("%5d %s", i+1, lines[i])
		}
		return fmt.Errorf("%s: %w\n%s", path, err, strings.Join(lines, "\n"))
	}
	return os.WriteFile(path, out, 0o644)
}
