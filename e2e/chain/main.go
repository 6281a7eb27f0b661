// Chain is one service of another system: one whose services call each other, and answer when all of them are done. It does the
// steps of an order in the simplest way that is fair, with the same libraries as the services of Orderflow, so that e2e/why_test.go
// can measure both beside each other.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/service"
	"example.com/orderflow/pkg/web"
)

const name = "chain"

const (
	// Time limits of calls: those of the gateway, because here every service waits for others.
	attemptWithin = 5 * time.Second
	callWithin    = 12 * time.Second

	undoWithin = 5 * time.Second // the caller waits for it
)

type config struct {
	service.Settings
	Addr        string      `env:"HTTP_ADDR,required"` // where it listens
	DatabaseURL string      `env:"DATABASE_URL"`       // empty: it has no step of its own and only passes orders on, as a gateway does
	ProviderURL client.URLs `env:"PROVIDER_URL"`       // the payment provider; empty: its step costs no money
	NextURL     client.URLs `env:"NEXT_URL"`           // the service that it calls; empty: it is the last one
}

func main() { service.Main(name, run) }

func run(ctx context.Context, p *service.Program, cfg config) error {
	l := link{provider: upstream("provider", cfg.ProviderURL, p.Log), next: upstream("next", cfg.NextURL, p.Log)}
	if cfg.DatabaseURL != "" {
		db, err := postgres.Open(ctx, cfg.DatabaseURL, name, p.Log)
		if err != nil {
			return err
		}
		defer db.Close()
		if _, err := db.Exec(ctx, `CREATE TABLE IF NOT EXISTS steps (order_id uuid PRIMARY KEY, done_at timestamptz NOT NULL DEFAULT now())`); err != nil {
			return fmt.Errorf("create the table: %w", err)
		}
		l.db = db
	}
	server := web.New(web.Config{Name: name, Addr: cfg.Addr, DrainDelay: p.DrainDelay, Log: p.Log, Metrics: p.Metrics})
	server.POST("/orders", l.postOrder)
	return p.Run(ctx, service.Part{Name: "http", Run: server.Run})
}

// upstream returns a client with the retries, breakers and bulkheads that all programs of Orderflow have; nil without a URL.
func upstream(name string, urls client.URLs, log *slog.Logger) *client.Client {
	if len(urls) == 0 {
		return nil
	}
	// The next service has tried its own upstream again before it answers 503. Without Composes, each service of the chain
	// would repeat that, and the attempts would multiply.
	return client.New(client.Config{Name: name, URLs: urls, Log: log, Timeout: attemptWithin, Total: callWithin, Composes: name == "next"})
}

// link is a service of the chain.
type link struct {
	db             *postgres.DB
	provider, next *client.Client
}

// order is what services tell each other.
type order struct {
	ID       string `json:"id"`
	Amount   int64  `json:"amount"`
	Services int    `json:"services"` // that have to do their step, this one included
}

// postOrder answers when this service and all behind it have done their steps. When one of them cannot, none has: the services
// before it undo theirs. A service that dies in between leaves its step done.
func (l link) postOrder(c echo.Context) error {
	var o order
	if err := web.JSON(c, &o); err != nil {
		return err
	}
	ctx := c.Request().Context()
	if err := l.do(ctx, o); err != nil {
		return errors.Join(err, l.undo(ctx, o))
	}
	return c.NoContent(http.StatusCreated)
}

func (l link) do(ctx context.Context, o order) error {
	if l.db != nil {
		if _, err := l.db.Exec(ctx, `INSERT INTO steps (order_id) VALUES ($1) ON CONFLICT DO NOTHING`, o.ID); err != nil {
			return fmt.Errorf("do the step: %w", err)
		}
		o.Services--
	}
	key := http.Header{"Idempotency-Key": {o.ID}}
	if l.provider != nil {
		charge := map[string]any{"amount": o.Amount, "currency": "EUR", "method": "tok_visa", "reference": o.ID}
		if _, err := l.provider.JSON(ctx, http.MethodPost, "/charges", key, charge, nil); err != nil {
			return fmt.Errorf("charge: %w", err)
		}
	}
	if o.Services == 0 {
		return nil
	}
	if _, err := l.next.JSON(ctx, http.MethodPost, "/orders", key, o, nil); err != nil {
		return fmt.Errorf("call the next service: %w", err)
	}
	return nil
}

func (l link) undo(ctx context.Context, o order) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoWithin)
	defer cancel()
	if l.provider != nil {
		refund := map[string]any{"charge_key": o.ID, "amount": o.Amount, "currency": "EUR"}
		status, err := l.provider.JSON(ctx, http.MethodPost, "/refunds", http.Header{"Idempotency-Key": {"refund-" + o.ID}}, refund, nil)
		if err != nil && status != http.StatusNotFound { // there was no charge
			return fmt.Errorf("refund: %w", err)
		}
	}
	if l.db != nil {
		if _, err := l.db.Exec(ctx, `DELETE FROM steps WHERE order_id = $1`, o.ID); err != nil {
			return fmt.Errorf("undo the step: %w", err)
		}
	}
	return nil
}
