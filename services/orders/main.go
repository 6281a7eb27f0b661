// Orders accepts orders, runs the saga that takes each order from placed to delivered or cancelled, and keeps the timeline that
// tracking shows.
package main

import (
	"context"
	"embed"
	"log/slog"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/deadletters"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/service"
	"example.com/orderflow/pkg/telemetry"
	"example.com/orderflow/pkg/unit"
	"example.com/orderflow/pkg/web"
)

const name = "orders"

//go:embed migrations/*.sql
var migrations embed.FS

type config struct {
	service.Settings
	service.Dependencies
	identity.Trust
	Addr     string        `env:"HTTP_ADDR" envDefault:"127.0.0.1:8082"`   // where it listens
	KeepKeys time.Duration `env:"KEEP_IDEMPOTENCY_KEYS" envDefault:"720h"` // how long a request with the same `Idempotency-Key` gets the same answer
	Timeouts timeouts
}

func main() { service.Main(name, run) }

func run(ctx context.Context, p *service.Program, cfg config) error {
	db, err := postgres.Open(ctx, cfg.DatabaseURL, name, p.Log)
	if err != nil {
		return err
	}
	defer db.Close()
	err = postgres.Migrate(ctx, db, p.Log, outbox.Migrations(), inbox.Migrations(), deadletters.Migrations(), postgres.Sub(name, migrations, "migrations"))
	if err != nil {
		return err
	}
	broker, err := bus.NewBroker(cfg.RabbitMQURL, name, p.Log)
	if err != nil {
		return err
	}
	publisher := broker.NewPublisher()

	s := newShop(db, p.Log, cfg.Timeouts)
	s.observe()
	_ = s.ready(ctx) // the first count of the catalogue, before messages arrive; probes count again
	in := inbox.New(db, p.Log, s.work, s.handlers()...)
	commands := bus.Queue{Service: name, Exchange: bus.Commands, Kinds: in.Commands(), Retries: bus.DefaultRetries}
	events := bus.Queue{Service: name, Exchange: bus.Events, Kinds: in.Events(), Retries: bus.DefaultRetries}

	server := web.New(web.Config{Name: name, Addr: cfg.Addr, DrainDelay: p.DrainDelay, Log: p.Log, Metrics: p.Metrics, Ready: s.ready, Report: broker.Report})
	verifier := cfg.Verifier(p.Log)
	operator := web.Authenticate(verifier, identity.ScopeOperations)
	s.routes(server, web.Authenticate(verifier, identity.ScopeOrders), operator)
	deadletters.New(name, db, broker.NewDeadLetters(commands), broker.NewDeadLetters(events)).Register(server, operator)

	return p.Run(ctx,
		service.Part{Name: "http", Run: server.Run},
		service.Part{Name: "commands", Run: broker.NewConsumer(commands, publisher, in.Handle).Run},
		service.Part{Name: "events", Run: broker.NewConsumer(events, publisher, in.Handle).Run},
		service.Part{Name: "expire inbox", Run: in.Expire},
		service.Part{Name: "expire idempotency keys", Run: db.Expire(p.Log, "idempotency_keys", "created_at", cfg.KeepKeys)},
		service.Part{Name: "deadlines", Run: s.deadlines().Run},
		service.Part{Name: "relay", Run: outbox.NewRelay(db, s.outbox, publisher, p.Log).Run},
		service.Part{Name: "publisher", Run: publisher.Run},
	)
}

// shop is the service. All its state is in the database.
type shop struct {
	db       *postgres.DB
	log      *slog.Logger
	outbox   *outbox.Outbox
	office   *unit.Office[*work] // for requests and deadlines; messages go through the inbox
	timeouts timeouts
	now      func() time.Time
	ignored  func(context.Context, messages.Message, status) // see inbox.Ignored
	inStates *telemetry.Histogram                            // how long orders were in a state
	started  time.Time
	stock    stocktaking
}

func newShop(db *postgres.DB, log *slog.Logger, t timeouts) *shop {
	s := &shop{db: db, log: log, outbox: outbox.New(name), timeouts: t, now: postgres.Now, ignored: inbox.Ignored[status](log), inStates: newStateTimes()}
	s.started = s.now()
	s.office = unit.NewOffice(db, log, s.work)
	return s
}
