// Command gen writes messages.txt: names, types, versions, tags and defaults of every request and response, read from
// the message schemas in Apache Kafka's own jars. Nothing else of them is taken over.
//
//	go run ./wire/gen -classpath kafka/classpath.txt -out wire/messages.txt
package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

type field struct {
	Name             string          `json:"name"`
	Type             string          `json:"type"`
	Versions         string          `json:"versions"`
	NullableVersions string          `json:"nullableVersions"`
	TaggedVersions   string          `json:"taggedVersions"`
	Tag              *int            `json:"tag"`
	Default          json.RawMessage `json:"default"`
	MapKey           bool            `json:"mapKey"`
	Fields           []field         `json:"fields"`
}

type message struct {
	APIKey           *int     `json:"apiKey"`
	Type             string   `json:"type"`
	Name             string   `json:"name"`
	ValidVersions    string   `json:"validVersions"`
	FlexibleVersions string   `json:"flexibleVersions"`
	Unstable         bool     `json:"latestVersionUnstable"`
	Fields           []field  `json:"fields"`
	CommonStructs    []field  `json:"commonStructs"`
	Listeners        []string `json:"listeners"`
}

func main() {
	classpath := flag.String("classpath", "kafka/classpath.txt", "file holding a class path with Apache Kafka's jars")
	out := flag.String("out", "wire/messages.txt", "file to write")
	flag.Parse()
	if err := run(*classpath, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(classpath, out string) error {
	text, err := os.ReadFile(classpath)
	if err != nil {
		return err
	}
	var all []message
	for _, jar := range filepath.SplitList(strings.TrimSpace(string(text))) {
		if !strings.HasPrefix(filepath.Base(jar), "kafka-clients-") {
			continue
		}
		if all, err = read(jar); err != nil {
			return err
		}
	}
	if len(all) == 0 {
		return fmt.Errorf("%s names no kafka-clients jar with schemas", classpath)
	}
	slices.SortFunc(all, func(a, b message) int {
		if *a.APIKey != *b.APIKey {
			return *a.APIKey - *b.APIKey
		}
		return strings.Compare(a.Type, b.Type)
	})
	var b bytes.Buffer
	b.WriteString("# Made from Apache Kafka's message schemas by wire/gen. Do not edit.\n")
	for _, m := range all {
		name := strings.TrimSuffix(strings.TrimSuffix(m.Name, "Request"), "Response")
		fmt.Fprintf(&b, "%s %d %s %s flexible=%s", m.Type, *m.APIKey, name, m.ValidVersions, m.FlexibleVersions)
		if m.Unstable {
			b.WriteString(" unstable")
		}
		if len(m.Listeners) > 0 {
			fmt.Fprintf(&b, " listeners=%s", strings.Join(m.Listeners, ","))
		}
		b.WriteByte('\n')
		common := map[string][]field{}
		for _, c := range m.CommonStructs {
			common[c.Name] = c.Fields
		}
		emit(&b, m.Fields, common, 1)
	}
	return os.WriteFile(out, b.Bytes(), 0o644)
}

func emit(b *bytes.Buffer, fields []field, common map[string][]field, depth int) {
	for _, f := range fields {
		fmt.Fprintf(b, "%s%s %s %s", strings.Repeat(" ", depth), f.Name, f.Type, f.Versions)
		if f.NullableVersions != "" {
			fmt.Fprintf(b, " null=%s", f.NullableVersions)
		}
		if f.Tag != nil {
			fmt.Fprintf(b, " tag=%d@%s", *f.Tag, f.TaggedVersions)
		}
		if f.Default != nil {
			fmt.Fprintf(b, " default=%s", strings.Trim(string(f.Default), `"`))
		}
		if f.MapKey {
			b.WriteString(" key")
		}
		b.WriteByte('\n')
		sub := f.Fields
		if sub == nil {
			sub = common[strings.TrimPrefix(f.Type, "[]")]
		}
		emit(b, sub, common, depth+1)
	}
}

var comment = regexp.MustCompile(`(?m)^\s*//.*$`)

func read(jar string) ([]message, error) {
	z, err := zip.OpenReader(jar)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var all []message
	for _, entry := range z.File {
		if !strings.HasPrefix(entry.Name, "common/message/") || !strings.HasSuffix(entry.Name, ".json") {
			continue
		}
		f, err := entry.Open()
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			return nil, err
		}
		var m message
		if err := json.Unmarshal(comment.ReplaceAll(text, nil), &m); err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name, err)
		}
		if m.APIKey == nil || m.ValidVersions == "none" || (m.Type != "request" && m.Type != "response") {
			continue
		}
		all = append(all, m)
	}
	return all, nil
}
