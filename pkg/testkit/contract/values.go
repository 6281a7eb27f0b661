package contract

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"example.com/orderflow/api/asyncapi"
)

// Values compares the constants of a string type of the tested package with the values that api/asyncapi.yaml allows for a
// field of a kind.
func Values(t *testing.T, typeName, kind, path string) {
	t.Helper()
	document, err := asyncapi.Read()
	if err != nil {
		t.Fatal(err)
	}
	var says []string
	for _, value := range document.Fields(kind)[path].Enum {
		says = append(says, value.(string)) //nolint:forcetypeassert // a test may panic
	}
	is := constants(t, typeName)
	slices.Sort(says)
	slices.Sort(is)
	if len(is) == 0 || !slices.Equal(is, says) {
		t.Errorf("%s of %s can be %v, and asyncapi.yaml says %v", path, kind, is, says)
	}
}

// constants returns the values of the constants of a type in the sources of the tested package.
func constants(t *testing.T, typeName string) (values []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if of, ok := spec.Type.(*ast.Ident); !ok || of.Name != typeName {
				return true
			}
			for _, v := range spec.Values {
				if text, ok := v.(*ast.BasicLit); ok {
					value, err := strconv.Unquote(text.Value)
					if err != nil {
						t.Fatal(err)
					}
					values = append(values, value)
				}
			}
			return true
		})
	}
	return values
}
