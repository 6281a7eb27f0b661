package audit

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"example.com/orderflow/local/servers"
	"example.com/orderflow/local/system"
	"github.com/jackc/pgx/v5"
)

// Sources is where the books are.
type Sources struct {
	Repo      string            // the checkout, whose docs/saga.md says which way an order may go
	Databases map[string]string // URL by service
	Broker    servers.Broker
	Simulator string // base address of the world outside
}

// Of is where the books of a running system are.
func Of(s *system.System, repo string) Sources {
	sources := Sources{Repo: repo, Databases: map[string]string{}, Broker: s.Broker, Simulator: s.SimulatorURL}
	for _, service := range services {
		sources.Databases[service] = s.DatabaseURL(service)
	}
	return sources
}

// Read reads all books. Each database is read as it is at one moment, that of orders first. The others are read when they
// have had a little longer: what orders says has happened, they should know.
func Read(ctx context.Context, sources Sources) (b Books, err error) {
	if b.Saga, err = readSaga(filepath.Join(sources.Repo, "docs", "saga.md")); err != nil {
		return b, err
	}
	readers := map[string]func(context.Context, pgx.Tx, *Books) error{
		"orders": readOrders, "payments": readPayments, "inventory": readInventory, "shipping": readShipping,
	}
	for _, service := range services {
		if err := readDatabase(ctx, sources.Databases[service], service, &b, readers[service]); err != nil {
			return b, fmt.Errorf("read the database of %s: %w", service, err)
		}
	}
	if err := readWorld(ctx, sources.Simulator, &b); err != nil {
		return b, err
	}
	return b, readBroker(ctx, sources.Broker, &b)
}

func readDatabase(ctx context.Context, url, service string, b *Books, read func(context.Context, pgx.Tx, *Books) error) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is lost with it
	moment := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, conn, moment, func(tx pgx.Tx) error {
		if err := read(ctx, tx, b); err != nil {
			return err
		}
		return readOutbox(ctx, tx, service, b)
	})
}

func readOutbox(ctx context.Context, tx pgx.Tx, service string, b *Books) error {
	waiting, err := collect(ctx, tx, func(m *Message) []any {
		return []any{&m.ID, &m.Kind, &m.Subject, &m.Early, &m.Attempts, &m.Trouble}
	}, `
		SELECT id::text, kind, subject, due_at > now(), attempts, last_error
		FROM outbox
		ORDER BY id`)
	for i := range waiting {
		waiting[i].Where = outboxOf(service)
	}
	b.Outboxes = append(b.Outboxes, waiting...)
	return err
}

// collect reads rows into things, of which fields gives the places for the columns.
func collect[T any](ctx context.Context, tx pgx.Tx, fields func(*T) []any, sql string) ([]T, error) {
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (thing T, err error) {
		return thing, row.Scan(fields(&thing)...)
	})
}

// peekMost is how many dead letters of a queue are read. If there are more, they are counted.
const peekMost = 1000

// readBroker reads how many messages are in each queue of a service, and what the dead letters are. Messages in other
// queues are not looked at: to look is to take and to give back, and the broker counts how often it gives a message out.
func readBroker(ctx context.Context, broker servers.Broker, b *Books) error {
	queues, err := broker.Queues(ctx)
	if err != nil {
		return fmt.Errorf("read the queues: %w", err)
	}
	for _, q := range queues {
		owner, _, _ := strings.Cut(q.Name, ".")
		switch {
		case !slices.Contains(services, owner): // the web pages' own, which come and go with them
		case strings.HasSuffix(q.Name, ".dead"):
			letters, err := broker.Peek(ctx, q.Name, peekMost)
			if err != nil {
				return fmt.Errorf("read the dead letters: %w", err)
			}
			for i, l := range letters {
				b.DeadLetters = append(b.DeadLetters, deadLetter(q.Name, l))
				if i == peekMost-1 && l.Behind > 0 {
					b.Queues = append(b.Queues, Queue{q.Name, l.Behind})
				}
			}
		default:
			b.Queues = append(b.Queues, Queue(q))
		}
	}
	return nil
}

func deadLetter(queue string, l servers.QueuedMessage) Message {
	m := Message{Where: queue, ID: l.Properties.ID, Kind: l.Properties.Kind, Subject: l.Properties.Subject}
	reason, _ := l.Properties.Headers["dead-reason"].(string)
	trouble, _ := l.Properties.Headers["error"].(string)
	m.Trouble = strings.TrimPrefix(reason+": "+trouble, ": ")
	return m
}
