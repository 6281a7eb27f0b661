package oidc

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/orderflow/local/shop"
	"example.com/orderflow/local/system"
)

const order = `{"lines":[{"sku":"MUG-BLUE","quantity":1}],"payment_method":"tok_visa",
	"shipping_address":{"name":"Alice","street":"1 Main St","city":"Berlin","postal_code":"10115","country":"DE"}}`

// All programs verify the tokens of a provider that they know only by its URL; the demo identity is off.
func TestTheWholeSystemTrustsAProvider(t *testing.T) {
	p := serve(t)
	s := start(t, p.url)
	call := func(base, method, path, token, body string) int {
		t.Helper()
		headers := []string{"Idempotency-Key", fmt.Sprint(time.Now().UnixNano())}
		if token != "" {
			headers = append(headers, "Authorization", "Bearer "+token)
		}
		answer, err := (&shop.Client{Gateway: base}).Send(t.Context(), method, path, body, headers...)
		if err != nil {
			t.Fatal(err)
		}
		return answer.Status
	}
	expect := func(what string, status int, got int) {
		t.Helper()
		if got != status {
			t.Errorf("%s: %d, not %d", what, got, status)
		}
	}
	gateway := s.GatewayURL
	// Through the gateway and directly: no service relies on the gateway to verify the caller.
	everywhere := map[string]string{"the gateway": gateway, "orders": s.Program("orders", 1).URL}
	alice, olga := p.token(t, "alice", "orders"), p.token(t, "olga", "orders operations")

	placed := false
	for deadline := time.Now().Add(time.Minute); !placed && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) { // until orders knows the product
		placed = call(gateway, "POST", "/api/orders", alice, order) == http.StatusAccepted
	}
	if !placed {
		t.Fatal("no order can be placed")
	}
	expect("alice's orders", 200, call(gateway, "GET", "/api/orders", alice, ""))
	expect("alice in operations", 403, call(gateway, "GET", "/api/operations/attention", alice, ""))
	for _, path := range []string{"/api/operations/attention", "/api/operations/dead-letters/payments.1", "/api/stock"} {
		if got := call(gateway, "GET", path, olga, ""); got != 200 && got != 404 { // there is no such dead letter
			t.Errorf("olga at %s: %d", path, got)
		}
	}
	expect("olga's list of all dead letters", 200, call(gateway, "GET", "/api/operations/dead-letters", olga, ""))
	expect("alice's", 403, call(gateway, "GET", "/api/operations/dead-letters", alice, ""))
	expect("the demo identity", 404, call(gateway, "POST", "/oauth/token", "", ""))

	p.with(func() { p.audience = "another" })
	foreign := p.token(t, "alice", "orders")
	p.with(func() { p.audience, p.life = "orderflow", -10*time.Second })
	skewed := p.token(t, "alice", "orders")
	p.with(func() { p.life = -2 * time.Minute })
	expired := p.token(t, "alice", "orders")
	p.with(func() { p.life = time.Hour })
	for name, base := range everywhere {
		expect("nobody at "+name, 401, call(base, "GET", "/api/orders", "", ""))
		expect("a token for another audience at "+name, 401, call(base, "GET", "/api/orders", foreign, ""))
		expect("an expired token at "+name, 401, call(base, "GET", "/api/orders", expired, ""))
		expect("a token that has expired by a slow clock at "+name, 200, call(base, "GET", "/api/orders", skewed, ""))
		expect("a token that was tampered with at "+name, 401, call(base, "GET", "/api/orders", alice[:len(alice)-4]+"AAAA", ""))
	}

	p.rotate()
	fresh := p.token(t, "alice", "orders")
	for name, base := range everywhere {
		status := 0
		for deadline := time.Now().Add(30 * time.Second); status != 200 && time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
			status = call(base, "GET", "/api/orders", fresh, "")
		}
		expect("the new key at "+name, 200, status)
		expect("the key that was withdrawn at "+name, 401, call(base, "GET", "/api/orders", alice, ""))
	}
}

func start(t *testing.T, issuer string) *system.System {
	t.Helper()
	repo, err := system.FindRepo(".")
	if err != nil {
		t.Fatal(err)
	}
	look(t)
	dir, err := os.MkdirTemp("", "orderflow-oidc-") // PostgreSQL may have to run as another user, which cannot reach t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	programs := filepath.Join(dir, "bin")
	if err := system.Build(t.Context(), repo, programs); err != nil {
		t.Fatal(err)
	}
	s, err := system.Start(context.WithoutCancel(t.Context()), system.Options{Dir: dir, Binaries: programs, Env: map[string][]string{
		"":        {"OIDC_ISSUER=" + issuer},
		"gateway": {"DEMO_IDENTITY=false"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// look opens the sources of the programs, so that go test runs this test again when one of them has changed. It ignores files
// outside of the module, so there is a link to the tree.
func look(t *testing.T) {
	t.Helper()
	for _, folder := range []string{"bff-web", "gateway", "pkg", "services", "simulator"} {
		err := filepath.WalkDir(filepath.Join("testdata", "repo", folder), func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
	}
}
