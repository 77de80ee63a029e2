package dohle

// This is policy. Do not edit it to make a build pass: move the code to the floor where it belongs, or change
// ARCHITECTURE.md and this file together, with the reason in the commit.

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/dohle-io/dohle"

// floors: a package imports only packages of lower floors, its own parent and, on the same floor, nothing. The
// second number orders a room and the leaf below it.
var floors = map[string]float64{
	"internal/vfs": 0, "internal/bufpool": 0, "internal/cost": 0, "internal/clock": 0, "internal/memnet": 0, "internal/pmap": 0, "internal/invariant": 0,
	"protocol/compress": 0.5,
	"protocol":          1, "config": 1,
	"protocol/record": 1.5,
	"metadata":        2, "storage": 2,
	"coordinator/group/record": 2.5, "coordinator/group/assign": 2.5, "coordinator/group/regex": 2.5,
	"security": 3, "coordinator": 3, "coordinator/group": 3, "coordinator/txn": 3, "controller/quorum": 3,
	"controller": 4, "broker/replica": 4, "broker/server": 4, "broker/peer": 4,
	"broker/api": 5,
	"broker":     6, "internal/sim": 6, "internal/dump": 6,
	"cmd/dohle": 7, "dohletest": 7,
	"": 8, // this package: tests only
}

// generators run by make generate; they read what they document and nothing imports them.
const generators = "internal/gen"

// pure packages decide; they neither wait nor touch the world.
var pure = []string{"protocol", "protocol/record", "metadata", "config",
	"coordinator/group/record", "coordinator/group/assign", "coordinator/group/regex"}

func TestPackagesImportOnlyLowerFloors(t *testing.T) {
	for _, p := range list(t) {
		floor, known := floors[p.room()]
		if !known {
			if strings.HasPrefix(p.room(), generators) {
				continue
			}
			t.Errorf("package %q stands on no floor: give it one in architecture_test.go and ARCHITECTURE.md", p.room())
			continue
		}
		for _, path := range p.Imports {
			room, ours := strings.CutPrefix(path, module+"/")
			if !ours || strings.HasPrefix(p.room(), room+"/") {
				continue
			}
			if below, ok := floors[room]; !ok || below >= floor {
				t.Errorf("%s (floor %v) imports %s (floor %v)", p.room(), floor, room, below)
			}
		}
	}
}

func TestPurePackagesTouchNoWorld(t *testing.T) {
	for _, p := range list(t) {
		if !slices.Contains(pure, p.room()) {
			continue
		}
		for _, path := range p.Imports {
			if path == "net" || path == "os" && p.room() != "config" || path == "math/rand" {
				t.Errorf("%s is pure and imports %s", p.room(), path)
			}
		}
	}
}

func TestGoroutinesStartOnlyInRunFiles(t *testing.T) {
	each(t, func(path string, fset *token.FileSet, file *ast.File) {
		if filepath.Base(path) == "run.go" {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: a goroutine starts outside run.go", fset.Position(n.Pos()))
			case *ast.SelectorExpr:
				if name := n.Sel.Name; name == "Go" || name == "AfterFunc" {
					t.Errorf("%s: %s starts a goroutine outside run.go", fset.Position(n.Pos()), name)
				}
			}
			return true
		})
	})
}

func TestOnlyClockAsksForTheTime(t *testing.T) {
	asks := []string{"Now", "After", "NewTimer", "NewTicker", "Tick", "Sleep", "Since", "Until", "AfterFunc"}
	each(t, func(path string, fset *token.FileSet, file *ast.File) {
		if in(path, "internal/clock", "internal/memnet", "cmd", generators) {
			return
		}
		calls(file, "time", func(name string, n ast.Node) {
			if slices.Contains(asks, name) {
				t.Errorf("%s: time.%s; take now as an argument or a clock.Clock", fset.Position(n.Pos()), name)
			}
		})
		calls(file, "context", func(name string, n ast.Node) {
			if name == "WithTimeout" || name == "WithDeadline" {
				t.Errorf("%s: context.%s; use clock.WithTimeout", fset.Position(n.Pos()), name)
			}
		})
	})
}

func TestOnlyVfsTouchesFiles(t *testing.T) {
	files := []string{"Open", "OpenFile", "Create", "ReadFile", "WriteFile", "Remove", "RemoveAll", "Rename", "Stat", "Lstat",
		"Mkdir", "MkdirAll", "ReadDir", "Truncate", "Link", "Symlink", "Chmod", "CreateTemp", "MkdirTemp"}
	each(t, func(path string, fset *token.FileSet, file *ast.File) {
		if in(path, "internal/vfs", generators) {
			return
		}
		calls(file, "os", func(name string, n ast.Node) {
			if slices.Contains(files, name) {
				t.Errorf("%s: os.%s; files are reached through internal/vfs", fset.Position(n.Pos()), name)
			}
		})
	})
}

func TestNoInitFunctionsAndNoUtilFiles(t *testing.T) {
	each(t, func(path string, fset *token.FileSet, file *ast.File) {
		switch filepath.Base(path) {
		case "util.go", "utils.go", "helpers.go", "common.go", "misc.go":
			t.Errorf("%s: a file is named for what it holds", path)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: func init", fset.Position(f.Pos()))
			}
		}
	})
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range list(t) {
		if p.room() != "" && p.Doc == "" {
			t.Errorf("%s has no package comment (doc.go)", p.room())
		}
	}
}

type pkg struct {
	ImportPath, Dir, Doc string
	Imports              []string
}

func (p pkg) room() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

func list(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// each visits every Go file of the module that is no test.
func each(t *testing.T, visit func(path string, fset *token.FileSet, file *ast.File)) {
	t.Helper()
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "compat-tests" || d.Name() == "tools" || strings.HasPrefix(d.Name(), ".") && path != "."):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		visit(path, fset, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func in(path string, rooms ...string) bool {
	return slices.ContainsFunc(rooms, func(room string) bool {
		return path == room || strings.HasPrefix(filepath.ToSlash(path), room+"/")
	})
}

// calls reports each use of a name of the standard package called name.
func calls(file *ast.File, name string, report func(string, ast.Node)) {
	local := ""
	for _, i := range file.Imports {
		if path, _ := strconv.Unquote(i.Path.Value); path == name {
			local = name
			if i.Name != nil {
				local = i.Name.Name
			}
		}
	}
	if local == "" {
		return
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == local {
				report(s.Sel.Name, s)
			}
		}
		return true
	})
}
