package main

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"example.com/orderflow/api"
	"example.com/orderflow/pkg/identity"
)

// The table of routes and the document of the API have the same paths, methods and scopes. Pages, and paths that are not found, are
// not in the document.
func TestTheDocumentHasExactlyTheRoutesOfTheTable(t *testing.T) {
	t.Parallel()
	type operation struct {
		ID       string                 `yaml:"operationId"`
		Security *[]map[string][]string `yaml:"security"`
	}
	var document struct {
		Security []map[string][]string
		Paths    map[string]map[string]yaml.Node
	}
	if err := yaml.Unmarshal(api.OpenAPI, &document); err != nil {
		t.Fatal(err)
	}
	written := map[string]string{}
	for path, item := range document.Paths {
		for method, node := range item {
			if method == "parameters" {
				continue
			}
			var o operation
			if err := node.Decode(&o); err != nil {
				t.Fatalf("%s %s: %v", method, path, err)
			}
			security := document.Security
			if o.Security != nil {
				security = *o.Security
			}
			scopes := "nobody needs a token"
			for _, way := range security {
				if names := way["bearer"]; len(names) > 0 {
					scopes = strings.Join(names, " ")
				}
			}
			written[strings.ToUpper(method)+" "+path] = scopes
		}
	}

	f := newFixture(t)
	routed := map[string]string{}
	wild := regexp.MustCompile(`\{[a-z_]+\}`)
	for _, found := range f.gateway.table {
		if !strings.HasPrefix(found.pattern, "/api/") && !strings.HasPrefix(found.pattern, "/oauth/") && !strings.HasPrefix(found.pattern, "/.well-known/") {
			continue
		}
		for method := range found.methods {
			path := wild.ReplaceAllString(found.pattern, "payments.1")
			allowed := func(headers ...string) bool {
				status := f.call(method, path, "{}", headers...).StatusCode
				return status != http.StatusUnauthorized && status != http.StatusForbidden
			}
			scopes := "nobody needs a token"
			if !allowed() {
				var needed []string
				for _, scope := range []string{identity.ScopeOrders, identity.ScopeOperations, identity.ScopeParcels} {
					if allowed("Authorization", f.bearer("alice", scope)) {
						needed = append(needed, scope)
					}
				}
				scopes = strings.Join(needed, " ")
			}
			routed[method+" "+found.pattern] = scopes
		}
	}
	for _, route := range slices.Sorted(maps.Keys(routed)) {
		if scope, there := written[route]; !there {
			t.Errorf("api/openapi.yaml does not have %s", route)
		} else if scope != routed[route] {
			t.Errorf("%s: %s; api/openapi.yaml says: %s", route, routed[route], scope)
		}
	}
	for _, route := range slices.Sorted(maps.Keys(written)) {
		if _, there := routed[route]; !there {
			t.Errorf("%s is only in api/openapi.yaml: the gateway has no such route", route)
		}
	}
}
