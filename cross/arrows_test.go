package cross_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"facerecd/cross/testkit"
)

const module = "facerecd/"

// source is what the rules need to know of a Go file.
type source struct {
	name    string // capture/v4l2/device_linux.go
	imports []string
	blank   []string // of these, the ones imported for their side effects
	init    bool
}

func (s source) pkg() string  { return path.Dir(s.name) }
func (s source) test() bool   { return strings.HasSuffix(s.name, "_test.go") }
func (s source) room() string { return room(s.pkg()) }

// room is the top folder of a package.
func room(pkg string) string {
	top, _, _ := strings.Cut(pkg, "/")
	return top
}

// owners names the only packages that may import a module, each the one place
// to change when the module is replaced. Tests may use what they like.
func owners() map[string][]string {
	return map[string][]string{
		"github.com/ebitengine/purego":        {"inference/litert", "capture/jpeg"},
		"github.com/blackjack/webcam":         {"capture/v4l2"},
		"github.com/dgraph-io/badger":         {"match/store"},
		"github.com/eclipse/paho.mqtt.golang": {"daemon/mqtt"},
		"github.com/mochi-mqtt/server":        {"daemon/mqtt"},
		"github.com/kardianos/service":        {"daemon/facerecd"},
		"github.com/alecthomas/kong":          {"daemon/facerecd"},
		"filippo.io/age":                      {"daemon/facerecd"},
		"github.com/goccy/go-yaml":            {"daemon/config"},
		"github.com/coreos/go-systemd":        {"daemon", "daemon/facerecd"},
		"C":                                   {}, // the binary is built without cgo
	}
}

// wrong returns what is wrong about a file, empty when nothing is.
func wrong(s source) []string {
	var all []string
	for _, imported := range s.imports {
		if why := wrongImport(s, imported); why != "" {
			all = append(all, fmt.Sprintf("%s imports %s: %s", s.name, imported, why))
		}
	}
	for _, imported := range s.blank {
		if imported != "embed" { // which the compiler asks for, and which does nothing
			all = append(all, fmt.Sprintf("%s imports %s for its side effects: call it where it is needed", s.name, imported))
		}
	}
	if s.init {
		all = append(all, s.name+" has a func init: call it where it is needed")
	}
	return all
}

func wrongImport(s source, imported string) string {
	target, ours := strings.CutPrefix(imported, module)
	if !ours {
		for prefix, owners := range owners() {
			if (imported == prefix || strings.HasPrefix(imported, prefix+"/")) && !s.test() && !slices.Contains(owners, s.pkg()) {
				return fmt.Sprintf("only %v may", owners)
			}
		}
		return ""
	}
	isRoom := slices.Contains([]string{"capture", "inference", "match"}, s.room())
	switch {
	case s.test() && (room(target) == "cross" || strings.HasSuffix(target, "test")):
		return "" // what is made for tests
	case target == s.pkg():
		return "" // an external test of the package itself
	case s.test() && isRoom && room(target) == s.room():
		return "" // a test beside the real part, which a neighbour brings
	case room(target) == "cross" && s.room() != "cross":
		return "cross is for building and testing"
	case isRoom && room(target) != s.room():
		return s.room() + " stands on its own"
	case isRoom && !upOrLeaf(s, target):
		return "a package of " + s.room() + " knows only its parent"
	case s.room() == "deploy":
		return "deploy holds files only"
	}
	return ""
}

// upOrLeaf tells whether target, in the same room, is above the file's package,
// or one of the leaves on which others build.
func upOrLeaf(s source, target string) bool {
	return strings.HasPrefix(s.pkg(), target+"/") ||
		slices.Contains([]string{"capture/jpeg", "capture/still", "capture/mjpeg", "capture/stream"}, target) ||
		s.pkg() == "capture/source" // which opens whichever camera a name stands for
}

func TestArrows(t *testing.T) {
	sources := parse(t, testkit.Root(t))
	for _, s := range sources {
		for _, problem := range wrong(s) {
			t.Error(problem)
		}
	}
	// A walk that finds nothing would find nothing wrong.
	for _, room := range []string{"capture", "inference", "match", "daemon", "cross"} {
		if !slices.ContainsFunc(sources, func(s source) bool { return s.room() == room && len(s.imports) > 0 }) {
			t.Errorf("found no Go file in %s", room)
		}
	}
}

func parse(t *testing.T, root string) []source {
	t.Helper()
	var all []source
	walk(t, root, func(name string) {
		if !strings.HasSuffix(name, ".go") || strings.Contains(name, "testdata/") {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, describe(name, file))
	})
	return all
}

func describe(name string, file *ast.File) source {
	s := source{name: name}
	for _, spec := range file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		s.imports = append(s.imports, imported)
		if spec.Name != nil && spec.Name.Name == "_" {
			s.blank = append(s.blank, imported)
		}
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		s.init = s.init || ok && f.Recv == nil && f.Name.Name == "init"
	}
	return s
}

// walk visits every file of the repository, with slashes in its name, and none
// of what git ignores.
func walk(t *testing.T, root string, visit func(name string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", ".cache", "bin", "__pycache__"}, d.Name()):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		name, err := filepath.Rel(root, p)
		visit(filepath.ToSlash(name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestArrowsAreChecked shows that each rule can fail.
func TestArrowsAreChecked(t *testing.T) {
	tests := []struct {
		name, body string
		want       []string
	}{
		{"capture/a.go", `import "fmt"`, nil},
		{"capture/v4l2/a.go", `import "facerecd/capture"`, nil},
		{"capture/v4l2/a.go", `import "facerecd/capture/jpeg"`, nil},
		{"capture/source/a.go", `import "facerecd/capture/v4l2"`, nil},
		{"capture/v4l2/a_test.go", `import "facerecd/capture/capturetest"`, nil},
		{"match/a_test.go", `import "facerecd/match"`, nil},
		{"inference/a_test.go", `import "facerecd/cross/testkit"`, nil},
		{"inference/a_test.go", `import "facerecd/inference/litert"`, nil},
		{"inference/recall/a_test.go", `import "facerecd/inference/litert"`, nil},
		{"daemon/a.go", `import ("facerecd/capture"; "facerecd/match/store"; _ "embed")`, nil},
		{"daemon/event/a_test.go", `import "github.com/dgraph-io/badger/v4"`, nil},
		{"match/store/a.go", `import "github.com/dgraph-io/badger/v4/options"`, nil},
		{"daemon/a.go", "type t struct{}\nfunc (t) init() {}", nil},

		{"capture/a.go", `import "facerecd/match"`, []string{"capture/a.go imports facerecd/match: capture stands on its own"}},
		{"capture/jpeg/a.go", `import "facerecd/inference"`, []string{"capture/jpeg/a.go imports facerecd/inference: capture stands on its own"}},
		{"match/store/a.go", `import "facerecd/daemon/event"`, []string{"match/store/a.go imports facerecd/daemon/event: match stands on its own"}},
		{"match/eval/a_test.go", `import "facerecd/inference"`, []string{"match/eval/a_test.go imports facerecd/inference: match stands on its own"}},
		{"capture/replay/a.go", `import "facerecd/capture/v4l2"`, []string{"capture/replay/a.go imports facerecd/capture/v4l2: a package of capture knows only its parent"}},
		{"inference/a.go", `import "facerecd/inference/litert"`, []string{"inference/a.go imports facerecd/inference/litert: a package of inference knows only its parent"}},
		{"daemon/a.go", `import "facerecd/cross/testkit"`, []string{"daemon/a.go imports facerecd/cross/testkit: cross is for building and testing"}},
		{"deploy/systemd/a.go", `import "facerecd/daemon/config"`, []string{"deploy/systemd/a.go imports facerecd/daemon/config: deploy holds files only"}},
		{"match/a.go", `import "github.com/ebitengine/purego"`, []string{"match/a.go imports github.com/ebitengine/purego: only [inference/litert capture/jpeg] may"}},
		{"match/a.go", `import "github.com/dgraph-io/badger/v4"`, []string{"match/a.go imports github.com/dgraph-io/badger/v4: only [match/store] may"}},
		{"daemon/api/a.go", `import "github.com/mochi-mqtt/server/v2"`, []string{"daemon/api/a.go imports github.com/mochi-mqtt/server/v2: only [daemon/mqtt] may"}},
		{"capture/a.go", `import "C"`, []string{"capture/a.go imports C: only [] may"}},
		{"match/a.go", `import _ "image/png"`, []string{"match/a.go imports image/png for its side effects: call it where it is needed"}},
		{"match/a.go", "func init() {}", []string{"match/a.go has a func init: call it where it is needed"}},
	}
	for _, tt := range tests {
		file, err := parser.ParseFile(token.NewFileSet(), tt.name, "package p\n"+tt.body, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := wrong(describe(tt.name, file)); !slices.Equal(got, tt.want) {
			t.Errorf("%s with %q:\ngot  %q\nwant %q", tt.name, tt.body, got, tt.want)
		}
	}
}
