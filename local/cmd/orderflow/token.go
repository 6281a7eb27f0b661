package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"example.com/orderflow/local/shop"
)

// tokenWithin bounds the request for a token.
const tokenWithin = 10 * time.Second

// token prints a bearer token of one of the demo's people. The gateway is that of the system that up has started in this folder; if
// there is none, it is the one at GATEWAY_PORT, which may belong to a demo or to containers.
func token(ctx context.Context, s settings, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return errors.New("token of whom? alice, bob, olga or carl")
	}
	gateway := fmt.Sprintf("http://localhost:%d", s.gatewayPort)
	if r, err := ask(ctx, s); err == nil && r.Ready {
		gateway = r.Gateway
	} else if err != nil && !errors.Is(err, errNotRunning) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tokenWithin)
	defer cancel()
	client := shop.Client{Gateway: gateway, ID: args[0], Secret: cmp.Or(os.Getenv("DEMO_SECRET"), "demo")}
	text, err := client.Token(ctx)
	refused, answered := errors.AsType[*shop.Problem](err)
	switch {
	case answered && refused.Status == http.StatusUnauthorized:
		return fmt.Errorf("%s gives no token to %q: there are alice, bob, olga and carl, and DEMO_SECRET must be the gateway's", gateway, args[0])
	case answered && refused.Status == http.StatusNotFound:
		return fmt.Errorf("%s has no demo identity: its tokens come from an identity provider", gateway)
	case err != nil && !answered:
		return fmt.Errorf("there is no gateway at %s (`make up` or `make demo` starts one; GATEWAY_PORT says where it is): %w", gateway, err)
	case err != nil:
		return err
	}
	fmt.Println(text)
	return nil
}
