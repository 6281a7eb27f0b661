package main

import (
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestEveryRouteLeadsToItsUpstreamAndNeedsItsScope(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, test := range []struct{ method, path, scope, to string }{
		{"GET", "/api/products", "", "inventory"},
		{"GET", "/api/products/MUG-BLUE", "", "inventory"},
		{"HEAD", "/api/products/MUG-BLUE", "", "inventory"},
		{"GET", "/api/products/MUG-BLUE/image", "", "inventory"},
		{"PUT", "/api/products/MUG-BLUE", "operations", "inventory"},
		{"POST", "/api/products/MUG-BLUE/stock", "operations", "inventory"},
		{"GET", "/api/stock", "operations", "inventory"},
		{"GET", "/api/orders?limit=2&cursor=x%20y", "orders", "orders"},
		{"POST", "/api/orders", "orders", "orders"},
		{"GET", "/api/orders/1", "orders", "orders"},
		{"GET", "/api/orders/1/tracking", "orders", "orders"},
		{"POST", "/api/orders/1/cancellation", "orders", "orders"},
		{"GET", "/api/parcels?limit=2", "parcels", "bff"},
		{"PUT", "/api/parcels/hands", "parcels", "bff"},
		{"POST", "/api/parcels/SP1/stages", "parcels", "bff"},
		{"GET", "/api/operations/attention", "operations", "orders"},
		{"GET", "/api/operations/orders?status=paid", "operations", "orders"},
		{"POST", "/api/operations/orders/o-1/retry", "operations", "orders"},
		{"POST", "/api/operations/orders/o-1/note", "operations", "orders"},
		{"GET", "/api/operations/dead-letters?limit=3", "operations", "bff"},
		{"POST", "/api/operations/dead-letters/replay", "operations", "bff"},
		{"POST", "/api/operations/dead-letters/discard", "operations", "bff"},
		{"GET", "/api/operations/dead-letters/payments.1", "operations", "payments"},
		{"POST", "/api/operations/dead-letters/shipping.1/replay", "operations", "shipping"},
		{"POST", "/api/operations/dead-letters/inventory.1/discard", "operations", "inventory"},
		{"GET", "/api/operations/dead-letters/orders.1.2", "operations", "orders"},
		{"PUT", "/api/laboratory/faults", "operations", "bff"},
		{"POST", "/api/laboratory/scenes/bank-silent", "operations", "bff"},
		{"POST", "/api/laboratory/programs/orders-1/kill", "operations", "bff"},
		{"GET", "/api/payments/1", "operations", "payments"},
		{"GET", "/api/shipments/1", "operations", "shipping"},
		{"POST", "/api/payments/1/settlement", "operations", "payments"},
		{"POST", "/api/shipments/1/settlement", "operations", "shipping"},
		{"GET", "/", "", "bff"},
		{"POST", "/cart", "", "bff"},
		{"POST", "/orders/1/cancel", "", "bff"},
		{"GET", "/static/app.css?v=1", "", "bff"},
		{"GET", "/orders/1", "", "bff"},
		{"GET", "/orders/1/live", "", "bff"},
		{"GET", "/backstage/live", "", "bff"},
		{"GET", "/caf%C3%A9", "", "bff"},
	} {
		t.Run(test.method+test.path, func(t *testing.T) {
			if test.scope != "" {
				a := f.call(test.method, test.path, "")
				if a.StatusCode != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") == "" {
					t.Errorf("without a token: %s", a.Status)
				}
				a.problem(t)
				other := f.call(test.method, test.path, "", "Authorization", f.bearer("alice", "another"))
				if other.StatusCode != http.StatusForbidden {
					t.Errorf("without the scope: %s", other.Status)
				}
				other.problem(t)
			}
			token := f.bearer("alice", "orders", "operations", "parcels")
			a := f.call(test.method, test.path, "", "Authorization", token)
			want := `"` + test.to + `"`
			if test.method == "HEAD" {
				want = ""
			}
			if a.StatusCode != http.StatusOK || a.body != want {
				t.Fatalf("%s %s", a.Status, a.body)
			}
			for name, p := range f.behind {
				seen := p.last()
				if (seen != nil) != (name == test.to) {
					t.Errorf("%s was asked: %t", name, seen != nil)
				}
				if seen != nil && (seen.URL.RequestURI() != test.path || seen.Method != strings.Replace(test.method, "HEAD", "GET", 1)) {
					t.Errorf("%s was asked for %s %s", name, seen.Method, seen.URL.RequestURI())
				}
				if seen != nil && (seen.Header.Get("Authorization") == token) != (test.scope != "") {
					t.Errorf("%s got the authorization %q", name, seen.Header.Get("Authorization"))
				}
			}
		})
	}
}

func TestTheDeadLettersOfEveryServiceThatHasAnAddressAreRouted(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *config) { c.Services["newest"] = c.Services["payments"] })
	f.call("GET", "/api/operations/dead-letters/newest.1", "", "Authorization", f.bearer("olga", "operations"))
	if f.behind["payments"].last() == nil {
		t.Error("the dead letters of a service without other routes cannot be reached")
	}
}

func TestAGatewayWithoutTheAddressOfAServiceThatHasRoutesDoesNotStart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	delete(f.config.Services, "shipping")
	delete(f.config.Services, "payments")
	if _, err := newGateway(f.config, slog.New(slog.DiscardHandler)); err == nil ||
		!strings.Contains(err.Error(), "SERVICES has no address of payments") || !strings.Contains(err.Error(), "of shipping") {
		t.Errorf("the error is %v", err)
	}
}

func TestUnknownPathsAreNotFoundAndKnownOnesHaveTheirMethods(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, test := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/api", 404, ""},
		{"GET", "/api/", 404, ""},
		{"GET", "/api/unknown", 404, ""},
		{"POST", "/api/unknown/more", 404, ""},
		{"GET", "/api/orders/", 404, ""},
		{"GET", "/api/orders/1/", 404, ""},
		{"GET", "/api/orders//tracking", 404, ""},
		{"GET", "/api/orders/1/tracking/more", 404, ""},
		{"GET", "/api/products/../orders", 404, ""},
		{"GET", "/api/products/%2e%2e/orders", 404, ""},
		{"GET", "/api/products/a%2Fstock", 404, ""},
		{"GET", `/api/products/a%5Cb`, 404, ""},
		{"GET", "//api/orders", 404, ""},
		{"GET", "/api/operations/dead-letters/strangers.1", 404, ""},
		{"GET", "/api/operations/dead-letters/1", 404, ""},
		{"GET", "/metrics", 404, ""},
		{"GET", "//metrics", 404, ""},
		{"GET", "/./metrics", 404, ""},
		{"GET", "/%6Detrics", 404, ""},
		{"DELETE", "/api/orders", 405, "GET, HEAD, OPTIONS, POST"},
		{"OPTIONS", "/api/orders/1", 204, "GET, HEAD, OPTIONS"},
		{"OPTIONS", "/", 204, "GET, HEAD, OPTIONS, POST"},
		{"OPTIONS", "/api/unknown", 404, ""},
		{"GET", "/api/orders/1/cancellation", 405, "OPTIONS, POST"},
		{"POST", "/api/products/a", 405, "GET, HEAD, OPTIONS, PUT"},
		{"BREW", "/api/products", 405, "GET, HEAD, OPTIONS"},
		{"DELETE", "/", 405, "GET, HEAD, OPTIONS, POST"},
		{"GET", "/livez", 200, ""},
		{"GET", "/readyz", 200, ""},
	} {
		a := f.call(test.method, test.path, "", "Authorization", f.bearer("olga", "orders", "operations"))
		if a.StatusCode != test.status || a.Header.Get("Allow") != test.allow {
			t.Errorf("%s %s: %s, Allow %q", test.method, test.path, a.Status, a.Header.Get("Allow"))
		}
		if test.status >= 400 {
			a.problem(t)
			for name, p := range f.behind {
				if p.last() != nil {
					t.Errorf("%s %s: %s was asked", test.method, test.path, name)
				}
			}
		}
	}
}

func TestAPathIsPassedOnInOneNotation(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for path, want := range map[string]string{
		"/api/products/MUG%2DBLUE": "/api/products/MUG-BLUE",
		"/api/product%73/A":        "/api/products/A",
		"/caf%c3%a9":               "/caf%C3%A9",
		"/a%3Ab%3F?c=%2D":          "/a:b%3F?c=%2D",
	} {
		to := "bff"
		if strings.HasPrefix(want, "/api") {
			to = "inventory"
		}
		if seen := f.call("GET", path, "").StatusCode; seen != http.StatusOK {
			t.Errorf("%s: %d", path, seen)
		} else if seen := f.behind[to].last(); seen == nil || seen.RequestURI != want {
			t.Errorf("%s was passed on to %s as %+v", path, to, seen)
		}
	}
}

func TestAnInvalidTokenIsRefusedAtTheGateway(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	good := f.bearer("alice", "orders")
	changed := []byte(good) // in the middle of the signature, because some bits of its last character mean nothing
	changed[len(changed)-40] ^= 1
	for name, authorization := range map[string]string{
		"no scheme":       strings.TrimPrefix(good, "Bearer "),
		"Basic":           basic("alice", "demo"),
		"alg none":        "Bearer eyJhbGciOiJub25lIiwia2lkIjoieCJ9.eyJzdWIiOiJhbGljZSIsInNjb3BlIjoib3JkZXJzIn0.",
		"a bit changed":   string(changed),
		"no token at all": "Bearer ",
	} {
		a := f.call("GET", "/api/orders", "", "Authorization", authorization)
		if a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %s", name, a.Status)
		}
		a.problem(t)
	}
	if f.behind["orders"].last() != nil {
		t.Error("orders was asked")
	}
}

// The source of the upstreams is read as text, because main packages cannot be imported.
func TestEveryRouteLeadsToAHandler(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	route := regexp.MustCompile(`\.(GET|POST|PUT|PATCH|DELETE)\("([^"]+)"`)
	served := map[string]map[string]bool{}
	folders := map[string]string{"bff": "../bff-web"}
	for _, name := range serviceNames(t) {
		folders[name] = "../services/" + name
	}
	for program, folder := range folders {
		served[program] = map[string]bool{}
		text := sources(t, folder)
		if strings.Contains(text, `/pkg/deadletters"`) {
			text += sources(t, "../pkg/deadletters")
		}
		for _, found := range route.FindAllStringSubmatch(text, -1) {
			served[program][found[1]+" "+regexp.MustCompile(`:[a-z_]+`).ReplaceAllString(found[2], "{}")] = true
		}
	}
	token := f.bearer("olga", "orders", "operations")
	wild := regexp.MustCompile(`\{[a-z]+\}`)
	for _, resource := range f.gateway.table {
		for method := range resource.methods {
			if strings.HasSuffix(resource.pattern, "...}") || strings.HasPrefix(resource.pattern, "/oauth/") || strings.HasPrefix(resource.pattern, "/.well-known/") {
				continue // served by the gateway itself, or a catch-all
			}
			sample := wild.ReplaceAllString(resource.pattern, "payments.1")
			for _, accept := range []string{"application/json", "text/event-stream"} {
				f.call(method, sample, "{}", "Authorization", token, "Accept", accept)
				for name, program := range f.behind {
					if want := method + " " + wild.ReplaceAllString(resource.pattern, "{}"); program.last() != nil && !served[name][want] {
						t.Errorf("%s has nothing at %s, where %s leads to", name, want, resource.pattern)
					}
				}
			}
		}
	}
}

func sources(t *testing.T, folder string) (text string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(path)
		text += string(content)
		return err
	})
	if err != nil || text == "" {
		t.Fatalf("nothing in %s: %v", folder, err)
	}
	return text
}
