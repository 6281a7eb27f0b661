package deploy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// stop is a stop of the tour: a function, or a variable, and lines of it.
var stop = regexp.MustCompile("(?ms)^### (\\d+)\\. [^\n]*\n+\\[`([^`]+)`\\]\\(\\.\\./([^)]+)\\), `([^`]+)`\n+```go\n(.*?)```")

func TestTheTourQuotesTheCodeAsItIs(t *testing.T) {
	t.Parallel()
	page := string(read(t, "docs/tour.md"))
	stops := stop.FindAllStringSubmatch(page, -1)
	if n := strings.Count(page, "\n### "); n != len(stops) || n < 12 {
		t.Fatalf("%d of %d stops could be read", len(stops), n)
	}
	for _, s := range stops {
		number, name, path, declared, quoted := s[1], s[2], s[3], s[4], s[5]
		if name != path {
			t.Errorf("stop %s names %s and links to %s", number, name, path)
		}
		lines := linesOf(t, path, declared)
		if len(lines) == 0 {
			t.Errorf("stop %s: there is no %s in %s", number, declared, path)
			continue
		}
		next := false // whether the line has to follow at once
		for line := range strings.Lines(quoted) {
			line = strings.TrimSpace(line)
			if line == "…" {
				next = false
				continue
			}
			i := slices.Index(lines, line)
			if i < 0 || next && i > 0 {
				t.Errorf("stop %s: %s in %s has no such line there: %s", number, declared, path, line)
				break
			}
			lines, next = lines[i+1:], true
		}
	}
}

// linesOf are the lines of a function, a method or a variable, without white space around them, empty lines and comments.
func linesOf(t *testing.T, path, name string) (lines []string) {
	t.Helper()
	source := read(t, path)
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, path, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		if !slices.Contains(namesOf(d), name) {
			continue
		}
		text := string(source[files.Position(d.Pos()).Offset:files.Position(d.End()).Offset])
		for line := range strings.Lines(text) {
			line, _, _ = strings.Cut(line, " //")
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

func namesOf(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		names = append(names, d.Name.Name)
	case *ast.GenDecl:
		for _, s := range d.Specs {
			if v, ok := s.(*ast.ValueSpec); ok {
				for _, n := range v.Names {
					names = append(names, n.Name)
				}
			}
		}
	}
	return names
}
