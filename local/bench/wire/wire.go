// Package wire moves the messages and rows of an order between four databases and four queues, without HTTP and without
// business logic. It shows what the machine, PostgreSQL and RabbitMQ can do: Batched as fast as possible, Single in the simplest
// way. Both are as durable as Orderflow: fsync, quorum queues, publisher confirms, mandatory publishing, a transactional outbox,
// and an inbox that drops duplicates.
//
// An order is eight messages, one after another: see hops. Each is handled in a transaction that enters its id in the inbox,
// writes one row, and puts the next message into the outbox. The last one ends the order.
package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"
)

// hop is a message of an order: its sender, the service whose queue it goes to, and its kind.
type hop struct{ from, to, kind string }

var hops = []hop{
	{"orders", "inventory", "reserve_stock"},
	{"inventory", "orders", "stock_reserved"},
	{"orders", "payments", "take_payment"},
	{"payments", "orders", "payment_taken"},
	{"orders", "shipping", "arrange_shipment"},
	{"shipping", "orders", "shipment_arranged"},
	{"orders", "inventory", "take_stock"},
	{"inventory", "orders", "stock_taken"},
}

// Hops is the number of messages of an order.
var Hops = len(hops)

var services = []string{"orders", "inventory", "payments", "shipping"}

// Way is how messages are moved.
type Way int

const (
	// Batched handles the messages in the queue in one transaction of set-based SQL, acknowledges them with one frame, and
	// publishes the messages of a transaction without waiting between them.
	Batched Way = iota
	// Single has a transaction, a confirm and an acknowledgement for each message, with eight workers for each queue and each
	// outbox.
	Single
)

// Options says where to run.
type Options struct {
	Way       Way
	Databases map[string]string // URL by service: orders, inventory, payments, shipping
	Broker    string            // AMQP URL of an account with all permissions in its vhost
}

// Wire is a running program. Its methods Place and Ended may be called by many goroutines.
type Wire struct {
	services map[string]*service
	failed   chan struct{} // closed on the first error
	fail     sync.Once
	cause    error

	mu      sync.Mutex
	waiting map[uuid.UUID]chan struct{}

	stop    context.CancelFunc
	workers sync.WaitGroup
	closers []func()

	handled atomic.Int64
}

// service is one of the four, with a database and a queue of its own.
type service struct {
	name   string
	db     *pgxpool.Pool
	conn   *amqp.Connection // to consume; the broker throttles a connection that publishes, with everything on it
	sender *amqp.Connection
	intake chan intake      // orders that wait to be placed
	fresh  chan []message   // messages of committed transactions (Batched)
	wake   chan struct{}    // signals that there is something in the outbox (Single)
	gone   chan []uuid.UUID // confirmed messages (Batched)
}

const (
	connections = 24 // of each service's pool
	exchange    = "wire"
	queueOf     = "wire."
)

const schema = `
	DROP TABLE IF EXISTS inbox, state, outbox;
	CREATE TABLE inbox (
		id          uuid        PRIMARY KEY,
		received_at timestamptz NOT NULL DEFAULT now()
	);
	CREATE TABLE state (
		order_id   uuid        PRIMARY KEY,
		hop        integer     NOT NULL,
		customer   text        NOT NULL DEFAULT 'alice',
		amount     bigint      NOT NULL DEFAULT 1000,
		updated_at timestamptz NOT NULL DEFAULT now()
	);
	CREATE TABLE outbox (
		id         uuid        PRIMARY KEY,
		kind       text        NOT NULL,
		subject    uuid        NOT NULL,
		body       json        NOT NULL,
		created_at timestamptz NOT NULL DEFAULT now()
	);
	ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)`

// Start makes the tables and queues, or empties those that exist, and begins to move messages.
func Start(ctx context.Context, options Options) (*Wire, error) {
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	w := &Wire{services: map[string]*service{}, failed: make(chan struct{}), waiting: map[uuid.UUID]chan struct{}{}, stop: stop}
	for _, name := range services {
		if err := w.open(ctx, name, options); err != nil {
			w.Stop()
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := w.declare(); err != nil {
		w.Stop()
		return nil, err
	}
	for _, s := range w.services {
		begin := w.startBatched
		if options.Way == Single {
			begin = w.startSingle
		}
		if err := begin(life, s); err != nil {
			w.Stop()
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return w, nil
}

func (w *Wire) open(ctx context.Context, name string, options Options) error {
	config, err := pgxpool.ParseConfig(options.Databases[name])
	if err != nil {
		return fmt.Errorf("address of the database: %w", err)
	}
	config.MaxConns = connections
	s := &service{
		name: name, intake: make(chan intake, intakeMost), fresh: make(chan []message, 64),
		wake: make(chan struct{}, singleWorkers), gone: make(chan []uuid.UUID, 64),
	}
	if s.db, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	w.closers = append(w.closers, s.db.Close)
	if _, err := s.db.Exec(ctx, schema); err != nil {
		return fmt.Errorf("make tables: %w", err)
	}
	for _, conn := range []**amqp.Connection{&s.conn, &s.sender} {
		dialled, err := amqp.Dial(options.Broker)
		if err != nil {
			return fmt.Errorf("connect to RabbitMQ: %w", err)
		}
		*conn = dialled
		w.closers = append(w.closers, func() { _ = dialled.Close() }) // messages that were not acknowledged are delivered again
	}
	w.services[name] = s
	return nil
}

// declare makes the exchange, and for each service an empty queue that is bound to its kinds of messages.
func (w *Wire) declare() error {
	ch, err := w.services["orders"].conn.Channel()
	if err != nil {
		return fmt.Errorf("declare queues: %w", err)
	}
	defer ch.Close() //nolint:errcheck // nothing is lost with it
	if err := ch.ExchangeDeclare(exchange, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		return fmt.Errorf("declare the exchange: %w", err)
	}
	for _, name := range services {
		if _, err := ch.QueueDelete(queueOf+name, false, false, false); err != nil {
			return fmt.Errorf("empty the queue of %s: %w", name, err)
		}
		if _, err := ch.QueueDeclare(queueOf+name, true, false, false, false, amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum}); err != nil {
			return fmt.Errorf("declare the queue of %s: %w", name, err)
		}
	}
	for _, h := range hops {
		if err := ch.QueueBind(queueOf+h.to, h.kind, exchange, false, nil); err != nil {
			return fmt.Errorf("bind %s: %w", h.kind, err)
		}
	}
	return nil
}

// Place returns when a new order and its first message are committed.
func (w *Wire) Place(ctx context.Context) (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("order id: %w", err)
	}
	done := make(chan struct{})
	w.mu.Lock()
	w.waiting[id] = done
	w.mu.Unlock()
	committed := make(chan struct{})
	select {
	case w.services["orders"].intake <- intake{id, committed}:
	case <-w.failed:
		return "", w.cause
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return id.String(), w.await(ctx, committed)
}

// Ended returns when the last message of an order was handled.
func (w *Wire) Ended(ctx context.Context, order string) error {
	id, err := uuid.Parse(order)
	if err != nil {
		return fmt.Errorf("order id: %w", err)
	}
	w.mu.Lock()
	done := w.waiting[id]
	w.mu.Unlock()
	if done == nil {
		return nil
	}
	return w.await(ctx, done)
}

func (w *Wire) await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-w.failed:
		return w.cause
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end marks an order as ended.
func (w *Wire) end(order uuid.UUID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if done := w.waiting[order]; done != nil {
		close(done)
		delete(w.waiting, order)
	}
}

// Handled is the number of messages handled so far, without duplicates.
func (w *Wire) Handled() int64 { return w.handled.Load() }

// Stop ends the program. Orders that are under way stay where they are.
func (w *Wire) Stop() {
	w.stop()
	for _, s := range w.services { // a worker that waits for a delivery ends with its connection
		if s.conn != nil {
			_ = s.conn.Close() // messages that were not acknowledged are no longer needed
		}
	}
	w.workers.Wait()
	for _, end := range w.closers {
		end()
	}
}

var errStopped = errors.New("the connection to RabbitMQ has ended")

// work runs a worker. Its first error ends the whole program, because a measurement with a broken part is not valid.
func (w *Wire) work(ctx context.Context, what string, run func(context.Context) error) {
	w.workers.Go(func() {
		if err := run(ctx); err != nil && ctx.Err() == nil {
			w.fail.Do(func() {
				w.cause = fmt.Errorf("%s: %w", what, err)
				close(w.failed)
			})
		}
	})
}
