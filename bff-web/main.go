// Bff-web is the backend of the web front end: it composes what one screen needs from the services, and serves the pages.
// It knows no business rules and has no database.
package main

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/service"
	"example.com/orderflow/pkg/web"
)

const name = "bff-web"

type config struct {
	service.Settings
	Addr string `env:"HTTP_ADDR" envDefault:"127.0.0.1:8081"`

	OrdersURL    client.URLs   `env:"ORDERS_URL" envDefault:"http://localhost:8082"`
	PaymentsURL  client.URLs   `env:"PAYMENTS_URL" envDefault:"http://localhost:8083"`
	InventoryURL client.URLs   `env:"INVENTORY_URL" envDefault:"http://localhost:8084"`
	ShippingURL  client.URLs   `env:"SHIPPING_URL" envDefault:"http://localhost:8085"`
	Upstream     client.Config `envPrefix:"UPSTREAM_"` // how patient to be with each of them

	JWKSURL       string `env:"JWKS_URL" envDefault:"http://localhost:8080/.well-known/jwks.json"` // where the keys are that tokens are verified with
	TokenIssuer   string `env:"TOKEN_ISSUER" envDefault:"orderflow"`
	TokenAudience string `env:"TOKEN_AUDIENCE" envDefault:"orderflow"`
}

func main() { service.Main(name, run) }

func run(ctx context.Context, p *service.Program, cfg config) error {
	s, err := newSite(cfg, p.Log)
	if err != nil {
		return err
	}
	server := web.New(web.Config{Name: name, Addr: cfg.Addr, DrainDelay: p.DrainDelay, Log: p.Log, Metrics: p.Metrics})
	operator := web.Authenticate(identity.NewVerifier(cfg.JWKSURL, cfg.TokenIssuer, cfg.TokenAudience, p.Log), identity.ScopeOperations)
	s.routes(server.Echo, operator)
	return p.Run(ctx, service.Part{Name: "http", Run: server.Run})
}

// site is what the routes need: the templates, and the services behind the pages.
type site struct {
	log       *slog.Logger
	pages     *pages
	inventory *client.Client
	services  []neighbour // all four, in the order of their names
}

type neighbour struct {
	name   string
	client *client.Client
}

func newSite(cfg config, log *slog.Logger) (*site, error) {
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	connect := func(name string, urls client.URLs) neighbour {
		c := cfg.Upstream
		c.Name, c.URLs, c.Log = name, urls, log
		c.Retries = cmp.Or(c.Retries, 1)
		c.Total = cmp.Or(c.Total, 4*time.Second) // the gateway waits 5 s for us
		return neighbour{name, client.New(c)}
	}
	s := &site{log: log, pages: pages, services: []neighbour{
		connect("inventory", cfg.InventoryURL),
		connect("orders", cfg.OrdersURL),
		connect("payments", cfg.PaymentsURL),
		connect("shipping", cfg.ShippingURL),
	}}
	s.inventory = s.services[0].client
	return s, nil
}
