package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"example.com/orderflow/api"
)

func TestADeprecatedOperationSaysSoInEachAnswer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.gateway.deprecations = map[string]deprecation{
		"GET /api/stock": {
			since: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), sunset: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), instead: "/api/shelves",
		},
		"GET /api/products/{sku}": {since: time.Unix(1, 0), sunset: time.Unix(2, 0)},
	}
	olga := f.bearer("olga", "operations")
	for _, test := range []struct {
		what, method, path, token string
		status                    int
		deprecation, sunset, link string
	}{
		{"an answer", "GET", "/api/stock", olga, 200, "@1767225600", "Wed, 01 Jul 2026 00:00:00 GMT", `</docs/api>; rel="deprecation"; type="text/html", </api/shelves>; rel="successor-version"`},
		{"its header", "HEAD", "/api/stock", olga, 200, "@1767225600", "Wed, 01 Jul 2026 00:00:00 GMT", `</docs/api>; rel="deprecation"; type="text/html", </api/shelves>; rel="successor-version"`},
		{"a refusal", "GET", "/api/stock", "", 401, "@1767225600", "Wed, 01 Jul 2026 00:00:00 GMT", `</docs/api>; rel="deprecation"; type="text/html", </api/shelves>; rel="successor-version"`},
		{"a pattern, and an answer from memory", "GET", "/api/products/MUG", "", 200, "@1", "Thu, 01 Jan 1970 00:00:02 GMT", `</docs/api>; rel="deprecation"; type="text/html"`},
		{"another method of it", "PUT", "/api/products/MUG", olga, 200, "", "", ""},
		{"another path", "GET", "/api/products", "", 200, "", "", ""},
	} {
		var headers []string
		if test.token != "" {
			headers = []string{"Authorization", test.token}
		}
		a := f.call(test.method, test.path, "", headers...)
		h := a.Header
		if a.StatusCode != test.status || h.Get("Deprecation") != test.deprecation || h.Get("Sunset") != test.sunset || strings.Join(h.Values("Link"), ", ") != test.link {
			t.Errorf("%s: %d, Deprecation %q, Sunset %q, Link %q", test.what, a.StatusCode, h.Get("Deprecation"), h.Get("Sunset"), h.Values("Link"))
		}
	}
}

// Clients learn of a deprecation from the document, before they write their code, and from the answers, afterwards.
func TestTheDocumentAndTheAnswersDeprecateTheSame(t *testing.T) {
	t.Parallel()
	differ := func(document []byte, table map[string]deprecation) (differences []string) {
		var read struct {
			Paths map[string]map[string]yaml.Node
		}
		if err := yaml.Unmarshal(document, &read); err != nil {
			t.Fatal(err)
		}
		says := map[string]string{}
		for path, item := range read.Paths {
			for method, node := range item {
				var o struct {
					Deprecated bool
					Sunset     string `yaml:"x-sunset"`
				}
				if method == "parameters" {
					continue
				}
				if err := node.Decode(&o); err != nil {
					t.Fatal(err)
				}
				if o.Deprecated {
					says[strings.ToUpper(method)+" "+path] = o.Sunset
				}
			}
		}
		does := map[string]string{}
		for name, d := range table {
			does[name] = d.sunset.UTC().Format(time.DateOnly)
		}
		all := maps.Clone(says)
		maps.Copy(all, does)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if says[name] != does[name] {
				differences = append(differences, name)
			}
		}
		return differences
	}
	if found := differ(api.OpenAPI, deprecations); found != nil {
		t.Errorf("the document and the table differ about %v", found)
	}
	document := "paths:\n  /a:\n    get: {deprecated: true, x-sunset: '2026-07-01'}\n    put: {deprecated: true, x-sunset: '2026-07-01'}\n  /b:\n    get: {}\n"
	july := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	got := differ([]byte(document), map[string]deprecation{"GET /a": {sunset: july}, "PUT /a": {sunset: july.AddDate(0, 1, 0)}, "GET /b": {sunset: july}})
	if want := []string{"GET /b", "PUT /a"}; !slices.Equal(got, want) {
		t.Errorf("they differ about %v, want %v", got, want)
	}
	const notice = 180 * 24 * time.Hour
	f := newFixture(t)
	for name, d := range deprecations {
		known := slices.ContainsFunc(f.gateway.table, func(r resource) bool {
			method, pattern, _ := strings.Cut(name, " ")
			return r.pattern == pattern && r.methods[method] != nil
		})
		if !known || d.sunset.Sub(d.since) < notice {
			t.Errorf("%s: it is a route: %t, and the notice is %s", name, known, d.sunset.Sub(d.since))
		}
	}
}
