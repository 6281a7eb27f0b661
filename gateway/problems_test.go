package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"example.com/orderflow/api"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// A problem's type is a link. Each type that the code can make has a page, and no page is about a type that nobody makes.
func TestEveryTypeOfProblemLeadsToItsPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	made := problemsOfTheCode(t)
	if len(made) < 15 {
		t.Fatalf("only %v are found in the code", made)
	}
	listed := map[string]api.Problem{}
	for _, p := range api.Problems {
		if _, twice := listed[p.Name]; twice {
			t.Errorf("%s is listed twice", p.Name)
		}
		listed[p.Name] = p
		if made[p.Name] == nil {
			t.Errorf("%s is explained, but no code makes it", p.Name)
		}
	}
	for name, err := range made {
		s := web.New(web.Config{Name: "test", Log: slog.New(slog.DiscardHandler)})
		s.GET("/", func(echo.Context) error { return err })
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		p := gotten{w.Result(), w.Body.String()}.problem(t)
		if p.Type != web.ProblemPath+name || p.Status != listed[name].Status {
			t.Errorf("%s has the type %s and the status %d, and is listed with %d", name, p.Type, p.Status, listed[name].Status)
		}
		page := f.call("GET", p.Type, "", "Accept", chromium)
		if page.StatusCode != 200 || !strings.Contains(page.body, "<code>"+p.Type+"</code>") || !strings.Contains(page.body, fmt.Sprintf("&#34;status&#34;: %d", p.Status)) {
			t.Errorf("%s: %s %s", p.Type, page.Status, page.body)
		}
	}
	written := regexp.MustCompile(regexp.QuoteMeta(web.ProblemPath)+`([a-z-]+)`).FindAllSubmatch(api.OpenAPI, -1)
	if len(written) < 15 {
		t.Errorf("openapi.yaml has the types %q", written)
	}
	for _, found := range written {
		if made[string(found[1])] == nil {
			t.Errorf("openapi.yaml has the type %s, which no code makes", found[0])
		}
	}
	if a := f.call("GET", web.ProblemPath+"unknown", ""); a.StatusCode != 404 {
		t.Errorf("a type that there is not: %s", a.Status)
	}
}

// problemsOfTheCode returns an error of each kind in package fault, and of each name that the code of a program or package gives.
func problemsOfTheCode(t *testing.T) map[string]*fault.Error {
	t.Helper()
	made, kinds := map[string]*fault.Error{}, map[string]fault.Kind{}
	each(t, "../pkg/fault/fault.go", func(n ast.Node) {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 {
			if typ, ok := v.Type.(*ast.Ident); ok && typ.Name == "Kind" {
				value := literal(v.Values[0])
				kinds[v.Names[0].Name], made[value] = fault.Kind(value), fault.New(fault.Kind(value), "no")
			}
		}
	})
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && (file == "../e2e" || strings.HasPrefix(d.Name(), ".") && d.Name() != "..") {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		each(t, file, func(n ast.Node) {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Named" {
				if kind, name := kindOf(f.X), literal(call.Args[0]); kind != "" && name != "" {
					made[name] = fault.New(kinds[kind], "no").Named(name)
				}
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// kindOf returns the name of the kind in a chain of calls that begins with fault.New, or nothing for another expression.
func kindOf(e ast.Expr) string {
	call, _ := e.(*ast.CallExpr)
	if call == nil {
		return ""
	}
	f, _ := call.Fun.(*ast.SelectorExpr)
	if f == nil {
		return ""
	}
	if from, ok := f.X.(*ast.Ident); ok && from.Name == "fault" && f.Sel.Name == "New" {
		if kind, ok := call.Args[0].(*ast.SelectorExpr); ok {
			return kind.Sel.Name
		}
	}
	return kindOf(f.X)
}

func each(t *testing.T, file string, visit func(ast.Node)) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		visit(n)
		return true
	})
}

// literal is the value of a string in the code, or empty for anything else.
func literal(e ast.Expr) string {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return ""
	}
	value, _ := strconv.Unquote(l.Value) // the parser has read it
	return value
}
