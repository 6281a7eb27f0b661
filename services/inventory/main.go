// Inventory keeps the catalogue and the stock. It reserves units for orders, lets orders wait for missing units, and orders
// more from its supplier when a product runs low.
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
	"example.com/orderflow/pkg/unit"
	"example.com/orderflow/pkg/web"
	"example.com/orderflow/pkg/worker"
)

const name = "inventory"

//go:embed migrations/*.sql
var migrations embed.FS

type config struct {
	service.Settings
	service.Dependencies
	identity.Trust
	Addr     string           `env:"HTTP_ADDR" envDefault:"127.0.0.1:8084"` // where it listens
	Seed     bool             `env:"SEED_CATALOGUE" envDefault:"true"`      // at the start, add those products of catalogue.go that are missing
	Supplier supplierSettings `envPrefix:"SUPPLIER_"`
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

	w := newWarehouse(db, p.Log, newHTTPSupplier(cfg.Supplier, p.Log), cfg.Supplier)
	w.observe()
	if cfg.Seed {
		if err := w.stockUp(ctx, seeds); err != nil {
			return err
		}
	}
	in := inbox.New(db, p.Log, w.work, w.handlers()...)
	commands := bus.Queue{Service: name, Exchange: bus.Commands, Kinds: in.Commands(), Retries: bus.DefaultRetries}
	events := bus.Queue{Service: name, Exchange: bus.Events, Kinds: in.Events(), Retries: bus.DefaultRetries}

	server := web.New(web.Config{Name: name, Addr: cfg.Addr, DrainDelay: p.DrainDelay, Log: p.Log, Metrics: p.Metrics, Ready: db.Ping, Report: broker.Report})
	verifier := cfg.Verifier(p.Log)
	operator := web.Authenticate(verifier, identity.ScopeOperations)
	w.routes(server, web.Identify(verifier), operator)
	deadletters.New(name, db, broker.NewDeadLetters(commands), broker.NewDeadLetters(events)).Register(server, operator)

	return p.Run(ctx,
		service.Part{Name: "http", Run: server.Run},
		service.Part{Name: "commands", Run: broker.NewConsumer(commands, publisher, in.Handle).Run},
		service.Part{Name: "events", Run: broker.NewConsumer(events, publisher, in.Handle).Run},
		service.Part{Name: "expire inbox", Run: in.Expire},
		service.Part{Name: "supplier", Run: w.worker.Run},
		service.Part{Name: "relay", Run: outbox.NewRelay(db, w.outbox, publisher, p.Log).Run},
		service.Part{Name: "publisher", Run: publisher.Run},
	)
}

// warehouse is the service. All its state is in the database and at the supplier.
type warehouse struct {
	db       *postgres.DB
	log      *slog.Logger
	outbox   *outbox.Outbox
	office   *unit.Office[*work] // for the supplier's answers and HTTP requests; messages go through the inbox
	worker   *worker.Worker[supplierOrder]
	supplier supplier
	now      func() time.Time
	ignored  func(context.Context, messages.Message, status) // see inbox.Ignored
}

func newWarehouse(db *postgres.DB, log *slog.Logger, s supplier, settings supplierSettings) *warehouse {
	w := &warehouse{db: db, log: log, outbox: outbox.New(name), supplier: s, now: postgres.Now, ignored: inbox.Ignored[status](log)}
	w.office = unit.NewOffice(db, log, w.work)
	w.worker = w.newWorker(settings.Slots)
	return w
}
