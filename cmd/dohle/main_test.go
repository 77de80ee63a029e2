package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
)

// said runs a command line that starts nothing.
func said(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	code = run(terminal{t.Context(), &out, &errs}, args)
	return code, out.String(), errs.String()
}

func TestCommandLinesAreAnsweredByCode(t *testing.T) {
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string
	}{
		{"", 0, "Usage: dohle <command>", ""},
		{"help", 0, "Usage: dohle <command>", ""},
		{"version", 0, "Apache Kafka 4.4.0 protocol", ""},
		{"--version", 0, "Apache Kafka 4.4.0 protocol", ""},
		{"frobnicate", 2, "", "unexpected argument frobnicate"},
		{"dev --prot 1", 2, "", `did you mean "--port"?`},
		{"dev --port 70000", 2, "", "--port 70000 is no port"},
		{"dev --brokers 3", 2, "", "leave --brokers out"},
		{"serve", 2, "", "serve FILE"},
		{"dump", 2, "", "dohle dump data/"},
		{"dump no/such/file", 1, "error: no/such/file", "no/such/file: no such file or directory"},
		{"serve no/such/file", 1, "", "no/such/file: no such file or directory"},
		{"dev --port 0 --override novalue", 1, "", "--override novalue is not of the form key=value"},
	} {
		code, stdout, stderr := said(t, strings.Fields(c.args)...)
		assert.Equal(t, c.code, code, c.args)
		assert.Contains(t, stdout, c.stdout, c.args)
		assert.Contains(t, stderr, c.stderr, c.args)
		assert.Equal(t, code != 0, strings.HasPrefix(stderr, "dohle: "), c.args)
	}
}

func TestAMistypedKeyIsToldBeforeTheOneThatIsMissing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server.properties")
	assert.NoError(t, os.WriteFile(file, []byte("node.id=1\nproces.roles=broker,controller\n"), 0o600))
	code, _, stderr := said(t, "serve", file)
	assert.Equal(t, 1, code)
	assert.Regexp(t, `(?s)WRN Unknown configuration key: proces.roles. Did you mean process.roles\?.*\ndohle: Missing required configuration "process.roles"`, stderr)
	_, _, stderr = said(t, "serve", "--strict", file)
	assert.Equal(t, "dohle: Unknown configuration key: proces.roles. Did you mean process.roles?\n", stderr)
}

func TestWhatTheMachineRefusesHasARemedy(t *testing.T) {
	at := func(err error) error { return &fs.PathError{Op: "write", Path: "/d/x", Err: err} }
	for err, want := range map[error]string{
		syscall.ENOSPC: "make room", syscall.EROFS: "log.dirs", syscall.EMFILE: "ulimit -n", syscall.EACCES: "right", syscall.ENOENT: "",
	} {
		assert.Contains(t, remedy(at(err)), want)
		assert.Empty(t, remedy(err), "only files and directories: a listener has its own")
	}
	assert.Empty(t, remedy(at(syscall.ENOENT)))
	assert.Empty(t, remedy(errors.New("else")))
}

func TestFewOpenFilesAreTold(t *testing.T) {
	var log strings.Builder
	assert.ErrorContains(t, enoughFiles(zerolog.New(&log), 16), "16 files open")
	assert.NoError(t, enoughFiles(zerolog.New(&log), 1024))
	assert.Contains(t, log.String(), `"limit":1024`)
	log.Reset()
	assert.NoError(t, enoughFiles(zerolog.New(&log), 1<<20))
	assert.Empty(t, log.String())
}
