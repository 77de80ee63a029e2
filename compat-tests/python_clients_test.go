package compat

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// python makes a virtual environment with the pinned clients once and keeps it beside their requirements.
var python = sync.OnceValues(func() (string, error) {
	bin, err := filepath.Abs("python/.venv/bin/python")
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(bin), "ready")); err == nil {
		return bin, nil
	}
	for _, step := range [][]string{
		{"python3", "-m", "venv", "python/.venv"},
		{bin, "-m", "pip", "install", "-q", "-r", "python/requirements.txt"},
		{"touch", filepath.Join(filepath.Dir(bin), "ready")},
	} {
		if err := execute(step[0], step[1:]...); err != nil {
			return "", err
		}
	}
	return bin, nil
})

func pythonRoundTrip(t *testing.T, script, prefix string) {
	bin, err := python()
	must(t, err)
	n := startDev(t)
	path, text := corpus(t)
	for _, codec := range codecs {
		t.Run(codec, func(t *testing.T) {
			same(t, text, output(t, bin, "python/"+script, n.bootstrap, prefix+codec, codec, path))
		})
	}
}

func TestKafkaPythonRoundTrip(t *testing.T) { pythonRoundTrip(t, "kafka_python.py", "kafka-python-") }

func TestConfluentKafkaRoundTrip(t *testing.T) {
	pythonRoundTrip(t, "confluent_kafka_python.py", "confluent-")
}
