package deploy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "example.com/orderflow/"

// structure is a struct in the source: the folder of its package in the repository, and its name there.
type structure struct{ folder, name string }

func (s structure) String() string { return s.folder + "." + s.name }

// read does with the source of a struct what caarlos0/env does with its type: it lists the settings in their order, with those
// of embedded structs and of fields with a prefix. A struct that is apart is not entered: its prefix stands for its settings.
func (s structure) read(t testing.TB, prefix string, apart func(structure) bool) (found []setting) {
	t.Helper()
	file, fields := s.declaration(t)
	if fields == nil {
		t.Fatalf("there is no struct %s", s)
	}
	for _, field := range fields.List {
		tag := tagOf(t, field)
		name, options, _ := strings.Cut(tag.Get("env"), ",")
		if name != "" {
			found = append(found, describe(field, setting{
				name: prefix + name, required: strings.Contains(options, "required"), standard: tag.Get("envDefault"),
			}))
			continue
		}
		inner := prefix + tag.Get("envPrefix")
		within, ok := s.resolve(file, field.Type)
		if _, declared := within.declaration(t); !ok || declared == nil {
			if inner != prefix || len(field.Names) == 0 {
				t.Fatalf("%s has a field of a type that is no struct of this repository", s)
			}
			continue
		}
		if !apart(within) {
			found = append(found, within.read(t, inner, apart)...)
		} else if inner != prefix {
			found = append(found, describe(field, setting{name: inner + "…", of: within}))
		}
	}
	return found
}

func tagOf(t testing.TB, field *ast.Field) reflect.StructTag {
	t.Helper()
	if field.Tag == nil {
		return ""
	}
	tag, err := strconv.Unquote(field.Tag.Value)
	if err != nil {
		t.Fatal(err)
	}
	return reflect.StructTag(tag)
}

// describe takes the meaning of a setting from the comment of its field: the one behind it, else the one above. A default that is
// not in the field's tag ends the comment: "; default 2s".
func describe(field *ast.Field, s setting) setting {
	comment := field.Comment
	if comment == nil {
		comment = field.Doc
	}
	meaning, standard, has := strings.Cut(strings.Join(strings.Fields(comment.Text()), " "), "; default ")
	s.meaning = meaning
	switch typ, _ := field.Type.(*ast.Ident); {
	case has:
		s.standard = standard
	case s.standard == "" && typ != nil && typ.Name == "bool":
		s.standard = "false"
	}
	return s
}

// resolve finds the struct that a type in a file of s is, if it may be one of this repository.
func (s structure) resolve(file *ast.File, typ ast.Expr) (structure, bool) {
	switch typ := typ.(type) {
	case *ast.Ident:
		return structure{s.folder, typ.Name}, true
	case *ast.SelectorExpr:
		name, _ := typ.X.(*ast.Ident)
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			folder, ours := strings.CutPrefix(imported, module)
			if err == nil && ours && spec.Name == nil && name != nil && filepath.Base(imported) == name.Name {
				return structure{folder, typ.Sel.Name}, true
			}
		}
	}
	return structure{}, false
}

// declaration finds the file and the fields of a struct; nil if it is none.
func (s structure) declaration(t testing.TB) (file *ast.File, fields *ast.FieldList) {
	t.Helper()
	if s.folder == "" {
		return nil, nil
	}
	for _, file := range parse(t, s.folder) {
		for _, decl := range file.Decls {
			general, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				if spec, ok := spec.(*ast.TypeSpec); ok && spec.Name.Name == s.name {
					if typ, ok := spec.Type.(*ast.StructType); ok {
						return file, typ.Fields
					}
				}
			}
		}
	}
	return nil, nil
}

// parse reads the source of a package, once, without its tests.
var parse = func() func(t testing.TB, folder string) []*ast.File {
	var mu sync.Mutex
	all := map[string][]*ast.File{}
	return func(t testing.TB, folder string) []*ast.File {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if _, known := all[folder]; known {
			return all[folder]
		}
		names, err := filepath.Glob(filepath.Join(repo, folder, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatalf("%d files in %s: %v", len(names), folder, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			all[folder] = append(all[folder], file)
		}
		return all[folder]
	}
}()
