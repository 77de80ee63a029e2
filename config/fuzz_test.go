package config

import (
	"strings"
	"testing"

	"github.com/dohle-io/dohle/internal/cost"
)

// FuzzFile: whatever the text, loading ends with a file that answers every key, or with an error.
func FuzzFile(f *testing.F) {
	f.Add(stock, "num.partitions=3")
	f.Add("a=\\u12", "x")
	f.Add("listeners=PLAINTEXT://[::1]:9092,CONTROLLER://:9093\\\n", "controller.quorum.voters=1@a:1")
	f.Add("node.id=1\nprocess.roles=broker\ncontroller.listener.names=C", "max.connections.per.ip.overrides=a:b:1")
	f.Add("listener.name.\nlistener.name.x.\n${}\n=", "=")
	f.Add(strings.Repeat("k\\\n", 200)+"=v", "a=b")
	f.Fuzz(func(t *testing.T, text, override string) {
		cost.Bounded(t, len(text), 64<<10, func() { parseProperties([]byte(text)) })
		values, _, err := parseProperties([]byte(text))
		if err != nil {
			return
		}
		over, err := parseOverrides([]string{override})
		if err != nil {
			return
		}
		for k, v := range base {
			if _, ok := values[k]; !ok {
				values[k] = v
			}
		}
		set(values, over)
		file, _, err := build(values, nil, false)
		if err != nil {
			return
		}
		file.NoEffect()
		DescribeBroker(Layers{Static: file})
	})
}

// FuzzTopicValue: a value that passed validation is printed in a form that passes too.
func FuzzTopicValue(f *testing.F) {
	f.Add("retention.ms", "1")
	f.Add("cleanup.policy", "compact , delete")
	f.Add("min.cleanable.dirty.ratio", "0x1p-1")
	f.Add("share.auto.offset.reset", "by_duration:P1DT-2H3.5S")
	f.Fuzz(func(t *testing.T, name, value string) {
		for _, row := range []*Row{TopicRow(name), GroupRow(name), BrokerRow(name)} {
			if row == nil || checkValue(row, value) != nil {
				continue
			}
			if again := canonical(row, value); checkValue(row, again) != nil || canonical(row, again) != again {
				t.Fatalf("%s=%q prints as %q", name, value, again)
			}
			if strings.ContainsAny(canonical(row, value), "\x00") && row.Type != String && row.Type != Password && row.Type != List && row.Type != Class {
				t.Fatal("control character in a number")
			}
		}
	})
}
