package app

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/identity"
)

func TestTheConsoleShowsEveryServiceThatHasAnAddress(t *testing.T) {
	t.Parallel()
	services := client.Directory{}
	for _, name := range []string{"orders", "payments", "inventory", "shipping", "newest"} {
		services[name] = client.URLs{"http://localhost:1"}
	}
	issuer, err := identity.NewIssuer(bytes.Repeat([]byte{7}, 32), "orderflow", "orderflow")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Services: services, GatewayURL: client.URLs{"http://localhost:1"}}
	s, err := New(cfg, issuer.Verifier(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for name := range services {
		if !slices.ContainsFunc(s.Checker.Watched, func(u upstream.Service) bool { return u.Name == name }) {
			t.Errorf("the console does not show %s", name)
		}
	}
	delete(services, "shipping")
	if _, err := New(cfg, issuer.Verifier(), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "SERVICES has no address of shipping") {
		t.Errorf("without the address of shipping: %v", err)
	}
}
