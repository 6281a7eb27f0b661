// Package crash makes each service crash at each point at which a crash could lose something or do it twice, and then audits
// the whole system. The programs are built with the tag failpoint (pkg/failpoint); otherwise they are the ones that users
// run.
package crash

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Points reads the names of all points from the sources, through a link to the tree (see stories.Look). It is an error if a name is not a literal or is used twice, because
// crashes could not be told apart.
func Points(tree string) (names []string, err error) {
	files, err := filepath.Glob(filepath.Join(tree, "*", "*", "*.go"))
	if err != nil {
		return nil, err
	}
	var wrong []error
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		source, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for n := range ast.Preorder(source) {
			call, ok := n.(*ast.CallExpr)
			if !ok || !isPoint(call) {
				continue
			}
			name := nameOf(call)
			if name == "" || slices.Contains(names, name) {
				wrong = append(wrong, fmt.Errorf("%s: a point has a name of its own, written out", set.Position(n.Pos())))
			}
			names = append(names, name)
		}
	}
	return names, errors.Join(wrong...)
}

func isPoint(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	from, ok := f.X.(*ast.Ident)
	return ok && from.Name == "failpoint" && f.Sel.Name == "At"
}

func nameOf(call *ast.CallExpr) string {
	if len(call.Args) != 1 {
		return ""
	}
	if literal, ok := call.Args[0].(*ast.BasicLit); ok {
		if name, err := strconv.Unquote(literal.Value); err == nil && !strings.ContainsAny(name, " \n") {
			return name
		}
	}
	return ""
}
