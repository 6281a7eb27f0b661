// Shipping has a carrier ship each order at most once, calls back cancelled parcels that have not left, and reports every stage
// up to delivery.
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

const name = "shipping"

//go:embed migrations/*.sql
var migrations embed.FS

type config struct {
	service.Settings
	service.Dependencies
	identity.Trust
	Addr    string          `env:"HTTP_ADDR" envDefault:"127.0.0.1:8085"` // where it listens
	Carrier carrierSettings `envPrefix:"CARRIER_"`
	Poll    pace            `envPrefix:"POLL_"`
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

	d := newDock(db, p.Log, newHTTPCarrier(cfg.Carrier, p.Log), cfg.Carrier, cfg.Poll)
	d.observe()
	in := inbox.New(db, p.Log, d.work, d.handlers()...)
	commands := bus.Queue{Service: name, Exchange: bus.Commands, Kinds: in.Commands(), Retries: bus.DefaultRetries}

	server := web.New(web.Config{Name: name, Addr: cfg.Addr, DrainDelay: p.DrainDelay, Log: p.Log, Metrics: p.Metrics, Ready: db.Ping, Report: broker.Report})
	operator := web.Authenticate(cfg.Verifier(p.Log), identity.ScopeOperations)
	d.routes(server, operator)
	deadletters.New(name, db, broker.NewDeadLetters(commands)).Register(server, operator)

	return p.Run(ctx,
		service.Part{Name: "http", Run: server.Run},
		service.Part{Name: "commands", Run: broker.NewConsumer(commands, publisher, in.Handle).Run},
		service.Part{Name: "expire inbox", Run: in.Expire},
		service.Part{Name: "carrier", Run: d.worker.Run},
		service.Part{Name: "tracker", Run: d.tracker().Run},
		service.Part{Name: "relay", Run: outbox.NewRelay(db, d.outbox, publisher, p.Log).Run},
		service.Part{Name: "publisher", Run: publisher.Run},
	)
}

// dock is the service. All its state is in the database and at the carrier.
type dock struct {
	db         *postgres.DB
	log        *slog.Logger
	outbox     *outbox.Outbox
	office     *unit.Office[*work] // for the carrier's answers and HTTP requests; messages go through the inbox
	worker     *worker.Worker[claim]
	carrier    carrier
	inDoubtFor time.Duration
	pace       pace
	now        func() time.Time
	ignored    func(context.Context, messages.Message, status) // see inbox.Ignored
}

func newDock(db *postgres.DB, log *slog.Logger, c carrier, s carrierSettings, p pace) *dock {
	d := &dock{
		db: db, log: log, outbox: outbox.New(name), carrier: c, inDoubtFor: s.InDoubtFor, pace: p,
		now: postgres.Now, ignored: inbox.Ignored[status](log),
	}
	d.office = unit.NewOffice(db, log, d.work)
	d.worker = d.newWorker(s.Slots)
	return d
}
