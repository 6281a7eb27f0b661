package outgoing_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Transports are made here and, for the tools, which import none of our packages, in a package of their own. The
// simulator, which imports none either, makes two without a proxy: for its health check, and for its customers. The
// generated client of the API gets its HTTP client from its test.
var makers = []string{
	"pkg/outgoing/outgoing.go", "local/direct/direct.go", "simulator/health.go", "simulator/shop.go",
	"e2e/contract/client/client.gen.go",
}

// net/http's ready-made clients and transports ask a proxy of the environment, and no test on localhost would notice.
func TestNoProgramUsesATransportThatAsksForAProxyByItself(t *testing.T) {
	t.Parallel()
	const root = "../.."
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil || slices.Contains(makers, filepath.ToSlash(name)) {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files++
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				switch member(n) {
				case "DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm":
					t.Errorf("%s: http.%s asks for a proxy", fset.Position(n.Pos()), n.Sel.Name)
				}
			case *ast.CompositeLit:
				switch {
				case member(n.Type) == "Transport":
					t.Errorf("%s: a transport of its own", fset.Position(n.Pos()))
				case member(n.Type) == "Client" && !slices.ContainsFunc(n.Elts, sets("Transport")):
					t.Errorf("%s: a client without a transport asks for a proxy", fset.Position(n.Pos()))
				}
			}
			return true
		})
		return nil
	})
	if err != nil || files < 100 {
		t.Errorf("looked at %d files: %v", files, err)
	}
}

// member returns the name that an expression uses of net/http, or "".
func member(e ast.Expr) string {
	if selected, ok := e.(*ast.SelectorExpr); ok {
		if of, ok := selected.X.(*ast.Ident); ok && of.Name == "http" {
			return selected.Sel.Name
		}
	}
	return ""
}

func sets(field string) func(ast.Expr) bool {
	return func(e ast.Expr) bool {
		pair, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return false
		}
		key, ok := pair.Key.(*ast.Ident)
		return ok && key.Name == field
	}
}
