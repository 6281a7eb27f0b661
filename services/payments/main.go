// Payments charges orders and refunds them through a payment provider, each at most once. It never loses track of money while
// an operation is in doubt.
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

const name = "payments"

//go:embed migrations/*.sql
var migrations embed.FS

type config struct {
	service.Settings
	service.Dependencies
	identity.Trust
	Addr     string           `env:"HTTP_ADDR" envDefault:"127.0.0.1:8083"` // where it listens
	Provider providerSettings `envPrefix:"PROVIDER_"`
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

	t := newTill(db, p.Log, newHTTPProvider(cfg.Provider, p.Log), cfg.Provider)
	t.observe()
	in := inbox.New(db, p.Log, t.work, t.handlers()...)
	commands := bus.Queue{Service: name, Exchange: bus.Commands, Kinds: in.Commands(), Retries: bus.DefaultRetries}

	server := web.New(web.Config{Name: name, Addr: cfg.Addr, DrainDelay: p.DrainDelay, Log: p.Log, Metrics: p.Metrics, Ready: db.Ping, Report: broker.Report})
	operator := web.Authenticate(cfg.Verifier(p.Log), identity.ScopeOperations)
	t.routes(server, operator)
	deadletters.New(name, db, broker.NewDeadLetters(commands)).Register(server, operator)

	return p.Run(ctx,
		service.Part{Name: "http", Run: server.Run},
		service.Part{Name: "commands", Run: broker.NewConsumer(commands, publisher, in.Handle).Run},
		service.Part{Name: "expire inbox", Run: in.Expire},
		service.Part{Name: "provider", Run: t.worker.Run},
		service.Part{Name: "relay", Run: outbox.NewRelay(db, t.outbox, publisher, p.Log).Run},
		service.Part{Name: "publisher", Run: publisher.Run},
	)
}

// till is the service. All its state is in the database and at the provider.
type till struct {
	db         *postgres.DB
	log        *slog.Logger
	outbox     *outbox.Outbox
	office     *unit.Office[*work] // for the provider's answers and HTTP requests; messages go through the inbox
	worker     *worker.Worker[claim]
	provider   provider
	inDoubtFor time.Duration
	now        func() time.Time
	ignored    func(context.Context, messages.Message, status) // see inbox.Ignored
}

func newTill(db *postgres.DB, log *slog.Logger, p provider, s providerSettings) *till {
	t := &till{
		db: db, log: log, outbox: outbox.New(name), provider: p, inDoubtFor: s.InDoubtFor,
		now: postgres.Now, ignored: inbox.Ignored[status](log),
	}
	t.office = unit.NewOffice(db, log, t.work)
	t.worker = t.newWorker(s.Slots)
	return t
}
