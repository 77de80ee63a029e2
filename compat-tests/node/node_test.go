package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNodesKeepWhatIsTheirOwn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server.properties")
	if err := os.WriteFile(file, []byte("# mine\nnode.id=9\nlog.dirs = /elsewhere\nlisteners=PLAINTEXT://:9092\n\nnum.partitions=4\noffsets.topic.num.partitions=2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nodes, quorum, err := Plan{Dir: t.TempDir(), Nodes: 3, Properties: file}.prepare()
	if err != nil || len(nodes) != 3 || quorum[0] != "--initial-controllers" || strings.Count(quorum[1], "@") != 3 {
		t.Fatal(nodes, quorum, err)
	}
	seen := map[string]bool{}
	for i, n := range nodes {
		text, err := os.ReadFile(n.file)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"node.id=9", "elsewhere", "9092"} {
			if strings.Contains(string(text), bad) {
				t.Errorf("node %d has %s", i+1, bad)
			}
		}
		for _, good := range []string{"num.partitions=4\n", "log.dirs=" + n.Dir, n.Address, nodes[2].Controller, "offsets.topic.replication.factor=3"} {
			if !strings.Contains(string(text), good) {
				t.Errorf("node %d lacks %s", i+1, good)
			}
		}
		if seen[n.Address] || seen[n.Controller] || seen[n.Dir] {
			t.Errorf("node %d shares a port or a folder", i+1)
		}
		seen[n.Address], seen[n.Controller], seen[n.Dir] = true, true, true
	}
}

func TestAProgramThatDoesNotServeIsOneSentence(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "broker")
	if err := os.WriteFile(bin, []byte("#!/bin/sh\n[ \"$1\" = format ] && exit 0\necho 'the disk is full'; exit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Home{Dohle: bin}.Broker(Plan{Dir: dir})
	if err == nil || err.Error() != "Dohle does not start: broker ended before it served: the disk is full" {
		t.Error(err)
	}
}

func TestStopEndsWhatWasStarted(t *testing.T) {
	p, err := launch("up", "sh", "-c", "echo up; exec sleep 100")
	if err != nil {
		t.Fatal(err)
	}
	p.Stop()
	<-p.Exited()
}

func TestTheVersionIsOneSetting(t *testing.T) {
	v, err := Home{Module: ".."}.Version()
	if err != nil || !strings.HasPrefix(v, "4.") {
		t.Error(v, err)
	}
	pom, _ := os.ReadFile("../kafka/pom.xml")
	if n := strings.Count(string(pom), v); n != 1 {
		t.Errorf("kafka/pom.xml says %s %d times", v, n)
	}
}
