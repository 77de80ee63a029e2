package compat

import (
	"bytes"
	"context"
	bigendian "encoding/binary"
	"fmt"
	"hash/crc32"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// A refusal is a start that must not succeed: exit code, one sentence on stderr that names what is wrong and where,
// and what helps. Nothing here needs Apache Kafka.
type refusal struct {
	name string
	code int
	want []string // parts of the sentence
	args func(t *testing.T, s *site) []string
	uid  uint32 // other than this process's, if set

	limit int // of open files, if set
}

// A site is a fresh directory with a formatted log dir and its properties.
type site struct {
	dir, data, file string
	props           props
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir, ports := t.TempDir(), freePorts(t, 2)
	s := &site{dir: dir, data: filepath.Join(dir, "data")}
	s.props = single(t, s.data, ports[0], ports[1])
	s.file = s.props.write(t, dir)
	output(t, binary, "format", "-c", s.file, "-t", clusterID, "--standalone")
	return s
}

// serve writes the properties with changes and returns the command line.
func (s *site) serve(t *testing.T, changes ...string) []string {
	t.Helper()
	for i := 0; i < len(changes); i += 2 {
		s.props[changes[i]] = changes[i+1]
	}
	s.props.write(t, s.dir)
	return []string{"serve", s.file}
}

// started runs a broker at the site once, so that every file of a node that has run is there.
func (s *site) started(t *testing.T) *node {
	t.Helper()
	return launch(t, s.dir, "Kafka Server started", binary, "serve", s.file)
}

func TestRefusedStarts(t *testing.T) {
	for _, r := range refusals() {
		t.Run(r.name, func(t *testing.T) {
			s := newSite(t)
			args := r.args(t, s)
			code, stdout, stderr := run(t, s.dir, r.uid, r.limit, args...)
			if code != r.code {
				t.Errorf("exit code %d, want %d", code, r.code)
			}
			sentence, rest, _ := strings.Cut(strings.TrimSuffix(logged.ReplaceAllString(stderr, ""), "\n"), "\n")
			if rest != "" && rest != "Try: dohle --help" {
				t.Errorf("more than one line on stderr:\n%s", stderr)
			}
			if !strings.HasPrefix(sentence, "dohle: ") {
				t.Errorf("stderr is %q", sentence)
			}
			for _, part := range r.want {
				part = strings.NewReplacer("{data}", s.data, "{dir}", s.dir).Replace(part)
				if !strings.Contains(sentence, part) {
					t.Errorf("the sentence lacks %q: %s", part, sentence)
				}
			}
			for _, bad := range []string{"goroutine ", "panic", ".go:", "%!", "<nil>"} {
				if strings.Contains(stderr, bad) {
					t.Errorf("stderr contains %q:\n%s", bad, stderr)
				}
			}
			if pointer.MatchString(stderr) {
				t.Errorf("stderr contains a pointer:\n%s", stderr)
			}
			if strings.Contains(stdout, "started") {
				t.Errorf("it said on stdout that it has started: %s", stdout)
			}
			t.Log(sentence)
		})
	}
}

// pointer is an address in memory; the ids of directories are random and may hold 0x as well.
var pointer = regexp.MustCompile(`\b0x[0-9a-f]{6,}\b`)

// logged are lines of the log, which come before the sentence.
var logged = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d\d\d (INF|WRN|ERR) .*\n`)

// run executes the binary until it ends, in the time that patience allows.
func run(t *testing.T, dir string, uid uint32, limit int, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	if limit != 0 {
		cmd = exec.CommandContext(ctx, "sh", append([]string{"-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, limit), binary}, args...)...)
	}
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Errorf("still running after %v:\n%s", patience, errs.String())
	} else if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func refusals() []refusal {
	const other = "another-cluster-id-000"
	override := func(pairs ...string) func(*testing.T, *site) []string {
		return func(t *testing.T, s *site) []string {
			args := []string{"serve", s.file}
			for _, p := range pairs {
				args = append(args, "--override", p)
			}
			return args
		}
	}
	damage := func(file string, content string) func(*testing.T, *site) []string {
		return func(t *testing.T, s *site) []string {
			s.started(t).stop(shutdownPatience)
			path := filepath.Join(s.data, file)
			if _, err := os.Stat(path); err != nil {
				t.Fatal(err)
			}
			must(t, os.WriteFile(path, []byte(content), 0o600))
			return []string{"serve", s.file}
		}
	}
	list := []refusal{
		{name: "serve without a file", code: 2, want: []string{"serve FILE", "dohle dev"}, args: args("serve")},
		{name: "a file that is not there", code: 1, want: []string{"nowhere.properties", "no such file"}, args: args("serve", "nowhere.properties")},
		{name: "a directory for a file", code: 1, want: []string{"{dir}", "directory"}, args: func(t *testing.T, s *site) []string { return []string{"serve", s.dir} }},
		{name: "unknown flag", code: 2, want: []string{"--nosuch"}, args: args("serve", "--nosuch")},
		{name: "unknown command", code: 2, want: []string{"nosuch"}, args: args("nosuch")},
		{name: "one argument too many", code: 2, want: []string{"extra"}, args: args("serve", "a", "extra")},
		{name: "a flag without its value", code: 2, want: []string{"--override"}, args: args("serve", "--override")},
		{name: "unknown log level", code: 2, want: []string{"--log-level", "debug"}, args: args("serve", "x", "--log-level", "loud")},
		{name: "a cluster in dev", code: 2, want: []string{"--brokers", "3"}, args: args("dev", "--brokers", "3")},
		{name: "dev at a port that is none", code: 2, want: []string{"--port 99999", "65535"}, args: args("dev", "--port", "99999")},
		{name: "dev in a foreign directory", code: 1, want: []string{"--dir", "{dir}/foreign", "no log directory", "empty"}, args: func(t *testing.T, s *site) []string {
			must(t, os.Mkdir(filepath.Join(s.dir, "foreign"), 0o700))
			must(t, os.WriteFile(filepath.Join(s.dir, "foreign", "thesis.doc"), []byte("years"), 0o600))
			return []string{"dev", "--port", "0", "--dir", filepath.Join(s.dir, "foreign")}
		}},
		{name: "dev in the directory of another node", code: 1, want: []string{"{data}", "node 1, not to 7"}, args: func(t *testing.T, s *site) []string {
			return []string{"dev", "--port", "0", "--dir", s.data, "--override", "node.id=7"}
		}},
		{name: "dev in a file", code: 1, want: []string{"--dir", "{dir}/file", "not a directory"}, args: func(t *testing.T, s *site) []string {
			must(t, os.WriteFile(filepath.Join(s.dir, "file"), nil, 0o600))
			return []string{"dev", "--port", "0", "--dir", filepath.Join(s.dir, "file")}
		}},

		{name: "client port in use", code: 1, want: []string{"PLAINTEXT", "in use", "listeners", "--port"}, args: func(t *testing.T, s *site) []string {
			return s.serve(t, "listeners", fmt.Sprintf("PLAINTEXT://%s,CONTROLLER://127.0.0.1:0", taken(t)))
		}},
		{name: "controller port in use", code: 1, want: []string{"CONTROLLER", "in use", "listeners"}, args: func(t *testing.T, s *site) []string {
			return s.serve(t, "listeners", fmt.Sprintf("PLAINTEXT://127.0.0.1:0,CONTROLLER://%s", taken(t)))
		}},
		{name: "an address of another machine", code: 1, want: []string{"PLAINTEXT", "192.0.2.1", "listeners"}, args: func(t *testing.T, s *site) []string {
			return s.serve(t, "listeners", "PLAINTEXT://192.0.2.1:9092,CONTROLLER://127.0.0.1:0", "advertised.listeners", "PLAINTEXT://127.0.0.1:9092")
		}},

		{name: "not formatted", code: 1, want: []string{"{dir}/new", "not formatted", "dohle format"}, args: func(t *testing.T, s *site) []string {
			return s.serve(t, "log.dirs", filepath.Join(s.dir, "new"))
		}},
		{name: "a file where log.dirs names a directory", code: 1, want: []string{"{dir}/file"}, args: func(t *testing.T, s *site) []string {
			must(t, os.WriteFile(filepath.Join(s.dir, "file"), nil, 0o600))
			return s.serve(t, "log.dirs", filepath.Join(s.dir, "file"))
		}},
		{name: "locked by another process", code: 1, want: []string{"{data}", "locked", "stop", "log.dirs"}, args: func(t *testing.T, s *site) []string {
			s.started(t)
			return s.serve(t, "listeners", "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0")
		}},
		{name: "two log dirs of two clusters", code: 1, want: []string{"{dir}/second", other, clusterID}, args: func(t *testing.T, s *site) []string {
			s.serve(t, "log.dirs", filepath.Join(s.dir, "second"))
			output(t, binary, "format", "-c", s.file, "-t", other, "--standalone")
			return s.serve(t, "log.dirs", s.data+","+filepath.Join(s.dir, "second"), "metadata.log.dir", s.data)
		}},
		{name: "the directory of another node", code: 1, want: []string{"{data}", "node 1, not to 2", "node.id"}, args: func(t *testing.T, s *site) []string {
			return s.serve(t, "node.id", "2")
		}},
		{name: "one directory copied to two", code: 1, want: []string{"{data}", "{dir}/copy", "directory.id"}, args: func(t *testing.T, s *site) []string {
			must(t, os.CopyFS(filepath.Join(s.dir, "copy"), os.DirFS(s.data)))
			must(t, os.RemoveAll(filepath.Join(s.dir, "copy", "__cluster_metadata-0")))
			return s.serve(t, "log.dirs", s.data+","+filepath.Join(s.dir, "copy"), "metadata.log.dir", s.data)
		}},
		{name: "one directory under two names", code: 1, want: []string{"{dir}/link", "{data}", "same directory", "log.dirs"}, args: func(t *testing.T, s *site) []string {
			must(t, os.Symlink(s.data, filepath.Join(s.dir, "link")))
			return s.serve(t, "log.dirs", s.data+","+filepath.Join(s.dir, "link"))
		}},
		{name: "a directory inside another", code: 1, want: []string{"{data}/deep/er", "inside", "{data}", "log.dirs"}, args: func(t *testing.T, s *site) []string {
			return s.serve(t, "log.dirs", s.data+","+filepath.Join(s.data, "deep", "er"))
		}},
		{name: "meta.properties of a newer release", code: 1, want: []string{"{data}/meta.properties", "version 2", "newer"},
			args: damage("meta.properties", "version=2\ncluster.id="+clusterID+"\nnode.id=1\n")},
		{name: "meta.properties damaged", code: 1, want: []string{"{data}/meta.properties", "damaged", "Restore"}, args: damage("meta.properties", "\x00\xff\x00")},
		{name: "meta.properties empty", code: 1, want: []string{"{data}/meta.properties", "damaged", "Restore"}, args: damage("meta.properties", "")},
		{name: "meta.properties without a cluster", code: 1, want: []string{"{data}/meta.properties", "cluster.id"}, args: damage("meta.properties", "version=1\nnode.id=1\n")},
		{name: "quorum-state cut", code: 1, want: []string{"quorum-state", "Restore"}, args: damage("__cluster_metadata-0/quorum-state", `{"leaderId":`)},
		{name: "quorum-state empty", code: 1, want: []string{"quorum-state", "Restore"}, args: damage("__cluster_metadata-0/quorum-state", "")},
		{name: "quorum-state of another version", code: 1, want: []string{"quorum-state", "version"},
			args: damage("__cluster_metadata-0/quorum-state", `{"clusterId":"","leaderId":1,"leaderEpoch":1,"votedId":-1,"appliedOffset":0,"currentVoters":[],"data_version":9}`)},
		{name: "metadata.version of a newer release", code: 1, want: []string{"metadata.version", "99", "{data}"}, args: func(t *testing.T, s *site) []string {
			newerMetadata(t, filepath.Join(s.data, "__cluster_metadata-0"))
			return []string{"serve", s.file}
		}},
		{name: "the metadata log damaged", code: 1, want: []string{"{data}/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"}, args: func(t *testing.T, s *site) []string {
			list, err := filepath.Glob(filepath.Join(s.data, "__cluster_metadata-0", "*.checkpoint"))
			must(t, err)
			text, err := os.ReadFile(list[0])
			must(t, err)
			text[len(text)/2] ^= 0xff
			must(t, os.WriteFile(list[0], text, 0o600))
			return []string{"serve", s.file}
		}},

		{name: "a value that is no number", code: 1, want: []string{"num.partitions", "abc"}, args: override("num.partitions=abc")},
		{name: "a value out of bounds", code: 1, want: []string{"log.segment.bytes", "-5", "at least"}, args: override("log.segment.bytes=-5")},
		{name: "a value of no list", code: 1, want: []string{"process.roles", "foo"}, args: override("process.roles=foo")},
		{name: "no log.dirs", code: 1, want: []string{"log.dirs"}, args: override("log.dirs=")},
		{name: "an override without a value", code: 1, want: []string{"novalue", "key=value"}, args: override("novalue")},
		{name: "a listener that is no address", code: 1, want: []string{"listener", "nonsense"}, args: override("listeners=nonsense")},
		{name: "two listeners of one port", code: 1, want: []string{"listeners", "port"}, args: override("listeners=PLAINTEXT://127.0.0.1:19399,CONTROLLER://127.0.0.1:19399")},
		{name: "SSL", code: 1, want: []string{"SSL", "plaintext"}, args: override("listeners=SSL://127.0.0.1:0,CONTROLLER://127.0.0.1:0", "listener.security.protocol.map=SSL:SSL,CONTROLLER:PLAINTEXT", "security.inter.broker.protocol=SSL")},
		{name: "SASL", code: 1, want: []string{"SASL_PLAINTEXT", "plaintext"}, args: override("listener.security.protocol.map=PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT")},
		{name: "SSL alone", code: 1, want: []string{"SSL", "listeners", "plaintext", "PLAINTEXT"}, args: override("listeners=SSL://127.0.0.1:0,CONTROLLER://127.0.0.1:0")},
		{name: "SSL for controllers", code: 1, want: []string{"CONTROLLER", "SSL"}, args: override("listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:SSL")},
		{name: "an authorizer", code: 1, want: []string{"authorizer.class.name", "StandardAuthorizer"}, args: override("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer")},
		{name: "an unknown key in the file with --strict", code: 1, want: []string{"num.patitions", "num.partitions"}, args: func(t *testing.T, s *site) []string {
			return append(s.serve(t, "num.patitions", "3"), "--strict")
		}},
		{name: "an unknown key in an override with --strict", code: 1, want: []string{"nosuch.key"}, args: func(t *testing.T, s *site) []string {
			return []string{"serve", s.file, "--strict", "--override", "nosuch.key=1"}
		}},
		{name: "a key twice in the file with --strict", code: 1, want: []string{"node.id", "more than once", "{dir}/server.properties"}, args: func(t *testing.T, s *site) []string {
			text, err := os.ReadFile(s.file)
			must(t, err)
			must(t, os.WriteFile(s.file, append(text, "\nnode.id=1\n"...), 0o600))
			return []string{"serve", s.file, "--strict"}
		}},
		{name: "too few open files", code: 1, want: []string{"20", "64", "ulimit -n"}, limit: 20, args: func(t *testing.T, s *site) []string { return []string{"serve", s.file} }},
		{name: "dump of nothing", code: 2, want: []string{"dohle dump"}, args: args("dump")},
		{name: "dump of a file that is not there", code: 1, want: []string{"nowhere.log"}, args: args("dump", "nowhere.log")},
		{name: "format twice", code: 1, want: []string{"{data}", "--ignore-formatted"}, args: func(t *testing.T, s *site) []string {
			return []string{"format", "-c", s.file, "-t", clusterID, "--standalone"}
		}},
	}
	if os.Getuid() == 0 { // root writes everywhere; another user does not
		list = append(list,
			refusal{name: "a log dir that cannot be written", code: 1, want: []string{"{data}", "permission denied", "right"}, uid: 65534, args: func(t *testing.T, s *site) []string {
				open(t, s.dir)
				return []string{"serve", s.file}
			}},
			refusal{name: "a parent that cannot be written", code: 1, want: []string{"{dir}/closed", "permission denied"}, uid: 65534, args: func(t *testing.T, s *site) []string {
				open(t, s.dir)
				must(t, os.Mkdir(filepath.Join(s.dir, "closed"), 0o755))
				return []string{"dev", "--port", "0", "--dir", filepath.Join(s.dir, "closed", "data")}
			}})
	}
	return list
}

func args(list ...string) func(*testing.T, *site) []string {
	return func(*testing.T, *site) []string { return list }
}

// taken is an address that somebody listens on until the test ends.
func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// open lets every user read the test's directories and properties.
func open(t *testing.T, dir string) {
	t.Helper()
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		must(t, os.Chmod(at, 0o755))
	}
	must(t, os.Chmod(filepath.Join(dir, "server.properties"), 0o644))
}

// newerMetadata changes the level of metadata.version in the bootstrap snapshot to 99 and puts the checksums right.
func newerMetadata(t *testing.T, dir string) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*.checkpoint"))
	must(t, err)
	found := false
	for _, file := range list {
		text, err := os.ReadFile(file)
		must(t, err)
		for at := 0; at+61 <= len(text); {
			size := 12 + int(bigendian.BigEndian.Uint32(text[at+8:]))
			b := text[at : at+size]
			// FeatureLevelRecord (type 12): the name, compact, then the level.
			if i := bytes.Index(b, []byte("\x11metadata.version")); i > 0 {
				found = true
				copy(b[i+17:], be(int16(99)))
				bigendian.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
			}
			at += size
		}
		must(t, os.WriteFile(file, text, 0o600))
	}
	if !found {
		t.Fatal("no snapshot names metadata.version")
	}
}

// What is only warned of: the broker serves, and one line names the key.
func TestUnknownKeyIsAWarning(t *testing.T) {
	s := newSite(t)
	s.serve(t, "num.patitions", "3")
	n := s.started(t)
	if out := n.log.String(); !strings.Contains(out, "num.patitions") || !strings.Contains(out, "num.partitions") {
		t.Errorf("no warning about num.patitions:\n%s", out)
	}
}

// Without --dir nothing stays behind, also when the terminal is closed.
func TestDevRemovesItsTemporaryDirectory(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(signal.String(), func(t *testing.T) {
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			n := launch(t, temp, "Kafka Server started", binary, "dev", "--port", "0")
			must(t, n.cmd.Process.Signal(signal))
			n.stop(shutdownPatience) // and once more
			if code := n.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			left, err := os.ReadDir(temp)
			must(t, err)
			for _, f := range left {
				t.Errorf("%s is left", f.Name())
			}
		})
	}
}
