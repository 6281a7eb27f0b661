package interleavings_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// services is a link into the tree. go test reuses a cached result while the files below the module that a test opened are
// unchanged; it ignores files outside.
const services = "testdata/services"

// parts is the code that is taken from each service. A file without names is taken completely: it is the domain, and does no
// I/O. Of the other files only the named declarations are taken: the handlers, the decisions of workers, and their types. The
// functions of store.go and main.go that they call are in testdata, with the same names.
var parts = map[string]map[string][]string{
	"orders": {
		"event.go":   nil,
		"order.go":   nil,
		"saga.go":    nil,
		"work.go":    nil,
		"consume.go": nil,
	},
	"inventory": {
		"stock.go":           nil,
		"work.go":            nil,
		"consume.go":         nil,
		"catalogue.go":       {"skuFormat"},
		"store_movements.go": {"movement", "key"},
		"store_supplier.go":  {"supplierOrder", "progress", "requested"},
		"worker.go":          {"lease"},
	},
	"payments": {
		"payment.go":    nil,
		"settlement.go": nil,
		"work.go":       nil,
		"consume.go":    nil,
		"worker.go":     {"lease", "leased", "againFirst", "ask", "askRefund", "record", "recorded"},
		"provider.go":   {"provider", "errNoEffect", "operation", "left", "operationSucceeded"},
	},
	"shipping": {
		"shipment.go":   nil,
		"settlement.go": nil,
		"work.go":       nil,
		"consume.go":    nil,
		"worker.go":     {"lease", "leased", "pace", "ask", "record", "outcome", "recorded"},
		"carrier.go":    {"carrier", "errNoEffect", "parcel", "alive", "parcels", "of"},
	},
}

const (
	module  = "example.com/orderflow/e2e/interleavings/testdata/"
	standin = module + "standin/"
)

// imports is what the parts may import, and the replacement. A domain file that begins to do I/O fails here.
var imports = map[string]string{
	"cmp": "", "context": "", "errors": "", "fmt": "", "maps": "", "reflect": "", "slices": "", "strings": "", "time": "",
	"example.com/orderflow/pkg/messages": "",
	"example.com/orderflow/pkg/wait":     "", // for its arithmetic
	"example.com/orderflow/pkg/worker":   "", // whose leases and slots the world stands for
	"example.com/orderflow/pkg/bus":      standin + "bus",
	"example.com/orderflow/pkg/client":   standin + "client",
	"example.com/orderflow/pkg/inbox":    standin + "inbox",
	"example.com/orderflow/pkg/outbox":   standin + "outbox",
	"example.com/orderflow/pkg/postgres": standin + "postgres",
	"example.com/orderflow/pkg/unit":     standin + "unit",
	"github.com/google/uuid":             "", "regexp": "",
}

// build compiles the checker with the parts of the services, one of which a mutant may change. The compiler reads the parts in
// place of files that do not exist (its -overlay), so nothing is written into the tree.
func build(t *testing.T, change *mutant) string {
	t.Helper()
	dir := t.TempDir()
	here, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	// go test must see the files that only the compiler reads, too: see services.
	if err := filepath.WalkDir("testdata", func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
		t.Fatal(err)
	}
	overlay := map[string]map[string]string{"Replace": {}}
	for service, files := range parts {
		for _, file := range slices.Sorted(maps.Keys(files)) {
			original := path.Join(service, file)
			source, err := os.ReadFile(filepath.Join(services, original))
			if err != nil {
				t.Fatal(err)
			}
			if change != nil && change.file == original {
				if n := bytes.Count(source, []byte(change.old)); n != 1 {
					t.Fatalf("%s has %d times what is to be changed: %s", original, n, change.old)
				}
				source = bytes.Replace(source, []byte(change.old), []byte(change.new), 1)
			}
			part, err := extract(service, filepath.Join(services, original), source, files[file])
			if err != nil {
				t.Fatal(err)
			}
			temporary := filepath.Join(dir, service+"-"+file)
			if err := os.WriteFile(temporary, part, 0o600); err != nil {
				t.Fatal(err)
			}
			overlay["Replace"][filepath.Join(here, service, "real_"+file)] = temporary
		}
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	overlayFile, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "check")
	if err := os.WriteFile(overlayFile, list, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlayFile, "-o", program, "./testdata/check").CombinedOutput(); err != nil {
		t.Fatalf("the parts of the services, and what stands in for the rest of them, do not fit any more:\n%s", out)
	}
	return program
}

// extract returns a file of package service with some declarations of a source file, with all when names is empty.
func extract(service, name string, source []byte, names []string) ([]byte, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	missing := slices.Clone(names)
	used := map[string]bool{}
	var body bytes.Buffer
	for _, d := range file.Decls {
		declared := declares(d)
		if declared == nil || names != nil && !slices.ContainsFunc(declared, func(s string) bool { return slices.Contains(names, s) }) {
			continue
		}
		missing = slices.DeleteFunc(missing, func(s string) bool { return slices.Contains(declared, s) })
		ast.Inspect(d, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok {
					used[x.Name] = true
				}
			}
			return true
		})
		from, to := set.Position(d.Pos()), set.Position(d.End())
		fmt.Fprintf(&body, "//line %s:%d\n%s\n\n", name, from.Line, source[from.Offset:to.Offset])
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s: there is no %s any more", name, strings.Join(missing, ", "))
	}
	var head bytes.Buffer
	fmt.Fprintf(&head, "package %s\n\n", service)
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		base := path.Base(strings.TrimSuffix(imported, "/v5"))
		if !used[base] && names != nil {
			continue
		}
		actual, allowed := imports[imported]
		if !allowed {
			return nil, fmt.Errorf("%s: imports %s, which is not for decisions and handlers", name, imported)
		}
		if actual == "" {
			actual = imported
		}
		fmt.Fprintf(&head, "import %q\n", actual)
	}
	return append(head.Bytes(), body.Bytes()...), nil
}

// declares returns the names that a declaration declares; nil for imports.
func declares(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return []string{d.Name.Name}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name.Name)
			case *ast.ValueSpec:
				for _, n := range s.Names {
					names = append(names, n.Name)
				}
			}
		}
	}
	return names
}
