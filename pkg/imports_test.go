package pkg_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "example.com/orderflow/pkg/"

// arrows lists for each package which packages of this module it may import. A package that is not listed may import none:
// a new arrow is a decision, and is made here.
var arrows = map[string][]string{
	"messages":    {},
	"fault":       {},
	"failpoint":   {},
	"outgoing":    {},
	"telemetry":   {},
	"wire":        {},
	"text":        {},
	"identity":    {"fault", "outgoing", "text", "wire"},
	"wait":        {},
	"postgres":    {"failpoint", "telemetry", "wait"},
	"worker":      {"failpoint", "wait"},
	"service":     {"outgoing", "telemetry"},
	"client":      {"fault", "outgoing", "telemetry", "text", "wire"},
	"bus":         {"failpoint", "fault", "messages", "telemetry", "wait"},
	"outbox":      {"bus", "failpoint", "messages", "postgres", "telemetry", "wait"},
	"unit":        {"failpoint", "fault", "postgres", "telemetry"},
	"inbox":       {"bus", "failpoint", "messages", "postgres", "telemetry", "unit", "wire"},
	"web":         {"fault", "identity", "postgres", "telemetry", "text", "wire"},
	"deadletters": {"bus", "fault", "identity", "postgres", "web", "wire"},
	"tally":       {"fault", "postgres", "web"},
	"testkit":     {"postgres"},
}

// owned libraries are imported by one package only (and by tests and the testkit), so that only one place depends on them.
var owned = map[string]string{
	"github.com/rabbitmq/amqp091-go":      "bus",
	"github.com/pressly/goose/v3":         "postgres",
	"github.com/golang-jwt/jwt/v5":        "identity",
	"github.com/coreos/go-oidc/v3":        "identity",
	"github.com/go-jose/go-jose/v4":       "identity",
	"github.com/maypok86/otter/v2":        "identity",
	"github.com/failsafe-go/failsafe-go":  "client",
	"github.com/caarlos0/env/v11":         "service",
	"github.com/go-json-experiment/json":  "wire",
	"github.com/bojanz/currency":          "messages",
	"golang.org/x/text":                   "text",
	"github.com/prometheus/client_golang": "telemetry",
	"go.opentelemetry.io/otel/sdk":        "telemetry",
	"go.opentelemetry.io/otel/exporters":  "telemetry",
	"go.opentelemetry.io/otel/trace":      "telemetry",
}

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || path == "imports_test.go" {
			return err
		}
		from, _, _ := strings.Cut(filepath.ToSlash(path), "/")
		isTest := strings.HasSuffix(path, "_test.go") || from == "testkit"
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		if _, known := arrows[from]; !known {
			t.Errorf("%s: the package %s has no place in the table of arrows", path, from)
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if to, ours := strings.CutPrefix(imported, module); ours && to != from && !isTest && !slices.Contains(arrows[from], to) {
				t.Errorf("%s: %s must not import %s", path, from, to)
			}
			if strings.HasPrefix(imported, "example.com/orderflow/") && !strings.HasPrefix(imported, module) && !isTest {
				t.Errorf("%s: pkg must not import %s", path, imported)
			}
			for library, owner := range owned {
				if (imported == library || strings.HasPrefix(imported, library+"/")) && from != owner && !isTest {
					t.Errorf("%s: only %s imports %s", path, owner, library)
				}
			}
			// failpoint does, too, in a build for tests only; its comment says why.
			if imported == "os" && from != "service" && from != "failpoint" && !isTest {
				t.Errorf("%s: only service reads the environment and ends the process", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheArrowsHaveNoCircle(t *testing.T) {
	t.Parallel()
	var visit func(name string, trail []string)
	visit = func(name string, trail []string) {
		if slices.Contains(trail, name) {
			t.Fatalf("a circle: %s", strings.Join(append(trail, name), " → "))
		}
		for _, to := range arrows[name] {
			visit(to, append(slices.Clone(trail), name))
		}
	}
	for name := range arrows {
		visit(name, nil)
	}
}
