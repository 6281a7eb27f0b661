package main

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"

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
	cfg := config{Services: services, GatewayURL: client.URLs{"http://localhost:1"}}
	s, err := newSite(cfg, issuer.Verifier(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for name := range services {
		if !slices.ContainsFunc(s.watched, func(u upstream) bool { return u.name == name }) {
			t.Errorf("the console does not show %s", name)
		}
		for _, queue := range []string{".commands", ".commands.dead", ".events", ".events.dead"} {
			if !slices.Contains(s.queues(), name+queue) {
				t.Errorf("the console does not look at %s", name+queue)
			}
		}
	}
	delete(services, "shipping")
	if _, err := newSite(cfg, issuer.Verifier(), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "SERVICES has no address of shipping") {
		t.Errorf("without the address of shipping: %v", err)
	}
}
